/* Expressions compiled to flat steps, run over vectors of 1,024 rows.
 *
 * A program computes one expression or several; what they share is computed once. It is immutable
 * and shared by threads; each thread runs it with a state of its own. Null is "not known": most
 * calls with a null argument are null (plan/functions.def says which are not).
 *
 * Calls that may fail (division by zero, casts) look only at rows that are asked for: those of the
 * selection, and inside of CASE, COALESCE, AND and OR only those that the branches before leave. */
#ifndef NILO_EXEC_PROGRAM_H
#define NILO_EXEC_PROGRAM_H

#include "plan/plan.h"

enum { PROGRAM_VECTOR = 1024 };

struct program;
struct program_state;

/* Memory from `arena`; the expressions must outlive it. ERR_NO_MEMORY, ERR_MEMORY_LIMIT;
 * ERR_INVALID_ARGUMENT for a parameter without a value (plan_bind). */
int exec__program_compile(struct arena *arena, const struct expr *expr,
                          const struct program **program, struct err *err);
int exec__program_compile_list(struct arena *arena, const struct expr *const *exprs, uint32_t count,
                               const struct program **program, struct err *err);
/* Sets used[i] for every input column that the expression reads. */
void exec__expr_columns(const struct expr *expr, bool *used);
/* Room for batches of up to LIMIT_BLOCK_ROWS rows, from `arena`. exec__program_release frees what
 * is not in it (texts, tables of patterns). */
int exec__program_state(struct arena *arena, const struct program *program,
                        struct program_state **state, struct err *err);
void exec__program_release(struct program_state *state);
/* Computes `length` rows. `columns`: the input's, of which those that are read must be there. The
 * result lives in the state until the next run. Errors of functions, ERR_LIMIT_EXCEEDED,
 * ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int exec__program_run(struct program_state *state, const struct column *columns, int64_t length,
                      struct column *result, struct err *err);
/* The same for all results of a list. `selected`: bits of the rows that matter, the others may come
 * out as anything; NULL: all. */
int exec__program_run_list(struct program_state *state, const struct column *columns,
                           int64_t length, const uint64_t *selected, struct column *results,
                           struct err *err);

#endif
