/* Regular expressions of SQL, by PCRE2.
 *
 * PostgreSQL's advanced regular expressions are nearly PCRE2's. What is spelled in another way is
 * rewritten: \m \M \y \Y (words), \A \Z, [[:<:]] [[:>:]], the director ***=. Letters and digits of
 * classes are ASCII's, as in its locale C. What differs and stands so in the documentation: of
 * alternatives the first that fits is taken, not the longest, and each quantifier is greedy or not
 * by itself.
 *
 * Compiled patterns are kept by their text: a pattern that is a constant is compiled once. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/limits.h"
#include "base/text.h"
#include "plan/function_rows.h"
#include "plan/value_text.h"

enum { KEPT_PATTERNS = 16, GROUPS_MAX = 100 };

struct pattern {
  struct str text;  /* flags, a zero, the pattern */
  pcre2_code *code; /* NULL: the place is free */
  bool global;
};
/* What lives as long as the program. */
struct patterns {
  struct pattern kept[KEPT_PATTERNS];
  unsigned next; /* the one to go */
  pcre2_match_data *data;
  pcre2_match_context *context;
};

void plan__regex_release(void *memory) {
  struct patterns *patterns = memory;
  if (!patterns) return;
  for (unsigned i = 0; i < KEPT_PATTERNS; i++)
    pcre2_code_free(patterns->kept[i].code);
  pcre2_match_data_free(patterns->data);
  pcre2_match_context_free(patterns->context);
  *patterns = (struct patterns){0};
}

static int get_patterns(struct function_row *at, struct patterns **patterns) {
  *patterns = *at->call->memory;
  if (*patterns) return ERR_OK;
  *patterns = ARENA_NEW(at->call->lasting, struct patterns);
  if (!*patterns) return mem_refused(at->call->lasting->account, sizeof **patterns, at->err);
  *at->call->memory = *patterns;
  (*patterns)->data = pcre2_match_data_create(GROUPS_MAX + 1, NULL);
  (*patterns)->context = pcre2_match_context_create(NULL);
  if (!(*patterns)->data || !(*patterns)->context)
    return err_set(at->err, ERR_NO_MEMORY, "out of memory");
  pcre2_set_match_limit((*patterns)->context, LIMIT_REGEX_MATCH_STEPS);
  pcre2_set_heap_limit((*patterns)->context, 16 << 10); /* KiB, of the interpreter */
  return ERR_OK;
}

/* ---- compiling ---- */

/* PostgreSQL's spelling as PCRE2's. */
static void rewrite(struct str text, struct buffer *out) {
  bool class = false;
  for (size_t i = 0; i < text.size; i++) {
    struct str rest = {text.data + i, text.size - i};
    if (!class &&
        (str_starts_with(rest, STR("[[:<:]]")) || str_starts_with(rest, STR("[[:>:]]")))) {
      buffer_append_text(out, rest.data[3] == '<' ? "\\b(?=\\w)" : "\\b(?<=\\w)");
      i += 6;
    } else if (rest.data[0] == '\\' && rest.size > 1) {
      char c = rest.data[1];
      const char *spelled = class      ? NULL
                            : c == 'm' ? "\\b(?=\\w)"
                            : c == 'M' ? "\\b(?<=\\w)"
                            : c == 'y' ? "\\b"
                            : c == 'Y' ? "\\B"
                            : c == 'Z' ? "\\z"
                                       : NULL;
      if (spelled)
        buffer_append_text(out, spelled);
      else
        buffer_append(out, rest.data, 2);
      i++;
    } else if (class && str_starts_with(rest, STR("[:"))) { /* a named class inside of one */
      const char *end = memmem(rest.data, rest.size, ":]", 2);
      size_t size = end ? (size_t)(end - rest.data) + 2 : 1;
      buffer_append(out, rest.data, size);
      i += size - 1;
    } else {
      if (rest.data[0] == '[' && !class) {
        class = true;
        buffer_append_byte(out, '[');
        if (rest.size > 1 && rest.data[1] == '^') buffer_append_byte(out, (uint8_t)text.data[++i]);
        if (i + 1 < text.size && text.data[i + 1] == ']')
          buffer_append_byte(out, (uint8_t)text.data[++i]);
        continue;
      }
      if (rest.data[0] == ']') class = false;
      buffer_append_byte(out, (uint8_t)rest.data[0]);
    }
  }
}

