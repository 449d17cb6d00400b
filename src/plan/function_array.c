/* SQL's functions of arrays: arrays of one dimension (base/array.h) of any type, whose items are
 * compared as their type is (plan/value_text.h). Positions count from 1. */
#include "base/array.h"
#include "base/bytes.h"
#include "base/datetime.h"
#include "plan/function_rows.h"
#include "plan/value_text.h"

static int open_array(struct function_row *at, uint32_t i, struct array *array) {
  return plan_array_open(row_text(at, i), row_type(at, i), array, at->err);
}
static struct plan_value item_of(const struct function_row *at, uint32_t argument,
                                 const struct array *array, uint32_t i) {
  return plan_array_item(array, type_item(row_type(at, argument)), i);
}
/* An argument as a value; null where it is. */
static struct plan_value argument(const struct function_row *at, uint32_t i) {
  return vector_value(at->call->arguments[i], at->row);
}
static struct array_builder begin(const struct function_row *at) {
  struct array_builder builder;
  array_builder_init(&builder, plan_array_items(type_item(at->call->result->type)),
                     at->call->scratch->account);
  return builder;
}
/* The built array as the result, unless there was an error. */
static int give_array(struct function_row *at, struct array_builder *builder, int code) {
  struct str stored;
  if (!code) code = plan_array_finish(builder, at->call->scratch, &stored, at->err);
  array_builder_deinit(builder);
  return code ? code : row_give(at, stored);
}
static bool same(const struct plan_value *a, const struct plan_value *b) {
  if (a->null || b->null) return a->null && b->null;
  return plan_value_order(a, b) == 0;
}
static void add_all(struct function_row *at, uint32_t i, const struct array *array,
                    struct array_builder *builder) {
  for (uint32_t k = 0; k < array->count; k++) {
    struct plan_value item = item_of(at, i, array, k);
    plan_array_add(builder, &item);
  }
}

/* ---- making ---- */

static int make(struct function_row *at) {
  struct array_builder builder = begin(at);
  for (uint32_t i = 0; i < row_arguments(at); i++) {
    struct plan_value item = argument(at, i);
    plan_array_add(&builder, &item);
  }
  return give_array(at, &builder, ERR_OK);
}

/* An array and an item, an item and an array, two arrays: null arrays are empty ones. */
static int join(struct function_row *at) {
  struct array_builder builder = begin(at);
  struct type whole = at->call->result->type;
  int code = ERR_OK;
  if (row_function(at) == FUNCTION_ARRAY_CAT && row_is_null(at, 0) && row_is_null(at, 1)) {
    array_builder_deinit(&builder);
    return row_give_null(at);
  }
  for (uint32_t i = 0; i < 2 && !code; i++) {
    struct array array;
    bool is_array = row_function(at) == FUNCTION_ARRAY_CAT ||
                    (row_function(at) == FUNCTION_ARRAY_APPEND) == (i == 0);
    if (is_array && row_is_null(at, i)) continue;
    if (is_array) {
      code = plan_array_open(row_text(at, i), whole, &array, at->err);
      if (!code) add_all(at, i, &array, &builder);
    } else {
      struct plan_value item = argument(at, i);
      plan_array_add(&builder, &item);
    }
  }
  return give_array(at, &builder, code);
}

/* array, item[, replacement]: without the equal items, or with others in their places. */
static int replace(struct function_row *at) {
  struct array array;
  if (row_is_null(at, 0)) return row_give_null(at);
  struct plan_value wanted = argument(at, 1);
  int code = open_array(at, 0, &array);
  if (code) return code;
  struct array_builder builder = begin(at);
  for (uint32_t i = 0; i < array.count; i++) {
    struct plan_value item = item_of(at, 0, &array, i);
    bool equal = same(&item, &wanted);
    if (equal && row_function(at) == FUNCTION_ARRAY_REMOVE) continue;
    if (equal) item = argument(at, 2);
    plan_array_add(&builder, &item);
  }
  return give_array(at, &builder, ERR_OK);
}

/* ---- what can be told ---- */

static int length(struct function_row *at) {
  struct array array;
  int code = open_array(at, 0, &array);
  if (code) return code;
  if (row_function(at) == FUNCTION_CARDINALITY) return row_give_i64(at, array.count);
  bool none = array.count == 0 || (row_arguments(at) > 1 && row_i64(at, 1) != 1);
  if (none) return row_give_null(at);
  bool lower = row_function(at) == FUNCTION_ARRAY_LOWER;
  return row_give_i64(at, lower ? 1 : array.count);
}

