/* Regular expressions, bounded in time and memory: PCRE2's interpreter with limits on steps and on
 * heap, memory charged to the query. No machine code is made: it would be mapped behind the
 * account's back, and a filter is one test among others.
 *
 * A text that is not UTF-8 does not match. "$" is the end of the text only. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/limits.h"
#include "element/element_private.h"

struct element_regex {
  struct mem_account *account;
  pcre2_general_context *memory;
  pcre2_code *code;
  pcre2_match_data *data;
  pcre2_match_context *limits;
};

/* Blocks carry their size in front: accounts want it back. */
enum { HEADER_SIZE = 16, HEAP_KIB = 1024 };

static void *allocate(size_t size, void *account) {
  char *block = mem_alloc(account, size + HEADER_SIZE);
  if (!block) return NULL;
  memcpy(block, &size, sizeof size);
  return block + HEADER_SIZE;
}

static void release(void *block, void *account) {
  size_t size;
  if (!block) return;
  memcpy(&size, (char *)block - HEADER_SIZE, sizeof size);
  mem_free(account, (char *)block - HEADER_SIZE, size + HEADER_SIZE);
}

void element_regex_destroy(struct element_regex *regex) {
  if (!regex) return;
  pcre2_match_context_free(regex->limits);
  pcre2_match_data_free(regex->data);
  pcre2_code_free(regex->code);
  pcre2_general_context_free(regex->memory);
  mem_free(regex->account, regex, sizeof *regex);
}

static int refused_pattern(struct str pattern, int number, size_t offset, struct err *err) {
  char why[160];
  if (pcre2_get_error_message(number, (PCRE2_UCHAR *)why, sizeof why) < 0) why[0] = 0;
  return err_set(err, ERR_INVALID_ARGUMENT, "regular expression \"%.*s\": %s at byte %zu",
                 (int)(pattern.size > 60 ? 60 : pattern.size), pattern.data, why, offset);
}

int element_regex_create(struct str pattern, struct mem_account *account,
                         struct element_regex **created, struct err *err) {
  *created = NULL;
  if (pattern.size > (size_t)LIMIT_REGEX_SIZE)
    return err_set(err, ERR_LIMIT_EXCEEDED, "a regular expression of %zu bytes, at most %lld",
                   pattern.size, (long long)LIMIT_REGEX_SIZE);
  struct element_regex *regex = mem_alloc_zero(account, sizeof *regex);
  if (!regex) return mem_refused(account, sizeof *regex, err);
  regex->account = account;
  regex->memory = pcre2_general_context_create(allocate, release, account);
  pcre2_compile_context *compile =
      regex->memory ? pcre2_compile_context_create(regex->memory) : NULL;
  int number = 0, code = ERR_OK;
  PCRE2_SIZE offset = 0;
  uint32_t options =
      PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NO_AUTO_CAPTURE | PCRE2_NEVER_BACKSLASH_C;
  if (compile)
    regex->code = pcre2_compile((PCRE2_SPTR)(pattern.size ? pattern.data : ""), pattern.size,
                                options, &number, &offset, compile);
  if (regex->code) {
    regex->data = pcre2_match_data_create(1, regex->memory);
    regex->limits = pcre2_match_context_create(regex->memory);
  }
  if (regex->limits) {
    pcre2_set_match_limit(regex->limits, LIMIT_REGEX_MATCH_STEPS);
    pcre2_set_heap_limit(regex->limits, HEAP_KIB);
  }
  enum { HEAP_FAILED = 121 /* of compile errors, which pcre2.h does not name that way */ };
  if (compile && !regex->code && number != PCRE2_ERROR_NOMEMORY && number != HEAP_FAILED)
    code = refused_pattern(pattern, number, offset, err);
  else if (!regex->data || !regex->limits)
    code = mem_refused(account, pattern.size + sizeof *regex, err);
  pcre2_compile_context_free(compile);
  if (code)
    element_regex_destroy(regex);
  else
    *created = regex;
  return code;
}

int element_regex_match(struct element_regex *regex, struct str text, bool *matches,
                        struct err *err) {
  int found = pcre2_match(regex->code, (PCRE2_SPTR)(text.size ? text.data : ""), text.size, 0, 0,
                          regex->data, regex->limits);
  *matches = found >= 0;
  switch (found) {
  case PCRE2_ERROR_MATCHLIMIT:
  case PCRE2_ERROR_DEPTHLIMIT:
  case PCRE2_ERROR_HEAPLIMIT: {
    int code = err_set(err, ERR_LIMIT_EXCEEDED,
                       "a regular expression took more than %d steps or %d KiB on one value",
                       LIMIT_REGEX_MATCH_STEPS, HEAP_KIB);
    err_hint(err, "repetitions inside repetitions are what takes long; write it without them");
    return code;
  }
  case PCRE2_ERROR_NOMEMORY:
    return mem_refused(regex->account, text.size, err);
  default:
    return ERR_OK; /* no match, or not UTF-8 */
  }
}
