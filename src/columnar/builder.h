/* Column builders: grow a column value by value or run by run.
 *
 * A builder owns its buffers, charged to an account. Nulls are free until the first one.
 * builder_view gives a column that borrows the buffers until the next append, reset or deinit.
 * Failed growth is sticky, as in base/buffer.h: builder_check asks once. One thread at a time. */
#ifndef NILO_COLUMNAR_BUILDER_H
#define NILO_COLUMNAR_BUILDER_H

#include "columnar/column.h"

struct mem_account;

struct builder {
  struct type type;
  bool failed;    /* an append was refused; the content is incomplete */
  size_t refused; /* bytes of the allocation that was refused */
  int64_t length;
  int64_t capacity; /* rows */
  uint32_t null_count;
  uint8_t decimals;     /* the most of the columns that were appended (column.h) */
  int64_t decimal_rows; /* from columns that had some, or null: all rows, or the view has none */
  uint64_t *validity;   /* NULL until the first null */
  union {
    void *values;
    uint64_t *bits;
    int64_t *i64;
    uint64_t *u64;
    double *f64;
    int32_t *i32;
    int32_t *offsets;
  };
  char *data; /* strings */
  size_t data_size, data_capacity;
  struct mem_account *account;
};

/* An empty builder of one type; reset empties it and keeps its memory. */
void builder_init(struct builder *builder, struct type type, struct mem_account *account);
void builder_deinit(struct builder *builder);
void builder_reset(struct builder *builder);
/* Room for `rows` more rows and `bytes` more string bytes; false when refused. */
bool builder_reserve(struct builder *builder, int64_t rows, size_t bytes);

/* One more row, or `count`. The value's type must be the builder's physical type. */
void builder_append_null(struct builder *builder);
void builder_append_nulls(struct builder *builder, int64_t count);
void builder_append_bool(struct builder *builder, bool value);
void builder_append_i64(struct builder *builder, int64_t value);
void builder_append_u64(struct builder *builder, uint64_t value);
void builder_append_f64(struct builder *builder, double value);
void builder_append_str(struct builder *builder, struct str value);
/* Rows [from, from + count) of a column of the same physical type. Numbers may stand in their place
 * already: at the builder's length, behind what builder_reserve made room for. */
void builder_append_column(struct builder *builder, const struct column *column, int64_t from,
                           int64_t count);
/* Rows of a column by index. */
void builder_append_rows(struct builder *builder, const struct column *column, const uint32_t *rows,
                         int64_t count);
/* Makes it `length` rows long with nulls at the end; never shortens. */
void builder_pad(struct builder *builder, int64_t length);

/* The rows so far, borrowed until the next append, reset or deinit. */
struct column builder_view(const struct builder *builder);
/* ERR_OK, or the error of the append that was refused. */
int builder_check(const struct builder *builder, struct err *err);

#endif
