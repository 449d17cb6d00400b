/* Truth values and choices: functions that know what to do with nulls.
 *
 * A choice (CASE, COALESCE …) looks only at rows that are asked for and leaves the others null. */
#include <string.h>

#include "base/err.h"
#include "plan/function_kernels.h"
#include "plan/value_text.h"

/* What is true and what is false are known apart; the rest is null. */
int plan__run_logic(struct plan_call *call, const uint64_t *rows, struct err *err) {
  (void)rows;
  (void)err;
  const struct vector *a = call->arguments[0], *b = call->arguments[1];
  const uint64_t *x = a->values, *y = b->values;
  uint64_t *out = call->result->own_values;
  bool is_and = call->expr->function == FUNCTION_AND;
  for (size_t w = 0; w < bit_words(call->count); w++) {
    uint64_t x_valid = plan__valid_word(a, w), y_valid = plan__valid_word(b, w);
    uint64_t x_true = x[w] & x_valid, y_true = y[w] & y_valid;
    uint64_t x_false = ~x[w] & x_valid, y_false = ~y[w] & y_valid;
    uint64_t is_true = is_and ? x_true & y_true : x_true | y_true;
    uint64_t is_false = is_and ? x_false | y_false : x_false & y_false;
    out[w] = is_true;
    call->result->own_validity[w] = is_true | is_false;
  }
  if (a->validity || b->validity) call->result->validity = call->result->own_validity;
  return ERR_OK;
}

int plan__run_not(struct plan_call *call, const uint64_t *rows, struct err *err) {
  (void)rows;
  (void)err;
  const uint64_t *x = call->arguments[0]->values;
  uint64_t *out = call->result->own_values;
  for (size_t w = 0; w < bit_words(call->count); w++)
    out[w] = ~x[w];
  return ERR_OK;
}

int plan__run_presence(struct plan_call *call, const uint64_t *rows, struct err *err) {
  (void)rows;
  (void)err;
  const struct vector *a = call->arguments[0];
  const uint64_t *x = a->values;
  uint64_t *out = call->result->own_values;
  for (size_t w = 0; w < bit_words(call->count); w++) {
    uint64_t valid = plan__valid_word(a, w);
    out[w] = call->expr->function == FUNCTION_IS_NULL   ? ~valid
             : call->expr->function == FUNCTION_IS_TRUE ? valid & x[w]
                                                        : valid;
  }
  return ERR_OK;
}

/* ---- choices ---- */

static void take_row(struct vector *to, const struct vector *from, uint32_t row) {
  if (type_is_string(to->type)) {
    ((struct str *)to->own_values)[row] = vector_text(from, row);
  } else if (to->type.physical == PHYSICAL_BOOL) {
    if (bit_get(from->values, row))
      bit_set(to->own_values, row);
    else
      bit_clear(to->own_values, row);
  } else {
    ((uint64_t *)to->own_values)[row] = ((const uint64_t *)from->values)[row];
  }
}

/* Takes `from` in the rows of `wanted`, null where it is null. */
static void take(struct plan_call *call, const struct vector *from, const uint64_t *wanted) {
  struct vector *result = call->result;
  for (size_t w = 0; w < bit_words(call->count); w++) {
    uint64_t bits = wanted[w] & plan__valid_word(from, w);
    result->own_validity[w] |= bits;
    for (; bits; bits &= bits - 1)
      take_row(result, from, (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(bits));
  }
}

/* All rows that are asked for, in `open`; nothing is chosen yet. */
static void begin_choice(struct plan_call *call, const uint64_t *rows, uint64_t *open) {
  size_t words = bit_words(call->count);
  for (size_t w = 0; w < words; w++)
    open[w] = rows ? rows[w] : ~UINT64_C(0);
  if (call->count % 64) open[words - 1] &= (UINT64_C(1) << call->count % 64) - 1;
  memset(call->result->own_validity, 0, words * 8);
  call->result->validity = call->result->own_validity;
}

int plan__run_case(struct plan_call *call, const uint64_t *rows, struct err *err) {
  (void)err;
  uint64_t open[VECTOR_WORDS], taken[VECTOR_WORDS];
  uint32_t count = call->expr->argument_count;
  begin_choice(call, rows, open);
  for (uint32_t i = 0; i + 1 < count; i += 2) {
    const struct vector *condition = call->arguments[i];
    const uint64_t *truth = condition->values;
    for (size_t w = 0; w < bit_words(call->count); w++) {
      taken[w] = open[w] & truth[w] & plan__valid_word(condition, w);
      open[w] &= ~taken[w];
    }
    take(call, call->arguments[i + 1], taken);
  }
  if (count % 2) take(call, call->arguments[count - 1], open);
  return ERR_OK;
}

int plan__run_coalesce(struct plan_call *call, const uint64_t *rows, struct err *err) {
  (void)err;
  uint64_t open[VECTOR_WORDS];
  begin_choice(call, rows, open);
  for (uint32_t i = 0; i < call->expr->argument_count; i++) {
    take(call, call->arguments[i], open);
    for (size_t w = 0; w < bit_words(call->count); w++)
      open[w] &= ~call->result->own_validity[w];
  }
  return ERR_OK;
}

int plan__run_nullif(struct plan_call *call, const uint64_t *rows, struct err *err) {
  (void)err;
  const struct vector *a = call->arguments[0], *b = call->arguments[1];
  uint64_t open[VECTOR_WORDS];
  begin_choice(call, rows, open);
  take(call, a, open);
  EACH_ROW(row) {
    bool both = vector_valid(a, row) && vector_valid(b, row);
    if (both && plan__row_order(a, b, row) == 0) bit_clear(call->result->own_validity, row);
  }
  return ERR_OK;
}

int plan__run_extreme(struct plan_call *call, const uint64_t *rows, struct err *err) {
  (void)err;
  int wanted = call->expr->function == FUNCTION_GREATEST ? 1 : -1;
  uint64_t open[VECTOR_WORDS];
  begin_choice(call, rows, open);
  EACH_ROW(row) {
    const struct vector *best = NULL;
    for (uint32_t i = 0; i < call->expr->argument_count; i++) {
      const struct vector *next = call->arguments[i];
      if (!vector_valid(next, row)) continue;
      if (!best || plan__row_order(next, best, row) == wanted) best = next;
    }
    if (!best) continue;
    take_row(call->result, best, row);
    bit_set(call->result->own_validity, row);
  }
  return ERR_OK;
}

/* ---- IN ---- */

enum { IN_HASHED_MIN = 8 }; /* shorter lists are compared one by one */

/* The literals of a list by hash: open addressing, at most half full. */
struct in_set {
  const struct plan_value **slots;
  size_t mask;
  bool has_null;
};

static uint64_t value_bits(const struct plan_value *value) {
  if (value->type.physical == PHYSICAL_BOOL) return value->boolean;
  if (value->type.physical != PHYSICAL_FLOAT64) return value->u64;
  struct plan_value copy = {.f64 = value->f64 == 0 ? 0 : value->f64};
  return value->f64 != value->f64 ? UINT64_C(0x7ff8000000000000) : copy.u64;
}

static uint64_t value_hash(const struct plan_value *value) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  struct str text = {NULL, 0};
  if (type_is_string(value->type)) text = plan_text_key(value->text, value->type);
  for (size_t i = 0; i < text.size; i++)
    hash = (hash ^ (uint8_t)text.data[i]) * UINT64_C(0x100000001b3);
  if (!type_is_string(value->type)) hash ^= value_bits(value) * UINT64_C(0x9e3779b97f4a7c15);
  return hash ^ hash >> 32;
}

