/* What the files of this folder share: operators, output rows, the check between chunks. */
#ifndef NILO_EXEC_EXEC_PRIVATE_H
#define NILO_EXEC_EXEC_PRIVATE_H

#include "base/limits.h"
#include "columnar/builder.h"
#include "exec/exec.h"

struct exec_op;
struct os;

/* The entry points of an operator; one file each. */
struct exec_op_kind {
  /* Memory of the operator itself comes from exec->memory, zeroed, `size` bytes with the header. */
  size_t size;
  /* The inputs are open already. */
  int (*open)(struct exec_op *op, struct err *err);
  /* As exec_next. Group columns of every batch are dictionary columns; a column is a dictionary
   * column in all batches of an operator or in none, always with the same dictionary. */
  int (*next)(struct exec_op *op, struct exec_batch *batch, struct err *err);
  /* May be NULL; is called once, also after a failed open. */
  void (*close)(struct exec_op *op);
};
/* What an operator has done so far. Added to by the calling thread, outside of exec__parallel. */
struct exec_op_figures {
  uint64_t rows, batches;  /* given */
  int64_t wall_ns, cpu_ns; /* of the calling thread, without the inputs'; when analyzing */
  int64_t *worker_ns;      /* processor time of morsels, per worker; the last: of other threads */
  struct exec_figures work;
  _Atomic uint64_t bytes_spilled, bytes_spill_read, streams_spilled; /* by any thread */
};
struct exec_op {
  const struct exec_op_kind *kind;
  const struct plan_node *node;
  struct exec *exec;
  struct exec_op *input, *right; /* of the node's inputs; NULL: none */
  /* Set by open where the operator has several batches at hand that stay: gives up to `most` (at
   * least 1) of them, all valid until the next call of it or of next. *count 0: the end. Whoever
   * pulls them can have all threads work on them. NULL: one at a time. */
  int (*next_some)(struct exec_op *op, struct exec_batch *batches, uint32_t most, uint32_t *count,
                   struct err *err);
  bool opened; /* its open was called, so its close must be */
  struct exec_op_figures figures;
};
extern const struct exec_op_kind exec__scan, exec__filter, exec__project, exec__aggregate,
    exec__apply, exec__recurse, exec__aggregate_scan, exec__fill, exec__window, exec__distinct,
    exec__limit, exec__reverse, exec__values, exec__regroup, exec__join_hash, exec__join_loop,
    exec__join_merge, exec__join_asof, exec__sort, exec__group, exec__unique, exec__set,
    exec__unnest, exec__over, exec__forecast;

struct exec {
  struct exec_options options;
  struct os *os;       /* NULL: neither snapshot nor options have one */
  struct arena memory; /* of the execution's life */
  struct exec_op *root;
  struct spill_file *spill;    /* NULL: nothing can be spilled */
  struct exec_figures figures; /* added to by the calling thread only */
  struct exec_op *at;          /* the operator at work; NULL: none */
  int64_t mark_wall_ns, mark_cpu_ns;
  unsigned workers; /* that the pool can have */
  bool analyze;
  bool ended;
};

/* Deadline and cancelling; gives way to other work that waits for a core (os_pool_yield), so it is
 * not called with a lock held. From any thread. ERR_DEADLINE, ERR_CANCELLED. */
int exec__check(const struct exec *exec, struct err *err);
int exec__refused(const struct exec *exec, size_t size, struct err *err);
/* From here on `op` is at work; gives back who was. explain.c. */
struct exec_op *exec__at(struct exec *exec, struct exec_op *op);
/* Adds to the figures of the execution and of the operator at work; on the calling thread. */
void exec__add_figures(struct exec *exec, const struct exec_figures *figures);
/* The next batch of an input. */
static inline int exec__pull(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct exec_op *before = exec__at(op->exec, op);
  int code = op->kind->next(op, batch, err);
  if (!code) {
    op->figures.rows += (uint64_t)batch->batch.length;
    op->figures.batches += batch->batch.length > 0;
  }
  exec__at(op->exec, before);
  return code;
}