/* The letters of regexp_match and its kin. */
static int read_flags(struct function_row *at, struct str flags, uint32_t *options, bool *global) {
  for (size_t i = 0; i < flags.size; i++) {
    switch (flags.data[i]) {
    case 'g':
      *global = true;
      break;
    case 'i':
      *options |= PCRE2_CASELESS;
      break;
    case 'c':
      *options &= ~(uint32_t)PCRE2_CASELESS;
      break;
    case 'm':
    case 'n':
      *options = (*options & ~(uint32_t)PCRE2_DOTALL) | PCRE2_MULTILINE;
      break;
    case 's':
      *options = (*options | PCRE2_DOTALL) & ~(uint32_t)PCRE2_MULTILINE;
      break;
    case 'p':
      *options &= ~(uint32_t)(PCRE2_DOTALL | PCRE2_MULTILINE);
      break;
    case 'w':
      *options |= PCRE2_DOTALL | PCRE2_MULTILINE;
      break;
    case 'x':
      *options |= PCRE2_EXTENDED;
      break;
    case 't':
      *options &= ~(uint32_t)PCRE2_EXTENDED;
      break;
    case 'q':
      *options |= PCRE2_LITERAL;
      break;
    default:
      return err_set(at->err, ERR_INVALID_ARGUMENT, "invalid regular expression option: \"%c\"",
                     flags.data[i]);
    }
  }
  return ERR_OK;
}

static int compile(struct function_row *at, struct str text, struct str flags,
                   struct pattern *pattern) {
  uint32_t options = PCRE2_UTF | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY;
  PCRE2_SIZE place;
  int fault, code = read_flags(at, flags, &options, &pattern->global);
  if (code) return code;
  if (text.size > LIMIT_REGEX_SIZE)
    return err_set(at->err, ERR_LIMIT_EXCEEDED, "a regular expression has more than %d bytes",
                   (int)LIMIT_REGEX_SIZE);
  struct str whole = text;
  if (str_starts_with(text, STR("***="))) {
    options |= PCRE2_LITERAL;
    whole = str_part(text, 4, text.size);
  } else if (str_starts_with(text, STR("***:"))) {
    whole = str_part(text, 4, text.size);
  }
  if (options & PCRE2_LITERAL)
    options &= ~(uint32_t)(PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_EXTENDED | PCRE2_MULTILINE);
  struct buffer spelled = row_buffer_of(at);
  if (options & PCRE2_LITERAL)
    buffer_append_str(&spelled, whole);
  else
    rewrite(whole, &spelled);
  code = buffer_check(&spelled, at->err);
  if (!code) {
    pattern->code = pcre2_compile(spelled.data ? spelled.data : (PCRE2_SPTR) "", spelled.size,
                                  options, &fault, &place, NULL);
    if (!pattern->code) {
      PCRE2_UCHAR why[120];
      pcre2_get_error_message(fault, why, sizeof why);
      code = err_set(at->err, ERR_INVALID_REGEX, "invalid regular expression: %s", (char *)why);
      err_detail(at->err, "at byte %zu of '%.*s'", (size_t)place + 1, STR_ARG(text_cut(text, 120)));
    } else {
      pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
    }
  }
  buffer_deinit(&spelled);
  return code;
}

/* The pattern of a text and flags, compiled or kept. */
static int get_pattern(struct function_row *at, struct patterns *patterns, struct str text,
                       struct str flags, const struct pattern **found) {
  for (unsigned i = 0; i < KEPT_PATTERNS; i++) {
    struct pattern *pattern = &patterns->kept[i];
    if (!pattern->code || pattern->text.size != flags.size + 1 + text.size) continue;
    struct str kept = pattern->text;
    if (memcmp(kept.data, flags.data ? flags.data : "", flags.size) != 0 || kept.data[flags.size] ||
        (text.size && memcmp(kept.data + flags.size + 1, text.data, text.size) != 0))
      continue;
    *found = pattern;
    return ERR_OK;
  }
  struct pattern made = {0};
  int code = compile(at, text, flags, &made);
  if (code) return code;
  made.text = arena_format(at->call->lasting, "%.*s%c%.*s", STR_ARG(flags), 0, STR_ARG(text));
  if (!made.text.data) {
    pcre2_code_free(made.code);
    return mem_refused(at->call->lasting->account, text.size, at->err);
  }
  struct pattern *place = &patterns->kept[patterns->next++ % KEPT_PATTERNS];
  pcre2_code_free(place->code);
  *place = made;
  *found = place;
  return ERR_OK;
}