static bool value_equal(const struct plan_value *a, const struct plan_value *b) {
  if (!type_is_string(a->type)) return value_bits(a) == value_bits(b);
  return str_equal(plan_text_key(a->text, a->type), plan_text_key(b->text, b->type));
}

static const struct plan_value **in_slot(const struct in_set *set, const struct plan_value *value) {
  size_t at = value_hash(value) & set->mask;
  while (set->slots[at] && !value_equal(set->slots[at], value))
    at = (at + 1) & set->mask;
  return &set->slots[at];
}

static struct in_set *make_set(struct plan_call *call) {
  uint32_t count = call->expr->argument_count;
  size_t capacity = 16;
  while (capacity < (size_t)count * 2)
    capacity *= 2;
  struct in_set *set = ARENA_NEW(call->lasting, struct in_set);
  const struct plan_value **slots = ARENA_ARRAY(call->lasting, const struct plan_value *, capacity);
  if (!set || !slots) return NULL;
  *set = (struct in_set){slots, capacity - 1, false};
  for (uint32_t i = 1; i < count; i++) {
    const struct plan_value *value = &call->expr->arguments[i]->literal;
    if (value->null)
      set->has_null = true;
    else
      *in_slot(set, value) = value;
  }
  return set;
}

static bool is_hashed(const struct plan_call *call) {
  if (call->expr->argument_count <= IN_HASHED_MIN) return false;
  for (uint32_t i = 1; i < call->expr->argument_count; i++)
    if (call->expr->arguments[i]->kind != EXPR_LITERAL) return false;
  return true;
}

static bool among_row(const struct plan_call *call, uint32_t row, bool *unknown) {
  for (uint32_t i = 1; i < call->expr->argument_count; i++) {
    const struct vector *item = call->arguments[i];
    if (!vector_valid(item, row))
      *unknown = true;
    else if (plan__row_order(call->arguments[0], item, row) == 0)
      return true;
  }
  return false;
}

/* Null: the value is null, or is not found and there is a null that it may be. */
int plan__run_in(struct plan_call *call, const uint64_t *rows, struct err *err) {
  const struct vector *value = call->arguments[0];
  uint64_t *out = call->result->own_values, open[VECTOR_WORDS];
  struct in_set *set = NULL;
  begin_choice(call, rows, open);
  memset(out, 0, bit_words(call->count) * 8);
  if (is_hashed(call)) {
    if (!*call->memory) *call->memory = make_set(call);
    set = *call->memory;
    if (!set) return mem_refused(call->lasting->account, sizeof *set, err);
  }
  EACH_ROW(row) {
    if (!vector_valid(value, row)) continue;
    bool unknown = set && set->has_null, found;
    if (set) {
      struct plan_value wanted = vector_value(value, row);
      found = *in_slot(set, &wanted) != NULL;
    } else {
      found = among_row(call, row, &unknown);
    }
    if (found) bit_set(out, row);
    if (found || !unknown) bit_set(call->result->own_validity, row);
  }
  return ERR_OK;
}
