/* The kernels of functions.def: one function over one vector. Private to function_*.c.
 *
 * Each fills call->result (values, and validity where the function is LENIENT). `rows`: those that
 * are present in all arguments and asked for; NULL: all. Kernels of numbers that can't fail may
 * compute the others, too; texts and whatever may fail must not look at them. */
#ifndef NILO_PLAN_FUNCTION_KERNELS_H
#define NILO_PLAN_FUNCTION_KERNELS_H

#include "plan/plan_private.h"
#include "plan/vector.h"

enum function_trait { LENIENT = 1, FALLIBLE = 2, VOLATILE = 4 };
enum function_form { INFIX, PREFIX, NAMED };

/* For each row that is asked for. */
#define EACH_ROW(row)                                                                              \
  for (uint32_t row = 0; row < call->count; row++)                                                 \
    if (!rows || bit_get(rows, row))

/* Contract: above. */
#define KERNEL(name) int name(struct plan_call *call, const uint64_t *rows, struct err *err)
KERNEL(plan__run_arithmetic);
KERNEL(plan__run_negate);
KERNEL(plan__run_shift);
KERNEL(plan__run_checked); /* and what it leaves to others: */
KERNEL(plan__run_decimals);
KERNEL(plan__run_times);
KERNEL(plan__run_compare);
KERNEL(plan__run_compare_sql);
KERNEL(plan__run_distinct);
KERNEL(plan__run_logic);
KERNEL(plan__run_not);
KERNEL(plan__run_presence);
KERNEL(plan__run_case);
KERNEL(plan__run_coalesce);
KERNEL(plan__run_nullif);
KERNEL(plan__run_extreme);
KERNEL(plan__run_in);
KERNEL(plan__run_match);
KERNEL(plan__run_like);
KERNEL(plan__run_text_number);
KERNEL(plan__run_starts_with);
KERNEL(plan__run_text);
KERNEL(plan__run_concat);
KERNEL(plan__run_magnitude);
KERNEL(plan__run_math);
KERNEL(plan__run_math_sql);
KERNEL(plan__run_cast);
KERNEL(plan__run_cast_sql);
KERNEL(plan__run_fit);
KERNEL(plan__run_bucket);
KERNEL(plan__run_date_part);
/* of functions_sql.def, a row at a time */
KERNEL(plan__run_string);
KERNEL(plan__run_bytes);
KERNEL(plan__run_regex);
KERNEL(plan__run_similar);
KERNEL(plan__run_angle);
KERNEL(plan__run_number);
KERNEL(plan__run_numeric);
KERNEL(plan__run_number_pattern);
KERNEL(plan__run_sketch);
KERNEL(plan__run_json);
KERNEL(plan__run_clock);
KERNEL(plan__run_array);

/* The order of two values of a type in a row, both present: -1, 0, 1. NaN is above all numbers and
 * equal to itself. */
int plan__row_order(const struct vector *a, const struct vector *b, uint32_t row);
static inline uint64_t plan__valid_word(const struct vector *vector, size_t word) {
  return vector->validity ? vector->validity[word] : ~UINT64_C(0);
}
struct datetime_session;
/* Appends a value as JSON: to_json(), to_jsonb() (`normal`). Texts that it needs go to `arena`. */
int plan__json_print(const struct plan_value *value, struct type type, bool normal,
                     const struct datetime_session *session, struct arena *arena,
                     struct buffer *out, struct err *err);
/* Arithmetic of dates, times and intervals other than Nilo's durations. */
bool plan__is_time_arithmetic(const struct plan_call *call);
/* Frees what plan__run_match keeps. */
void plan__match_release(void *memory);
/* Frees what plan__run_regex and plan__run_similar keep. */
void plan__regex_release(void *memory);

#endif
