/* Regular expressions: PCRE2 with its JIT compiler, bounded in memory and steps.
 *
 * InfluxDB's syntax is RE2's, which PCRE2's contains but for details: "$" is the end of the text
 * only (PCRE2_DOLLAR_ENDONLY). What is no UTF-8 is matched byte by byte, never refused. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/text.h"
#include "lang/influxql/influxql_private.h"

struct influxql_regex {
  struct influxql_regex *next;
  struct str pattern;
  pcre2_code *code;
  pcre2_match_context *limits;
  struct mem_account *account;
};

/* Blocks carry their size in front: accounts want it back. */
enum { HEADER_SIZE = 16 };

static void *allocate(size_t size, void *account) {
  char *block = mem_alloc(account, size + HEADER_SIZE);
  if (!block) return NULL;
  memcpy(block, &size, sizeof size);
  return block + HEADER_SIZE;
}

static void release(void *block, void *account) {
  if (!block) return;
  size_t size;
  memcpy(&size, (char *)block - HEADER_SIZE, sizeof size);
  mem_free(account, (char *)block - HEADER_SIZE, size + HEADER_SIZE);
}

void influxql_context_deinit(struct influxql_context *context) {
  for (struct influxql_regex *regex = context->regexes; regex; regex = regex->next) {
    pcre2_match_context_free(regex->limits);
    pcre2_code_free(regex->code);
  }
  context->regexes = NULL;
  context->regex_count = 0;
}

static int fail(struct str pattern, int number, size_t offset, struct err *err) {
  char why[160];
  if (pcre2_get_error_message(number, (PCRE2_UCHAR *)why, sizeof why) < 0) why[0] = 0;
  err_set(err, ERR_INVALID_ARGUMENT, "invalid regular expression /%.*s/: %s at char %zu",
          STR_ARG(text_cut(pattern, 60)), why, offset + 1);
  return ERR_INVALID_ARGUMENT;
}

int influxql_regex_compile(struct influxql_context *context, struct str pattern,
                           struct influxql_regex **regex, struct err *err) {
  for (struct influxql_regex *known = context->regexes; known; known = known->next) {
    if (!str_equal(known->pattern, pattern)) continue;
    *regex = known;
    return ERR_OK;
  }
  if (context->regex_count >= LIMIT_REGEX_PATTERNS)
    return err_set(err, ERR_LIMIT_EXCEEDED, "more than %d different regular expressions",
                   LIMIT_REGEX_PATTERNS);
  struct influxql_regex *made = ARENA_NEW(context->arena, struct influxql_regex);
  pcre2_general_context *memory = pcre2_general_context_create(allocate, release, context->account);
  pcre2_compile_context *compile = memory ? pcre2_compile_context_create(memory) : NULL;
  int code = ERR_OK;
  if (!made || !compile) {
    code = mem_refused(context->account, sizeof *made, err);
    goto done;
  }
  made->pattern = pattern;
  made->account = context->account;
  int number;
  PCRE2_SIZE offset;
  uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY |
                     PCRE2_NO_AUTO_CAPTURE | PCRE2_NEVER_BACKSLASH_C;
  made->code = pcre2_compile((PCRE2_SPTR)(pattern.data ? pattern.data : ""), pattern.size, options,
                             &number, &offset, compile);
  if (!made->code) {
    code = number == PCRE2_ERROR_NOMEMORY || number == 121 /* heap failed */
               ? mem_refused(context->account, pattern.size, err)
               : fail(pattern, number, offset, err);
    goto done;
  }
  pcre2_jit_compile(made->code, PCRE2_JIT_COMPLETE); /* where it can't, the interpreter serves */
  made->limits = pcre2_match_context_create(memory);
  if (!made->limits) {
    pcre2_code_free(made->code);
    code = mem_refused(context->account, sizeof *made, err);
    goto done;
  }
  pcre2_set_match_limit(made->limits, LIMIT_REGEX_MATCH_STEPS);
  pcre2_set_heap_limit(made->limits, 16 << 10); /* KiB, of the interpreter */
  made->next = context->regexes;
  context->regexes = made;
  context->regex_count++;
  *regex = made;
done:
  pcre2_compile_context_free(compile);
  pcre2_general_context_free(memory);
  return code;
}

int influxql_regex_match(const struct influxql_regex *regex, struct str text, bool *matches,
                         struct err *err) {
  *matches = false;
  pcre2_general_context *memory = pcre2_general_context_create(allocate, release, regex->account);
  pcre2_match_data *match = memory ? pcre2_match_data_create(1, memory) : NULL;
  PCRE2_SPTR subject = (PCRE2_SPTR)(text.data ? text.data : "");
  int result = PCRE2_ERROR_NOMEMORY;
  if (match) result = pcre2_match(regex->code, subject, text.size, 0, 0, match, regex->limits);
  if (result == PCRE2_ERROR_JIT_STACKLIMIT) /* the interpreter has a heap */
    result = pcre2_match(regex->code, subject, text.size, 0, PCRE2_NO_JIT, match, regex->limits);
  pcre2_match_data_free(match);
  pcre2_general_context_free(memory);
  *matches = result >= 0;
  switch (result) {
  case PCRE2_ERROR_NOMEMORY:
    return mem_refused(regex->account, HEADER_SIZE, err);
  case PCRE2_ERROR_MATCHLIMIT:
  case PCRE2_ERROR_HEAPLIMIT:
    err_set(err, ERR_LIMIT_EXCEEDED, "the regular expression /%.*s/ took more than %d steps",
            STR_ARG(text_cut(regex->pattern, 60)), LIMIT_REGEX_MATCH_STEPS);
    err_hint(err, "repetitions inside repetitions, as in (a+)+, are what takes so long");
    return ERR_LIMIT_EXCEEDED;
  default:
    return ERR_OK;
  }
}

void *influxql__regex_code(const struct influxql_regex *regex) { return regex->code; }
