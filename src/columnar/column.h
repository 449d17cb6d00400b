/* Columns in Arrow's memory layout: what every layer above hands around.
 *
 * A column is a view: it borrows its buffers, which belong to an arena or a builder of somebody who
 * says so. Buffers are 8-byte aligned; bitmaps are least significant bit first and padded to whole
 * 64-bit words (the padding bits may hold anything). There is no slice offset: slicing a
 * fixed-width column moves the pointer, slicing bits copies them (column_slice). */
#ifndef NILO_COLUMNAR_COLUMN_H
#define NILO_COLUMNAR_COLUMN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct err;

/* How values lie in memory. Stored in formats: never renumbered. */
enum physical_type {
  PHYSICAL_BOOL = 1, /* a bit each */
  PHYSICAL_INT64 = 2,
  PHYSICAL_UINT64 = 3,
  PHYSICAL_FLOAT64 = 4, /* IEEE 754, every bit pattern kept */
  PHYSICAL_STRING = 5,  /* int32 offsets (length + 1 of them) and UTF-8 bytes */
  PHYSICAL_BYTES = 6,   /* the same, any bytes */
  PHYSICAL_INT32 = 7,   /* dictionary codes and small results; not a stored field type */
};
/* What they mean. Stored in formats: never renumbered. */
enum logical_type {
  LOGICAL_PLAIN = 0,
  LOGICAL_TIMESTAMP = 1, /* INT64; parameter: enum time_unit of base/time.h */
  LOGICAL_DECIMAL = 2,   /* BYTES of base/decimal.h: numeric, each value with a scale of its own */
  LOGICAL_JSON = 3,      /* STRING; parameter 0: the text as it came, 1: normal form (jsonb) */
  LOGICAL_DURATION = 4,  /* INT64; parameter: enum time_unit */
  LOGICAL_LIST_STRING = 5, /* BYTES: a list of strings (docs/format/element.md) */
  LOGICAL_LIST_INT64 = 6,  /* BYTES: a list of integers */
  /* SQL's other types. Integers and floats that are narrower than their values' place: whoever
   * computes them checks or rounds. */
  LOGICAL_INT16 = 7,     /* INT64 */
  LOGICAL_INT32 = 8,     /* INT64 */
  LOGICAL_REAL = 9,      /* FLOAT64 whose values are floats of 32 bits */
  LOGICAL_DATE = 10,     /* INT64: days since 1970-01-01 */
  LOGICAL_TIME = 11,     /* INT64: since midnight; parameter: enum time_unit */
  LOGICAL_LOCAL = 12,    /* INT64: timestamp without time zone; parameter: enum time_unit */
  LOGICAL_INTERVAL = 13, /* BYTES of base/interval.h */
  LOGICAL_UUID = 14,     /* BYTES: 16 of them */
  LOGICAL_ARRAY = 15,    /* BYTES of base/array.h; parameter: the items' type (type_array) */
  LOGICAL_UNKNOWN = 16,  /* STRING: a literal or parameter of no type yet; never in a plan */
};

/* A type descriptor, four bytes wherever it is stored. */
struct type {
  uint8_t physical;
  uint8_t logical;
  uint16_t parameter;
};
_Static_assert(sizeof(struct type) == 4, "a stored type descriptor is four bytes");

#define TYPE_BOOL            ((struct type){PHYSICAL_BOOL, 0, 0})
#define TYPE_INT64           ((struct type){PHYSICAL_INT64, 0, 0})
#define TYPE_UINT64          ((struct type){PHYSICAL_UINT64, 0, 0})
#define TYPE_FLOAT64         ((struct type){PHYSICAL_FLOAT64, 0, 0})
#define TYPE_STRING          ((struct type){PHYSICAL_STRING, 0, 0})
#define TYPE_BYTES           ((struct type){PHYSICAL_BYTES, 0, 0})
#define TYPE_LIST_STRING     ((struct type){PHYSICAL_BYTES, LOGICAL_LIST_STRING, 0})
#define TYPE_LIST_INT64      ((struct type){PHYSICAL_BYTES, LOGICAL_LIST_INT64, 0})
#define TYPE_TIMESTAMP(unit) ((struct type){PHYSICAL_INT64, LOGICAL_TIMESTAMP, (unit)})
#define TYPE_DECIMAL         ((struct type){PHYSICAL_BYTES, LOGICAL_DECIMAL, 0})
#define TYPE_JSON            ((struct type){PHYSICAL_STRING, LOGICAL_JSON, 0})
#define TYPE_JSONB           ((struct type){PHYSICAL_STRING, LOGICAL_JSON, 1})
#define TYPE_INT16           ((struct type){PHYSICAL_INT64, LOGICAL_INT16, 0})
#define TYPE_INT32           ((struct type){PHYSICAL_INT64, LOGICAL_INT32, 0})
#define TYPE_REAL            ((struct type){PHYSICAL_FLOAT64, LOGICAL_REAL, 0})
#define TYPE_DATE            ((struct type){PHYSICAL_INT64, LOGICAL_DATE, 0})
#define TYPE_TIME(unit)      ((struct type){PHYSICAL_INT64, LOGICAL_TIME, (unit)})
#define TYPE_LOCAL(unit)     ((struct type){PHYSICAL_INT64, LOGICAL_LOCAL, (unit)})
#define TYPE_INTERVAL        ((struct type){PHYSICAL_BYTES, LOGICAL_INTERVAL, 0})
#define TYPE_UUID            ((struct type){PHYSICAL_BYTES, LOGICAL_UUID, 0})
#define TYPE_UNKNOWN         ((struct type){PHYSICAL_STRING, LOGICAL_UNKNOWN, 0})

