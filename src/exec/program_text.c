/* Strings: comparisons and patterns. Where one side is a dictionary column and the other a literal,
 * the answer is found once per distinct value and then looked up by code. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/err.h"
#include "base/limits.h"
#include "exec/program_private.h"

static struct str text_at(const struct vector *vector, uint32_t row) {
  if (vector->literal) return vector->literal->text;
  const int32_t *offsets = vector->values;
  if (vector->dictionary) return column_str(vector->dictionary, offsets[row]);
  return (struct str){vector->data + offsets[row], (size_t)(offsets[row + 1] - offsets[row])};
}

static int make_matcher(struct program_state *state, const void *pattern, struct err *err) {
  if (state->match_data) return ERR_OK;
  state->match_data = pcre2_match_data_create_from_pattern(pattern, NULL);
  state->match_context = pcre2_match_context_create(NULL);
  if (!state->match_data || !state->match_context)
    return err_set(err, ERR_NO_MEMORY, "out of memory");
  pcre2_set_match_limit(state->match_context, LIMIT_REGEX_MATCH_STEPS);
  pcre2_set_heap_limit(state->match_context, 16 << 10); /* KiB, of the interpreter */
  return ERR_OK;
}

static int match(struct program_state *state, const struct expr *expr, struct str text, bool *holds,
                 struct err *err) {
  int code = make_matcher(state, expr->compiled, err);
  if (code) return code;
  int found = pcre2_match(expr->compiled, (PCRE2_SPTR)(text.data ? text.data : ""), text.size, 0, 0,
                          state->match_data, state->match_context);
  if (found == PCRE2_ERROR_JIT_STACKLIMIT) /* a long text: the interpreter has a heap */
    found = pcre2_match(expr->compiled, (PCRE2_SPTR)text.data, text.size, 0, PCRE2_NO_JIT,
                        state->match_data, state->match_context);
  *holds = found >= 0;
  if (found >= 0 || found == PCRE2_ERROR_NOMATCH) return ERR_OK;
  if (found == PCRE2_ERROR_MATCHLIMIT)
    return err_set(err, ERR_LIMIT_EXCEEDED, "a regular expression took more than %d steps",
                   LIMIT_REGEX_MATCH_STEPS);
  return ERR_OK; /* a value that is not UTF-8 does not match */
}

static int answer(struct program_state *state, const struct step *step, struct str a, struct str b,
                  bool *holds, struct err *err) {
  if (step->function == FUNCTION_MATCH) return match(state, step->expr, a, holds, err);
  int order = str_compare(a, b);
  *holds =
      compare_holds((enum compare_op)(step->function - FUNCTION_EQUAL), (order > 0) - (order < 0));
  return ERR_OK;
}

/* The answers for every value of a dictionary. */
static int answer_codes(struct program_state *state, uint32_t index,
                        const struct column *dictionary, struct err *err) {
  const struct step *step = &state->program->steps[index];
  const struct vector *a = &state->vectors[step->a], *b = &state->vectors[step->b];
  struct code_answers *answers = &state->answers[index];
  if (answers->dictionary == dictionary) return ERR_OK;
  if ((size_t)dictionary->length > answers->capacity) {
    answers->answers = arena_alloc(state->arena, (size_t)dictionary->length);
    if (!answers->answers)
      return mem_refused(state->arena->account, (size_t)dictionary->length, err);
    answers->capacity = (size_t)dictionary->length;
  }
  for (int64_t i = 0; i < dictionary->length; i++) {
    struct str value = column_str(dictionary, i);
    bool holds = false;
    int code = answer(state, step, a->literal ? a->literal->text : value,
                      b->literal ? b->literal->text : value, &holds, err);
    if (code) return code;
    answers->answers[i] = holds;
  }
  answers->dictionary = dictionary;
  return ERR_OK;
}

static void look_up(const uint8_t *answers, const int32_t *codes, uint32_t count, uint64_t *out) {
  for (uint32_t at = 0; at < count; at += 64) {
    uint32_t size = count - at < 64 ? count - at : 64;
    uint64_t word = 0;
    for (uint32_t i = 0; i < size; i++)
      word |= (uint64_t)answers[codes[at + i]] << i;
    out[at / 64] = word;
  }
}

int exec__step_text(struct program_state *state, uint32_t index, uint32_t count, struct err *err) {
  const struct step *step = &state->program->steps[index];
  const struct vector *a = &state->vectors[step->a], *b = &state->vectors[step->b];
  struct vector *result = &state->vectors[step->result];
  uint64_t *out = result->own_values;
  bool one_sided = step->function == FUNCTION_MATCH || a->literal || b->literal;
  const struct vector *coded = a->dictionary ? a : b;
  if (one_sided && coded->dictionary) {
    int code = answer_codes(state, index, coded->dictionary, err);
    if (code) return code;
    look_up(state->answers[index].answers, coded->values, count, out);
    return ERR_OK;
  }
  for (uint32_t i = 0; i < count; i++) {
    bool holds = false;
    if (!result->validity || bit_get(result->validity, i)) {
      int code = answer(state, step, text_at(a, i), text_at(b, i), &holds, err);
      if (code) return code;
    }
    if (holds)
      bit_set(out, i);
    else
      bit_clear(out, i);
  }
  return ERR_OK;
}
