/* Rows of one stream counted against those of another: what UNIQUE, UNION, INTERSECT and EXCEPT
 * are made of.
 *
 * Rows of the second stream ("against") are counted in a key_table, then rows of the first are
 * given or not, one after the other, by their count. When the table does not fit, both streams are
 * cut into partitions by hash, in temporary files, and each pair of them is a job of its own. When
 * only what was given grows too large (DISTINCT), the table is frozen: rows it has are known to
 * have been given, the others wait in partitions until the end of the stream. */
#ifndef NILO_EXEC_SET_ROWS_H
#define NILO_EXEC_SET_ROWS_H

#include "exec/key_table.h"
#include "exec/spill.h"

enum set_rule {
  SET_FIRST,       /* in neither stream before: UNIQUE, UNION, EXCEPT */
  SET_IN,          /* against has it, and it was not given before: INTERSECT */
  SET_IN_COUNTED,  /* against has another one: INTERSECT ALL */
  SET_OUT_COUNTED, /* against has no other one: EXCEPT ALL */
};

struct set_job;
struct set_rows {
  struct exec *exec;
  const struct plan_schema *schema;
  enum set_rule rule;
  const uint32_t *columns; /* that rows are compared by */
  uint32_t column_count;
  struct exec_op *inputs[2]; /* the first stream: one after the other; the second may be NULL */
  struct exec_op *against;   /* NULL: no rows */
  struct exec_rows rows, table_rows; /* the second: of the table, on their way to partitions */
  struct builder **table_builders;
  int64_t *row_counts; /* of rows on their way to partitions */
  struct column *row_columns;
  struct type *types; /* of the schema, and of a count behind it */
  const struct column **keys;
  uint64_t *hashes;
  uint32_t *ids, *picked;
  struct key_table *table;
  uint64_t
      *counts; /* per id: rows of `against` that are left; for DISTINCT 1 while it may be given */
  uint32_t count_capacity;
  uint32_t known; /* ids */
  size_t slack;   /* bytes charged so that the table leaves them for partitions and answers */
  struct set_job *job, *jobs; /* the one that runs, those that wait */
  bool begun, ended;
};
/* `columns` and what the operators are must outlive it. deinit may be called on a zeroed one. */
int exec__set_rows_init(struct set_rows *set, struct exec *exec, const struct plan_schema *schema,
                        enum set_rule rule, const uint32_t *columns, uint32_t column_count,
                        struct err *err);
void exec__set_rows_deinit(struct set_rows *set);
/* The next rows, plain columns; length 0: the end. */
int exec__set_rows_next(struct set_rows *set, struct exec_batch *batch, struct err *err);
/* Appends picked rows of a batch to rows, codes as the strings they stand for. */
void exec__rows_append_plain(struct exec_rows *rows, const struct batch *batch,
                             const uint32_t *picked, int64_t count);

#endif