/* ---- matching ---- */

/* One search in one text. */
struct search {
  struct function_row *at;
  struct patterns *patterns;
  const struct pattern *pattern;
  struct str text;
  size_t from;  /* where the next search begins */
  bool refused; /* no empty match at `from`: there was one */
  const PCRE2_SIZE *ends;
  uint32_t groups;
};

static int search_begin(struct search *search, struct function_row *at, struct str text,
                        struct str pattern, struct str flags) {
  *search = (struct search){.at = at, .text = text};
  if (!text.data) search->text.data = "";
  int code = get_patterns(at, &search->patterns);
  if (!code) code = get_pattern(at, search->patterns, pattern, flags, &search->pattern);
  if (!code) pcre2_pattern_info(search->pattern->code, PCRE2_INFO_CAPTURECOUNT, &search->groups);
  if (!code && search->groups > GROUPS_MAX)
    return err_set(at->err, ERR_LIMIT_EXCEEDED, "a regular expression has more than %d groups",
                   GROUPS_MAX);
  return code;
}

static int try_match(struct search *search, uint32_t options, int *result) {
  PCRE2_SPTR bytes = (PCRE2_SPTR)search->text.data;
  pcre2_code *code = search->pattern->code;
  *result = pcre2_match(code, bytes, search->text.size, search->from, options,
                        search->patterns->data, search->patterns->context);
  if (*result == PCRE2_ERROR_JIT_STACKLIMIT) /* a long text: the interpreter has a heap */
    *result = pcre2_match(code, bytes, search->text.size, search->from, options | PCRE2_NO_JIT,
                          search->patterns->data, search->patterns->context);
  if (*result == PCRE2_ERROR_MATCHLIMIT || *result == PCRE2_ERROR_HEAPLIMIT)
    return err_set(search->at->err, ERR_LIMIT_EXCEEDED,
                   "a regular expression took more than %d steps", LIMIT_REGEX_MATCH_STEPS);
  return ERR_OK; /* a value that is not UTF-8 does not match */
}

/* The next match, behind the one before. An empty match right behind another match counts, as in
 * PostgreSQL: the search goes on one character further. */
static int search_next(struct search *search, bool *found) {
  int result = PCRE2_ERROR_NOMATCH, code = ERR_OK;
  *found = false;
  if (search->from > search->text.size) return ERR_OK;
  if (search->refused) {
    if (search->from == search->text.size) return ERR_OK;
    search->from += plan__char_size(search->text, search->from);
    search->refused = false;
  }
  code = try_match(search, 0, &result);
  if (code || result < 0) {
    search->from = search->text.size + 1;
    return code;
  }
  search->ends = pcre2_get_ovector_pointer(search->patterns->data);
  search->from = search->ends[1] > search->ends[0] ? search->ends[1] : search->ends[0];
  search->refused = search->ends[1] == search->ends[0];
  *found = true;
  return ERR_OK;
}

static bool group_of(const struct search *search, uint32_t group, struct str *text) {
  size_t begin = search->ends[2 * group], end = search->ends[2 * group + 1];
  if (group > search->groups || begin == PCRE2_UNSET) return false;
  *text = str_part(search->text, begin, end);
  return true;
}

/* ---- the functions ---- */

static struct str flags_of(const struct function_row *at, uint32_t index) {
  return row_arguments(at) > index ? row_text(at, index) : STR("");
}

static int refuse_global(struct function_row *at, struct str flags, const char *other) {
  if (!memchr(flags.data ? flags.data : "", 'g', flags.size)) return ERR_OK;
  const char *name = plan__function_name(row_function(at));
  err_set(at->err, ERR_INVALID_ARGUMENT, "%s() does not support the \"global\" option", name);
  if (other) err_hint(at->err, "use the %s function instead", other);
  return ERR_INVALID_ARGUMENT;
}

/* text ~ pattern */
static int matches(struct function_row *at) {
  struct search search;
  struct str flags = flags_of(at, 2);
  bool found;
  int code = refuse_global(at, flags, NULL);
  if (!code) code = search_begin(&search, at, row_text(at, 0), row_text(at, 1), flags);
  if (!code) code = search_next(&search, &found);
  return code ? code : row_give_bool(at, found);
}

