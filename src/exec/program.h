/* Expressions compiled to flat steps, run over vectors of 1,024 rows.
 *
 * A program is immutable and shared by threads; each thread runs it with a state of its own. Null
 * is "not known": a call with a null argument is null, but for AND, OR (decided by one side where
 * it can be) and the test for presence. */
#ifndef NILO_EXEC_PROGRAM_H
#define NILO_EXEC_PROGRAM_H

#include "plan/plan.h"

enum { PROGRAM_VECTOR = 1024 };

struct program;
struct program_state;

/* Memory from `arena`; the expression must outlive it. ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int exec__program_compile(struct arena *arena, const struct expr *expr,
                          const struct program **program, struct err *err);
/* Sets used[i] for every input column that the expression reads. */
void exec__expr_columns(const struct expr *expr, bool *used);
/* Room for batches of up to LIMIT_BLOCK_ROWS rows, from `arena`. exec__program_release frees what
 * is not in it (tables of patterns). */
int exec__program_state(struct arena *arena, const struct program *program,
                        struct program_state **state, struct err *err);
void exec__program_release(struct program_state *state);
/* Computes `length` rows. `columns`: the input's, of which those that are read must be there. The
 * result lives in the state until the next run. */
int exec__program_run(struct program_state *state, const struct column *columns, int64_t length,
                      struct column *result, struct err *err);

#endif
