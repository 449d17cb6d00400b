/* Patterns: regular expressions (PCRE2) and LIKE.
 *
 * LIKE is matched greedily from the left: at a '%' the place is remembered, and where what follows
 * does not fit, the remembered place moves on by one character. Only the last '%' ever needs to be
 * tried again, so the time is bounded by text × pattern. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/text.h"
#include "plan/function_kernels.h"

/* ---- regular expressions ---- */

struct matcher {
  pcre2_match_data *data;
  pcre2_match_context *context;
};

void plan__match_release(void *memory) {
  struct matcher *matcher = memory;
  if (!matcher) return;
  pcre2_match_data_free(matcher->data);
  pcre2_match_context_free(matcher->context);
  *matcher = (struct matcher){0};
}

static int make_matcher(struct plan_call *call, struct err *err) {
  if (*call->memory) return ERR_OK;
  struct matcher *matcher = ARENA_NEW(call->lasting, struct matcher);
  if (!matcher) return mem_refused(call->lasting->account, sizeof *matcher, err);
  *call->memory = matcher;
  matcher->data = pcre2_match_data_create_from_pattern(call->expr->compiled, NULL);
  matcher->context = pcre2_match_context_create(NULL);
  if (!matcher->data || !matcher->context) return err_set(err, ERR_NO_MEMORY, "out of memory");
  pcre2_set_match_limit(matcher->context, LIMIT_REGEX_MATCH_STEPS);
  pcre2_set_heap_limit(matcher->context, 16 << 10); /* KiB, of the interpreter */
  return ERR_OK;
}

static int match(const struct matcher *matcher, const pcre2_code *pattern, struct str text,
                 bool *holds, struct err *err) {
  PCRE2_SPTR bytes = (PCRE2_SPTR)(text.data ? text.data : "");
  int found = pcre2_match(pattern, bytes, text.size, 0, 0, matcher->data, matcher->context);
  if (found == PCRE2_ERROR_JIT_STACKLIMIT) /* a long text: the interpreter has a heap */
    found =
        pcre2_match(pattern, bytes, text.size, 0, PCRE2_NO_JIT, matcher->data, matcher->context);
  *holds = found >= 0;
  if (found == PCRE2_ERROR_MATCHLIMIT)
    return err_set(err, ERR_LIMIT_EXCEEDED, "a regular expression took more than %d steps",
                   LIMIT_REGEX_MATCH_STEPS);
  return ERR_OK; /* a value that is not UTF-8 does not match */
}

int plan__run_match(struct plan_call *call, const uint64_t *rows, struct err *err) {
  uint64_t *out = call->result->own_values;
  int code = make_matcher(call, err);
  if (code) return code;
  memset(out, 0, bit_words(call->count) * 8);
  EACH_ROW(row) {
    bool holds;
    code = match(*call->memory, call->expr->compiled, vector_text(call->arguments[0], row), &holds,
                 err);
    if (code) return code;
    if (holds) bit_set(out, row);
  }
  return ERR_OK;
}

/* ---- LIKE ---- */

struct like {
  struct str text, pattern, escape; /* escape "": none */
  bool fold;                        /* ILIKE */
};

static size_t character(struct str text, size_t at) {
  size_t size = 1;
  while (size < 4 && at + size < text.size && (text.data[at + size] & 0xc0) == 0x80 &&
         (text.data[at] & 0xc0) == 0xc0)
    size++;
  return size;
}

static bool same_byte(const struct like *like, char a, char b) {
  return like->fold ? text_lower(a) == text_lower(b) : a == b;
}

static bool escapes(const struct like *like, size_t at) {
  return like->escape.size && like->pattern.size - at > like->escape.size &&
         memcmp(like->pattern.data + at, like->escape.data, like->escape.size) == 0;
}