/* The first group, or all of the match where there is none. */
static int part(struct function_row *at) {
  struct search search;
  struct str text;
  bool found;
  int code = search_begin(&search, at, row_text(at, 0), row_text(at, 1), STR(""));
  if (!code) code = search_next(&search, &found);
  if (code) return code;
  if (!found || !group_of(&search, search.groups ? 1 : 0, &text)) return row_give_null(at);
  return row_give(at, text);
}

/* The n-th argument counted from a character, from 1. */
static int begin_at(struct search *search, int64_t start) {
  if (start < 1)
    return err_set(search->at->err, ERR_INVALID_ARGUMENT,
                   "invalid value for parameter \"start\": %lld", (long long)start);
  int64_t count = plan__char_count(search->text);
  search->from = start > count + 1 ? search->text.size + 1 : plan__char_at(search->text, start - 1);
  return ERR_OK;
}

/* text, pattern[, start[, flags]] */
static int count(struct function_row *at) {
  struct search search;
  int64_t found = 0;
  bool more = true;
  struct str flags = flags_of(at, 3);
  int code = refuse_global(at, flags, NULL);
  if (!code) code = search_begin(&search, at, row_text(at, 0), row_text(at, 1), flags);
  if (!code && row_arguments(at) > 2) code = begin_at(&search, row_i64(at, 2));
  while (!code && more) {
    code = search_next(&search, &more);
    found += !code && more;
  }
  return code ? code : row_give_i64(at, found);
}

/* Moves on to match n (from 1) and checks the group. */
static int nth_match(struct search *search, int64_t n, int64_t group, bool *found) {
  if (n < 1)
    return err_set(search->at->err, ERR_INVALID_ARGUMENT, "invalid value for parameter \"n\": %lld",
                   (long long)n);
  if (group < 0)
    return err_set(search->at->err, ERR_INVALID_ARGUMENT,
                   "invalid value for parameter \"subexpr\": %lld", (long long)group);
  *found = true;
  int code = ERR_OK;
  for (int64_t i = 0; i < n && *found && !code; i++)
    code = search_next(search, found);
  if (group > (int64_t)search->groups) *found = false;
  return code;
}

/* text, pattern[, start[, n[, flags[, group]]]] */
static int substr(struct function_row *at) {
  struct search search;
  struct str text, flags = flags_of(at, 4);
  bool found = false;
  int64_t n = row_arguments(at) > 3 ? row_i64(at, 3) : 1;
  int64_t group = row_arguments(at) > 5 ? row_i64(at, 5) : 0;
  int code = refuse_global(at, flags, NULL);
  if (!code) code = search_begin(&search, at, row_text(at, 0), row_text(at, 1), flags);
  if (!code && row_arguments(at) > 2) code = begin_at(&search, row_i64(at, 2));
  if (!code) code = nth_match(&search, n, group, &found);
  if (code) return code;
  return found && group_of(&search, (uint32_t)group, &text) ? row_give(at, text)
                                                            : row_give_null(at);
}

/* text, pattern[, start[, n[, end[, flags[, group]]]]] */
static int instr(struct function_row *at) {
  struct search search;
  struct str text, flags = flags_of(at, 5);
  bool found = false;
  uint32_t arguments = row_arguments(at);
  int64_t n = arguments > 3 ? row_i64(at, 3) : 1, end = arguments > 4 ? row_i64(at, 4) : 0;
  int64_t group = arguments > 6 ? row_i64(at, 6) : 0;
  if (end != 0 && end != 1)
    return err_set(at->err, ERR_INVALID_ARGUMENT, "invalid value for parameter \"endoption\": %lld",
                   (long long)end);
  int code = refuse_global(at, flags, NULL);
  if (!code) code = search_begin(&search, at, row_text(at, 0), row_text(at, 1), flags);
  if (!code && arguments > 2) code = begin_at(&search, row_i64(at, 2));
  if (!code) code = nth_match(&search, n, group, &found);
  if (code) return code;
  if (!found || !group_of(&search, (uint32_t)group, &text)) return row_give_i64(at, 0);
  size_t place = (size_t)search.ends[2 * group + (uint64_t)end];
  return row_give_i64(at, plan__char_count(str_part(search.text, 0, place)) + 1);
}

