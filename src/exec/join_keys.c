/* Keys of joins: hashes, equality and order of rows of two inputs, whose columns may be plain or
 * codes of dictionaries of their own. Floats are equal as in grouping: NaN to NaN, -0.0 to 0.0. */
#include <math.h>
#include <string.h>

#include "exec/join.h"
#include "exec/key_table.h"
#include "exec/key_text.h"

/* Of more keys only the first ones are hashed; all are compared. */
enum { HASHED_KEYS_MAX = 64 };

static bool has_nulls(const struct column *column) {
  return column->validity && column->null_count > 0;
}

void join__hash(const uint32_t *keys, uint32_t key_count, const struct column *columns,
                int64_t from, int64_t count, uint64_t *hashes, uint8_t *absent, bool *any_absent) {
  const struct column *hashed[HASHED_KEYS_MAX];
  *any_absent = false;
  for (uint32_t k = 0; k < key_count; k++) {
    const struct column *column = &columns[keys[k]];
    if (k < HASHED_KEYS_MAX) hashed[k] = column;
    if (!has_nulls(column)) continue;
    if (!*any_absent) memset(absent, 0, (size_t)count);
    *any_absent = true;
    for (int64_t i = 0; i < count; i++)
      absent[i] |= !bit_get(column->validity, from + i);
  }
  exec__key_hash(hashed, key_count < HASHED_KEYS_MAX ? key_count : HASHED_KEYS_MAX, from, count,
                 hashes);
}

static struct str text_of(const struct column *column, int64_t row) {
  return key_text_of(column, row);
}

static bool is_text(const struct column *column) {
  return column->dictionary || type_is_string(column->type);
}

/* Order of two floats: NaN above all and equal to itself. */
static int compare_floats(double a, double b) {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a == b) return 0;
  return (isnan(a) != 0) - (isnan(b) != 0);
}

static int compare_values(const struct column *a, int64_t a_row, const struct column *b,
                          int64_t b_row) {
  if (is_text(a)) {
    if (a->dictionary && a->dictionary == b->dictionary && a->i32[a_row] == b->i32[b_row]) return 0;
    return str_compare(text_of(a, a_row), text_of(b, b_row));
  }
  switch (a->type.physical) {
  case PHYSICAL_BOOL:
    return (int)bit_get(a->bits, a_row) - (int)bit_get(b->bits, b_row);
  case PHYSICAL_FLOAT64:
    return compare_floats(a->f64[a_row], b->f64[b_row]);
  case PHYSICAL_UINT64:
    return (a->u64[a_row] > b->u64[b_row]) - (a->u64[a_row] < b->u64[b_row]);
  case PHYSICAL_INT32:
    return (a->i32[a_row] > b->i32[b_row]) - (a->i32[a_row] < b->i32[b_row]);
  default:
    return (a->i64[a_row] > b->i64[b_row]) - (a->i64[a_row] < b->i64[b_row]);
  }
}

static bool equal_values(const struct column *a, int64_t a_row, const struct column *b,
                         int64_t b_row) {
  if (!is_text(a)) return compare_values(a, a_row, b, b_row) == 0;
  if (a->dictionary && a->dictionary == b->dictionary && a->i32[a_row] == b->i32[b_row])
    return true;
  return str_equal(text_of(a, a_row), text_of(b, b_row));
}

bool join__equal(const uint32_t *a_keys, const struct column *a, int64_t a_row,
                 const uint32_t *b_keys, const struct column *b, int64_t b_row, uint32_t key_count,
                 enum join_nulls nulls) {
  for (uint32_t k = 0; k < key_count; k++) {
    const struct column *x = &a[a_keys[k]], *y = &b[b_keys[k]];
    bool x_there = column_is_valid(x, a_row), y_there = column_is_valid(y, b_row);
    if (x_there && y_there) {
      if (!equal_values(x, a_row, y, b_row)) return false;
    } else if (nulls == JOIN_NULLS_NOTHING || (nulls == JOIN_NULLS_NULLS && x_there != y_there)) {
      return false;
    }
  }
  return true;
}

int join__compare(const uint32_t *a_keys, const struct column *a, int64_t a_row,
                  const uint32_t *b_keys, const struct column *b, int64_t b_row,
                  uint32_t key_count) {
  for (uint32_t k = 0; k < key_count; k++) {
    const struct column *x = &a[a_keys[k]], *y = &b[b_keys[k]];
    bool x_there = column_is_valid(x, a_row), y_there = column_is_valid(y, b_row);
    int order =
        x_there && y_there ? compare_values(x, a_row, y, b_row) : (int)y_there - (int)x_there;
    if (order) return order;
  }
  return 0;
}

bool join__absent(const uint32_t *keys, uint32_t key_count, const struct column *columns,
                  int64_t row) {
  for (uint32_t k = 0; k < key_count; k++)
    if (!column_is_valid(&columns[keys[k]], row)) return true;
  return false;
}