static bool like_matches(const struct like *like) {
  struct str text = like->text, pattern = like->pattern;
  size_t t = 0, p = 0, star = SIZE_MAX, retry = 0;
  for (;;) {
    bool escaped = p < pattern.size && escapes(like, p);
    if (p < pattern.size && !escaped && pattern.data[p] == '%') {
      star = ++p;
      retry = t;
      continue;
    }
    if (t == text.size) {
      if (p == pattern.size) return true;
      return false; /* what is left of the pattern needs characters: a '%' would be passed above */
    }
    if (p < pattern.size && !escaped && pattern.data[p] == '_') {
      t += character(text, t);
      p++;
      continue;
    }
    size_t literal = escaped ? p + like->escape.size : p;
    if (literal < pattern.size && same_byte(like, text.data[t], pattern.data[literal])) {
      t++;
      p = literal + 1;
      continue;
    }
    if (star == SIZE_MAX) return false;
    retry += character(text, retry);
    if (retry > text.size) return false;
    t = retry;
    p = star;
  }
}

/* Most patterns are one text with '%' at one or both ends: those are compared or searched for. */
struct like_shape {
  struct str middle;  /* the text */
  bool before, after; /* a '%' stands there */
};

static bool shape_of(const struct like *like, struct like_shape *shape) {
  struct str middle = like->pattern;
  *shape = (struct like_shape){0};
  if (like->fold || (like->escape.size && like->escape.data[0] == '%')) return false;
  for (; middle.size && middle.data[0] == '%'; middle.data++, middle.size--)
    shape->before = true;
  for (; middle.size && middle.data[middle.size - 1] == '%'; middle.size--)
    shape->after = true;
  shape->middle = middle;
  for (size_t i = 0; i < middle.size; i++)
    if (middle.data[i] == '%' || middle.data[i] == '_' ||
        (like->escape.size && middle.data[i] == like->escape.data[0]))
      return false;
  return true;
}

static bool shape_matches(const struct like_shape *shape, struct str text) {
  struct str middle = shape->middle;
  if (text.size < middle.size) return false;
  if (middle.size == 0) return shape->before || shape->after || text.size == 0;
  if (shape->before && shape->after)
    return memmem(text.data, text.size, middle.data, middle.size) != NULL;
  if (!shape->before && !shape->after && text.size != middle.size) return false;
  size_t from = shape->before ? text.size - middle.size : 0;
  return memcmp(text.data + from, middle.data, middle.size) == 0;
}

/* A pattern whose last character escapes nothing. */
static bool ends_escaping(const struct like *like) {
  if (!like->escape.size) return false;
  for (size_t p = 0; p < like->pattern.size; p++) {
    bool here = like->pattern.size - p >= like->escape.size &&
                memcmp(like->pattern.data + p, like->escape.data, like->escape.size) == 0;
    if (!here) continue;
    p += like->escape.size;
    if (p >= like->pattern.size) return true;
  }
  return false;
}

int plan__run_like(struct plan_call *call, const uint64_t *rows, struct err *err) {
  uint64_t *out = call->result->own_values;
  bool escape = call->expr->argument_count > 2;
  struct like like = {.fold = call->expr->function == FUNCTION_ILIKE};
  struct like_shape shape = {0};
  const char *checked = NULL;
  bool simple = false;
  memset(out, 0, bit_words(call->count) * 8);
  EACH_ROW(row) {
    like.text = vector_text(call->arguments[0], row);
    like.pattern = vector_text(call->arguments[1], row);
    like.escape = escape ? vector_text(call->arguments[2], row) : STR("\\");
    if (!checked || !call->arguments[1]->constant || escape) {
      if (ends_escaping(&like))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "LIKE pattern must not end with escape character");
      if (like.escape.size && character(like.escape, 0) != like.escape.size)
        return err_set(err, ERR_INVALID_ARGUMENT, "an escape is one character or none");
      checked = like.pattern.data ? like.pattern.data : "";
      simple = shape_of(&like, &shape);
    }
    if (simple ? shape_matches(&shape, like.text) : like_matches(&like)) bit_set(out, row);
  }
  return ERR_OK;
}