static inline bool type_equal(struct type a, struct type b) {
  return a.physical == b.physical && a.logical == b.logical && a.parameter == b.parameter;
}
/* Arrays of a type that is no array itself, and the type of an array's items. Stored: the item's
 * physical type in the low 4 bits of the parameter, its parameter in the next 4, then its logical
 * type. */
static inline struct type type_array(struct type item) {
  return (struct type){PHYSICAL_BYTES, LOGICAL_ARRAY,
                       (uint16_t)(item.physical | item.parameter << 4 | item.logical << 8)};
}
static inline struct type type_item(struct type array) {
  return (struct type){array.parameter & 15, (uint8_t)(array.parameter >> 8),
                       array.parameter >> 4 & 15};
}
/* "float", "integer", "unsigned", "boolean", "string", "bytes", "timestamp" …: the words of error
 * texts. */
const char *type_name(struct type type);
/* As SQL spells it: "bigint", "double precision", "timestamp with time zone"; an array is
 * "array". */
const char *type_sql_name(struct type type);
/* Bytes per value; 0 for bits and for strings. */
static inline unsigned type_width(struct type type) {
  return type.physical == PHYSICAL_INT32                                        ? 4
         : type.physical >= PHYSICAL_INT64 && type.physical <= PHYSICAL_FLOAT64 ? 8
                                                                                : 0;
}
static inline bool type_is_string(struct type type) {
  return type.physical == PHYSICAL_STRING || type.physical == PHYSICAL_BYTES;
}

struct column {
  struct type type;
  uint32_t null_count; /* rows whose validity bit is 0; 0 when validity is NULL */
  int64_t length;      /* rows */
  const uint64_t
      *validity; /* bit per row, 1: present; NULL: all present. Values of absent rows: anything */
  union {
    const void *values;
    const uint64_t *bits; /* BOOL */
    const int64_t *i64;
    const uint64_t *u64;
    const double *f64;
    const int32_t *i32;
    const int32_t *offsets; /* STRING, BYTES: length + 1, the first may be above 0 */
  };
  const char *data;                /* STRING, BYTES: what the offsets point into */
  const struct column *dictionary; /* not NULL: `i32` holds codes into it and `type` is INT32 */
  /* FLOAT64: 1 + k, where every value that is present is known to be the double nearest to m / 10^k
   * of an integer m, and none is -0.0; 0: nothing is known. Whoever changes values clears it. The
   * integers are got back exactly by number_decimal_of (base/number.h), unless they are huge. */
  uint8_t decimals;
};

/* A table of equally long columns. */
struct batch {
  int64_t length;
  uint32_t column_count;
  struct column *columns;
};

static inline bool bit_get(const uint64_t *bits, int64_t i) { return bits[i >> 6] >> (i & 63) & 1; }
static inline void bit_set(uint64_t *bits, int64_t i) { bits[i >> 6] |= UINT64_C(1) << (i & 63); }
static inline void bit_clear(uint64_t *bits, int64_t i) {
  bits[i >> 6] &= ~(UINT64_C(1) << (i & 63));
}
static inline size_t bit_words(int64_t length) { return (size_t)(length + 63) >> 6; }

static inline bool column_is_valid(const struct column *column, int64_t row) {
  return !column->validity || bit_get(column->validity, row);
}
static inline struct str column_str(const struct column *column, int64_t row) {
  return (struct str){column->data + column->offsets[row],
                      (size_t)(column->offsets[row + 1] - column->offsets[row])};
}

/* Rows [from, from + count) of a column. Fixed-width values and strings are borrowed; bits (values
 * of BOOL, validity) are shifted into `arena` unless from is a multiple of 64. ERR_NO_MEMORY,
 * ERR_MEMORY_LIMIT. */
int column_slice(const struct column *column, int64_t from, int64_t count, struct arena *arena,
                 struct column *slice, struct err *err);
/* Rows picked by index (each below length), copied into arena. */
int column_take(const struct column *column, const uint32_t *rows, int64_t count,
                struct arena *arena, struct column *taken, struct err *err);

#endif