static int position(struct function_row *at) {
  struct array array;
  if (row_is_null(at, 0)) return row_give_null(at);
  int64_t from = row_arguments(at) > 2 && !row_is_null(at, 2) ? row_i64(at, 2) : 1;
  struct plan_value wanted = argument(at, 1);
  int code = open_array(at, 0, &array);
  if (code) return code;
  bool all = row_function(at) == FUNCTION_ARRAY_POSITIONS;
  struct array_builder builder;
  if (all) builder = begin(at);
  for (uint32_t i = from > 1 ? (uint32_t)(from - 1) : 0; i < array.count; i++) {
    struct plan_value item = item_of(at, 0, &array, i);
    if (!same(&item, &wanted)) continue;
    if (!all) return row_give_i64(at, (int64_t)i + 1);
    array_add_word(&builder, i + 1);
  }
  return all ? give_array(at, &builder, ERR_OK) : row_give_null(at);
}

static bool has(const struct function_row *at, uint32_t i, const struct array *array,
                const struct plan_value *wanted) {
  for (uint32_t k = 0; k < array->count && !wanted->null; k++) {
    struct plan_value item = item_of(at, i, array, k);
    if (!item.null && plan_value_order(&item, wanted) == 0) return true;
  }
  return false;
}

/* a @> b: all items of b are among those of a; a && b: one is. */
static int compare(struct function_row *at) {
  struct array a, b;
  int code = open_array(at, 0, &a);
  if (!code) code = open_array(at, 1, &b);
  if (code) return code;
  bool all = row_function(at) == FUNCTION_ARRAY_CONTAINS;
  for (uint32_t i = 0; i < b.count; i++) {
    struct plan_value item = item_of(at, 1, &b, i);
    if (has(at, 0, &a, &item) != all) return row_give_bool(at, !all);
  }
  return row_give_bool(at, all);
}

static int item(struct function_row *at) {
  struct array array;
  int64_t index = row_i64(at, 1);
  int code = open_array(at, 0, &array);
  if (code) return code;
  if (index < 1 || index > array.count) return row_give_null(at);
  struct plan_value value = item_of(at, 0, &array, (uint32_t)index - 1);
  return row_give_value(at, &value);
}

/* A bound that is null is open. */
static int slice(struct function_row *at) {
  struct array array;
  if (row_is_null(at, 0)) return row_give_null(at);
  int code = open_array(at, 0, &array);
  if (code) return code;
  int64_t from = row_is_null(at, 1) ? 1 : row_i64(at, 1);
  int64_t to = row_is_null(at, 2) ? array.count : row_i64(at, 2);
  struct array_builder builder = begin(at);
  for (int64_t i = from < 1 ? 1 : from; i <= to && i <= array.count; i++) {
    struct plan_value value = item_of(at, 0, &array, (uint32_t)i - 1);
    plan_array_add(&builder, &value);
  }
  return give_array(at, &builder, ERR_OK);
}

/* ---- texts ---- */

/* array, separator[, text of nulls] */
static int to_text(struct function_row *at) {
  struct array array;
  if (row_is_null(at, 0) || row_is_null(at, 1)) return row_give_null(at);
  bool nulls = row_arguments(at) > 2 && !row_is_null(at, 2);
  int code = open_array(at, 0, &array);
  struct buffer out = row_buffer_of(at);
  bool any = false;
  for (uint32_t i = 0; i < array.count && !code; i++) {
    struct plan_value value = item_of(at, 0, &array, i);
    if (value.null && !nulls) continue;
    if (any) buffer_append_str(&out, row_text(at, 1));
    any = true;
    if (value.null)
      buffer_append_str(&out, row_text(at, 2));
    else
      code = plan_value_print(&value, at->call->expr->compiled, &out, at->err);
  }
  if (!code) return row_give_buffer(at, &out);
  buffer_deinit(&out);
  return code;
}

static void add_piece(struct function_row *at, struct array_builder *builder, struct str piece) {
  bool null = row_arguments(at) > 2 && !row_is_null(at, 2) && str_equal(piece, row_text(at, 2));
  if (null)
    array_add_null(builder);
  else
    array_add_bytes(builder, piece.data ? piece : STR(""));
}

/* text, separator (null: characters)[, text of nulls] */
static int of_text(struct function_row *at) {
  if (row_is_null(at, 0)) return row_give_null(at);
  struct str text = row_text(at, 0);
  struct array_builder builder = begin(at);
  struct str separator = row_is_null(at, 1) ? STR("") : row_text(at, 1);
  if (row_is_null(at, 1)) {
    for (size_t i = 0, size; i < text.size; i += size) {
      size = plan__char_size(text, i);
      add_piece(at, &builder, str_part(text, i, i + size));
    }
  } else if (text.size) {
    size_t from = 0, end;
    while (separator.size && (end = plan__text_find(text, separator, from)) != SIZE_MAX) {
      add_piece(at, &builder, str_part(text, from, end));
      from = end + separator.size;
    }
    add_piece(at, &builder, str_part(text, from, text.size));
  }
  return give_array(at, &builder, ERR_OK);
}