/* \1 … \9, \& and \\ of a replacement. */
static void append_replacement(const struct search *search, struct str with, struct buffer *out) {
  struct str group;
  for (size_t i = 0; i < with.size; i++) {
    char c = with.data[i], next = i + 1 < with.size ? with.data[i + 1] : 0;
    if (c != '\\') {
      buffer_append_byte(out, (uint8_t)c);
      continue;
    }
    if (next == '&' || (next >= '1' && next <= '9')) {
      uint32_t number = next == '&' ? 0 : (uint32_t)(next - '0');
      if (number <= search->groups && group_of(search, number, &group))
        buffer_append_str(out, group);
      i++;
    } else {
      buffer_append_byte(out, '\\');
      if (next == '\\') i++;
    }
  }
}

/* text, pattern, with[, flags], or text, pattern, with, start[, n[, flags]]; n 0: all */
static int replace(struct function_row *at) {
  struct search search;
  struct str with = row_text(at, 2);
  bool places = row_arguments(at) > 3 && row_type(at, 3).physical == PHYSICAL_INT64, more = true;
  struct str flags = flags_of(at, places ? 5 : 3);
  int64_t n = places && row_arguments(at) > 4 ? row_i64(at, 4) : 1;
  int code = search_begin(&search, at, row_text(at, 0), row_text(at, 1), flags);
  if (!code && places) code = begin_at(&search, row_i64(at, 3));
  if (!code && n < 0)
    code = err_set(at->err, ERR_INVALID_ARGUMENT, "invalid value for parameter \"n\": %lld",
                   (long long)n);
  if (code) return code;
  if (search.pattern->global && row_arguments(at) < 5) n = 0;
  struct buffer out = row_buffer_of(at);
  size_t copied = 0;
  for (int64_t i = 1; more && !code; i++) {
    code = search_next(&search, &more);
    if (code || !more) break;
    if (n && i != n) continue;
    buffer_append(&out, search.text.data + copied, search.ends[0] - copied);
    append_replacement(&search, with, &out);
    copied = search.ends[1];
    if (n) break;
  }
  if (!code) {
    buffer_append(&out, search.text.data + copied, search.text.size - copied);
    return row_give_buffer(at, &out);
  }
  buffer_deinit(&out);
  return code;
}

/* ---- arrays of texts ---- */

/* What the groups of a match are, or all of it where there is none. */
static int match_groups(struct function_row *at) {
  struct search search;
  struct str stored, text, flags = flags_of(at, 2);
  bool found = false;
  int code = row_function(at) == FUNCTION_REGEX_MATCH ? refuse_global(at, flags, "regexp_matches")
                                                      : ERR_OK;
  if (!code) code = search_begin(&search, at, row_text(at, 0), row_text(at, 1), flags);
  if (!code) code = search_next(&search, &found);
  if (code) return code;
  if (!found) return row_give_null(at);
  struct array_builder builder;
  array_builder_init(&builder, ARRAY_BYTES, at->call->scratch->account);
  for (uint32_t i = search.groups ? 1 : 0; i <= search.groups; i++) {
    if (group_of(&search, i, &text))
      array_add_bytes(&builder, text);
    else
      array_add_null(&builder);
  }
  code = plan_array_finish(&builder, at->call->scratch, &stored, at->err);
  array_builder_deinit(&builder);
  return code ? code : row_give(at, stored);
}

/* What stands between matches; empty ones at an end or behind another match don't count. */
static int split(struct function_row *at) {
  struct search search;
  struct str stored, flags = flags_of(at, 2);
  bool found = true;
  size_t from = 0;
  int code = refuse_global(at, flags, NULL);
  if (!code) code = search_begin(&search, at, row_text(at, 0), row_text(at, 1), flags);
  if (code) return code;
  struct array_builder builder;
  array_builder_init(&builder, ARRAY_BYTES, at->call->scratch->account);
  while (!code && found) {
    code = search_next(&search, &found);
    if (code || !found) break;
    size_t begin = search.ends[0], end = search.ends[1];
    if (begin == end && (begin == from || begin == search.text.size)) continue;
    array_add_bytes(&builder, str_part(search.text, from, begin));
    from = end;
  }
  array_add_bytes(&builder, str_part(search.text, from, search.text.size));
  if (!code) code = plan_array_finish(&builder, at->call->scratch, &stored, at->err);
  array_builder_deinit(&builder);
  return code ? code : row_give(at, stored);
}