enum { EXEC_SOME = 16 };
/* The next batches, at most `most` and EXEC_SOME, valid until the next pull; none at the end. */
int exec__pull_some(struct exec_op *op, struct exec_batch *batches, uint32_t most, uint32_t *count,
                    struct err *err);

/* Runs count calls on the pool, or here when there is none or only one; each gets an err of its
 * own; gives back the first failure in order. What they add to `figures` is added to the
 * execution's. */
int exec__parallel(struct exec *exec, size_t count,
                   int (*run)(void *context, size_t i, struct exec_figures *figures,
                              struct err *err),
                   void *context, struct err *err);

/* ---- output rows (rows.c) ---- */

/* Rows being put together, in the order of a schema. */
struct exec_rows {
  struct exec *exec;
  const struct plan_schema *schema;
  struct builder *builders; /* per column; INT32 codes for those with a dictionary */
  const struct column **dictionaries;
  struct column *columns; /* views, made by exec__rows_batch */
  struct exec_group *groups;
  uint32_t group_count, group_capacity;
  bool failed; /* no memory for groups */
};
int exec__rows_init(struct exec_rows *rows, struct exec *exec, const struct plan_schema *schema,
                    struct err *err);
void exec__rows_deinit(struct exec_rows *rows);
void exec__rows_reset(struct exec_rows *rows);
/* The column's values are codes of this dictionary (NULL: plain values). Before its first row. */
void exec__rows_dictionary(struct exec_rows *rows, uint32_t column,
                           const struct column *dictionary);
int64_t exec__rows_count(const struct exec_rows *rows);
/* The rows appended from here on are a group's. */
void exec__rows_group(struct exec_rows *rows, bool continued);
/* The codes of `count` rows of the group columns. */
void exec__rows_codes(struct exec_rows *rows, const int32_t *codes, int64_t count);
/* Gives what was appended as a batch, which lives until the next reset. Drops groups without rows.
 */
int exec__rows_batch(struct exec_rows *rows, struct exec_batch *batch, struct err *err);
/* A batch that points into others' builders, after a reset: its columns that are not of the group,
 * one by one, as rows [from, from + count) of a builder (false: bits do not begin there, copy),
 * then the batch, one group with these codes. It lives until the builders change, or the next
 * reset. */
bool exec__rows_slice(struct exec_rows *rows, uint32_t column, const struct builder *builder,
                      int64_t from, int64_t count);
int exec__rows_sliced(struct exec_rows *rows, const int32_t *codes, int64_t count, bool continued,
                      struct exec_batch *batch, struct err *err);
/* Appends a value of a column's physical type from 64 bits: strings as the address of a str. */
void exec__append_bits(struct builder *builder, uint64_t value);
/* The value of a row as 64 bits (strings: of the str, in *text). The row is present. */
uint64_t exec__row_bits(const struct column *column, int64_t row, struct str *text);
/* The same code `count` times. */
void exec__append_code(struct builder *builder, int32_t code, int64_t count);
/* Takes over which columns of a batch with the same leading columns are dictionary columns. */
void exec__rows_adopt(struct exec_rows *rows, const struct exec_batch *batch);
/* Appends rows [row, row + count) of a batch with the same schema. */
void exec__rows_copy(struct exec_rows *rows, const struct exec_batch *batch, int64_t row,
                     int64_t count);

/* ---- reading group by group ---- */

/* The input's batches as a sequence of groups' pieces. */
struct exec_groups {
  struct exec_op *input;
  struct exec_batch batch; /* the current one */
  uint32_t at;             /* groups of it before this were given */
};
/* The next piece: rows of groups->batch. *more false: the end. */
int exec__groups_next(struct exec_groups *groups, struct exec_group *group, bool *more,
                      struct err *err);

#endif