/* ---- generate_series ---- */

enum { SERIES_MAX = 50000000 };

static int series_fault(struct function_row *at, int code) {
  if (code == ERR_LIMIT_EXCEEDED)
    return err_set(at->err, code, "generate_series() gives more than %d rows", SERIES_MAX);
  return err_set(at->err, code, "step size cannot equal zero");
}

static int series(struct function_row *at) {
  int64_t value = row_i64(at, 0), end = row_i64(at, 1);
  int64_t step = row_arguments(at) > 2 ? row_i64(at, 2) : 1;
  if (step == 0) return series_fault(at, ERR_INVALID_ARGUMENT);
  struct array_builder builder = begin(at);
  int code = ERR_OK;
  while (!code && (step > 0 ? value <= end : value >= end)) {
    if (builder.count == SERIES_MAX) code = series_fault(at, ERR_LIMIT_EXCEEDED);
    array_add_word(&builder, (uint64_t)value);
    if (__builtin_add_overflow(value, step, &value)) break;
  }
  return give_array(at, &builder, code);
}

static int series_of_times(struct function_row *at) {
  struct type type = row_type(at, 0);
  enum time_unit unit = (enum time_unit)type.parameter;
  int64_t value = row_i64(at, 0), end = row_i64(at, 1);
  struct datetime_zone zone = datetime_zone_of(at->call->expr->compiled);
  struct interval step, none = {0};
  if (!interval_load(row_text(at, 2), &step))
    return err_set(at->err, ERR_CORRUPTION, "a stored interval is damaged");
  int direction = interval_compare(&step, &none), code = ERR_OK;
  if (direction == 0) return series_fault(at, ERR_INVALID_ARGUMENT);
  struct array_builder builder = begin(at);
  while (!code && (direction > 0 ? value <= end : value >= end)) {
    if (builder.count == SERIES_MAX) code = series_fault(at, ERR_LIMIT_EXCEEDED);
    array_add_word(&builder, (uint64_t)value);
    if (!code)
      code = datetime_add(value, unit, type.logical == LOGICAL_TIMESTAMP ? &zone : NULL, &step,
                          &value, at->err);
  }
  return give_array(at, &builder, code);
}

/* ---- what aggregates give ---- */

/* A list (docs/format/element.md) as an array: of words, or of bytes. */
static int of_list(struct function_row *at) {
  struct str list = row_text(at, 0);
  struct array_builder builder = begin(at);
  int code = ERR_OK;
  if (row_type(at, 0).logical == LOGICAL_LIST_INT64) {
    for (size_t i = 0; i + 8 <= list.size; i += 8)
      array_add_word(&builder, (uint64_t)load_i64(list.data + i));
    return give_array(at, &builder, code);
  }
  struct reader reader = reader_of(list.data, list.size);
  while (reader_left(&reader) && !code) {
    struct str text = reader_sized(&reader);
    if (reader.failed) code = err_set(at->err, ERR_CORRUPTION, "a list is damaged");
    array_add_bytes(&builder, text.size ? text : STR(""));
  }
  return give_array(at, &builder, code);
}

/* A double's bits as an integer, for lists of integers. */
static int bits_of(struct function_row *at) { return row_give_i64(at, row_i64(at, 0)); }

static function_of_row *const functions[FUNCTION_COUNT] = {
    [FUNCTION_ARRAY_MAKE] = make,
    [FUNCTION_ARRAY_APPEND] = join,
    [FUNCTION_ARRAY_PREPEND] = join,
    [FUNCTION_ARRAY_CAT] = join,
    [FUNCTION_ARRAY_REMOVE] = replace,
    [FUNCTION_ARRAY_REPLACE] = replace,
    [FUNCTION_ARRAY_LENGTH] = length,
    [FUNCTION_ARRAY_LOWER] = length,
    [FUNCTION_CARDINALITY] = length,
    [FUNCTION_ARRAY_POSITION] = position,
    [FUNCTION_ARRAY_POSITIONS] = position,
    [FUNCTION_ARRAY_CONTAINS] = compare,
    [FUNCTION_ARRAY_OVERLAPS] = compare,
    [FUNCTION_ARRAY_ITEM] = item,
    [FUNCTION_ARRAY_SLICE] = slice,
    [FUNCTION_ARRAY_TO_STRING] = to_text,
    [FUNCTION_STRING_TO_ARRAY] = of_text,
    [FUNCTION_ARRAY_OF_LIST] = of_list,
    [FUNCTION_FLOAT_BITS] = bits_of,
    [FUNCTION_SERIES] = series,
    [FUNCTION_SERIES_OF_TIMES] = series_of_times,
};

int plan__run_array(struct plan_call *call, const uint64_t *rows, struct err *err) {
  return plan__each_row(call, rows, functions[call->expr->function], err);
}