static function_of_row *const functions[FUNCTION_COUNT] = {
    [FUNCTION_REGEX] = matches,
    [FUNCTION_REGEX_PART] = part,
    [FUNCTION_REGEX_COUNT] = count,
    [FUNCTION_REGEX_SUBSTR] = substr,
    [FUNCTION_REGEX_MATCH] = match_groups,
    [FUNCTION_REGEX_SPLIT] = split,
    [FUNCTION_REGEX_INSTR] = instr,
    [FUNCTION_REGEX_REPLACE] = replace,
};

int plan__run_regex(struct plan_call *call, const uint64_t *rows, struct err *err) {
  return plan__each_row(call, rows, functions[call->expr->function], err);
}

/* ---- SIMILAR TO ---- */

/* A pattern of SIMILAR TO as a regular expression; a part between two escaped quotes is a group.
 * With `parts` as SUBSTRING … SIMILAR wants it: the whole text has to fit, the middle is given. */
static int similar(struct function_row *at, struct str pattern, struct str escape,
                   struct buffer *out) {
  bool class = false;
  unsigned quotes = 0;
  if (escape.size && plan__char_size(escape, 0) != escape.size) {
    err_set(at->err, ERR_INVALID_ESCAPE, "invalid escape string");
    err_hint(at->err, "escape string must be empty or one character");
    return ERR_INVALID_ESCAPE;
  }
  buffer_append_text(out, "^(?:");
  for (size_t i = 0; i < pattern.size; i++) {
    struct str rest = {pattern.data + i, pattern.size - i};
    char c = pattern.data[i];
    if (escape.size && str_starts_with(rest, escape)) {
      i += escape.size;
      if (i >= pattern.size) return err_set(at->err, ERR_INVALID_ESCAPE, "invalid escape sequence");
      if (pattern.data[i] == '"') {
        if (quotes == 2)
          return err_set(at->err, ERR_INVALID_ESCAPE,
                         "SQL regular expression may not contain more than two escape-double-quote "
                         "separators");
        buffer_append_text(out, quotes++ == 0 ? "){1,1}?(" : "){1,1}(?:");
        continue;
      }
      if (!text_is_letter(pattern.data[i]) && !text_is_digit(pattern.data[i]))
        buffer_append_byte(out, '\\');
      buffer_append_byte(out, (uint8_t)pattern.data[i]);
    } else if (class) {
      if (c == '\\') buffer_append_byte(out, '\\');
      buffer_append_byte(out, (uint8_t)c);
      class = c != ']';
    } else if (c == '[') {
      class = true;
      buffer_append_byte(out, '[');
    } else if (c == '%') {
      buffer_append_text(out, ".*");
    } else if (c == '_') {
      buffer_append_byte(out, '.');
    } else if (c == '(') {
      buffer_append_text(out, "(?:");
    } else {
      if (c == '\\' || c == '.' || c == '^' || c == '$') buffer_append_byte(out, '\\');
      buffer_append_byte(out, (uint8_t)c);
    }
  }
  buffer_append_text(out, ")$");
  return buffer_check(out, at->err);
}

/* text, pattern[, escape]: whether all of the text fits, or the part between the quotes. */
static int similar_to(struct function_row *at) {
  struct str escape = row_arguments(at) > 2 ? row_text(at, 2) : STR("\\"), text;
  struct buffer spelled = row_buffer_of(at);
  struct search search;
  bool found;
  int code = similar(at, row_text(at, 1), escape, &spelled);
  if (!code) code = search_begin(&search, at, row_text(at, 0), buffer_str(&spelled), STR(""));
  if (!code) code = search_next(&search, &found);
  buffer_deinit(&spelled);
  if (code) return code;
  if (row_function(at) == FUNCTION_SIMILAR) return row_give_bool(at, found);
  return found && group_of(&search, search.groups ? 1 : 0, &text) ? row_give(at, text)
                                                                  : row_give_null(at);
}

int plan__run_similar(struct plan_call *call, const uint64_t *rows, struct err *err) {
  return plan__each_row(call, rows, similar_to, err);
}
