/* A hash table from combinations of columns' values to dense ids: what grouping, distinct rows, set
 * operations and hash joins are made of.
 *
 * Values equal by grouping (nulls with nulls, NaN with NaN, -0.0 with 0.0) are one combination; ids
 * ascend in the order in which combinations were first seen, and the values that are given back are
 * those that came first. It works over vectors: hashes of many rows, then their keys packed side by
 * side, then one pass of probes. Codes of a dictionary that is the same in every call are compared
 * as codes.
 *
 * Memory is charged to the query's account and given back by destroy. Adding is one thread's at a
 * time; finding in a table that nobody adds to is allowed from any number of threads. */
#ifndef NILO_EXEC_KEY_TABLE_H
#define NILO_EXEC_KEY_TABLE_H

#include "exec/exec_private.h"

struct key_table;

#define KEY_NONE UINT32_MAX
/* Columns of a key: rows being packed fit a thread's stack. */
enum { KEY_COLUMNS_MAX = 1024 };

/* `types`: of the key columns; column_count 0: every row is the one combination.
 * ERR_LIMIT_EXCEEDED for more than KEY_COLUMNS_MAX columns. */
int exec__key_table_create(struct exec *exec, const struct type *types, uint32_t column_count,
                           struct key_table **table, struct err *err);
/* NULL is allowed. */
void exec__key_table_destroy(struct key_table *table);
/* Forgets the combinations, and gives most of the memory back. */
void exec__key_table_reset(struct key_table *table);
/* Distinct combinations, and bytes held. */
uint32_t exec__key_table_count(const struct key_table *table);
uint64_t exec__key_table_bytes(const struct key_table *table);
/* The hashes of the combinations, by id; until the next row is added. */
const uint64_t *exec__key_table_hashes(const struct key_table *table);

/* Hashes of rows: the same for equal combinations in every table and every run, whether strings
 * come plain or as codes. Tables place by the upper bits: who partitions takes the lowest. */
void exec__key_hash(const struct column *const *columns, uint32_t column_count, int64_t from,
                    int64_t count, uint64_t *hashes);
/* ids[i] of row from + i of the key columns, added where new. `hashes` may be NULL: they are
 * computed then. After a refusal (ERR_MEMORY_LIMIT, ERR_NO_MEMORY; ERR_LIMIT_EXCEEDED at 2^32 - 2
 * combinations) the first *added rows were added and have their ids, the others left no trace. */
int exec__key_table_add(struct key_table *table, const struct column *const *columns, int64_t from,
                        int64_t count, const uint64_t *hashes, uint32_t *ids, int64_t *added,
                        struct err *err);
/* The same without adding: KEY_NONE where there is none, and, with nulls_never, where any value is
 * null. */
void exec__key_table_find(const struct key_table *table, const struct column *const *columns,
                          int64_t from, int64_t count, const uint64_t *hashes, bool nulls_never,
                          uint32_t *ids);
/* Appends the key columns' values of ids [from, from + count) to builders of the key types (INT32
 * and the dictionary that exec__key_table_dictionary then tells, for columns that came as codes).
 * Failure is sticky in the builders. */
void exec__key_table_keys(const struct key_table *table, uint32_t from, uint32_t count,
                          struct builder *const *builders);
/* The same of any ids, in the order of the list. */
void exec__key_table_take(const struct key_table *table, const uint32_t *ids, uint32_t count,
                          struct builder *const *builders);
/* The dictionary of key column i, NULL: plain values. Told by the first rows added; should rows
 * with another dictionary, or none, come later, the table turns to plain strings and forgets it. */
const struct column *exec__key_table_dictionary(const struct key_table *table, uint32_t i);

#endif
