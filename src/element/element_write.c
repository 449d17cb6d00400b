/* Writing: arrays of the caller become rows of the store.
 *
 * Everything is checked before anything happens. Rows that stand in order already, the common case,
 * are handed on where they lie; the store packs them into a commit and copies nothing else. Rows
 * out of order are sorted by two stable passes of a radix sort, by key and then by series, so that
 * equal places keep the order of writing (W3, W4). Where the newest wins a commit has a place once,
 * so what a batch itself overwrites is folded here. */
#include <stdlib.h>

#include "base/bytes.h"
#include "element/element_private.h"
#include "kernel/sort.h"

uint32_t element_null_count(const uint64_t *present, size_t rows) {
  if (!present) return 0;
  size_t set = 0;
  for (size_t i = 0; i < rows / 64; i++)
    set += (size_t)__builtin_popcountll(present[i]);
  if (rows % 64)
    set += (size_t)__builtin_popcountll(present[rows / 64] & ~(~UINT64_C(0) << rows % 64));
  return (uint32_t)(rows - set);
}

/* ---- order ---- */

struct order {
  bool sorted; /* by (series, key) */
  bool unique; /* no place twice in a row */
};

static int probe_order(const struct element_rows *rows, struct order *order, struct err *err) {
  const uint64_t *series = rows->series;
  const int64_t *keys = rows->keys;
  *order = (struct order){.sorted = true, .unique = true};
  for (uint32_t i = 0; i < rows->rows; i++) {
    if (series[i] == 0) return err_set(err, ERR_INVALID_ARGUMENT, "element %u: series is 0", i);
    if (i == 0) continue;
    bool same = series[i] == series[i - 1];
    order->sorted &= series[i] > series[i - 1] || (same && keys[i] >= keys[i - 1]);
    order->unique &= !same || keys[i] != keys[i - 1];
  }
  return ERR_OK;
}

/* The rows in order, as indexes. by_key false: by series alone. */
static int sort_places(const struct element_rows *rows, bool by_key, struct arena *arena,
                       uint32_t **sorted, struct err *err) {
  size_t size = rows->rows * sizeof(struct sort_row);
  struct sort_row *places = arena_alloc(arena, size), *spare = arena_alloc(arena, size);
  uint32_t *order = arena_alloc(arena, rows->rows * sizeof *order);
  if (!places || !spare || !order) return mem_refused(arena->account, size, err);
  for (uint32_t i = 0; i < rows->rows; i++)
    places[i] = (struct sort_row){by_key ? sort_key_i64(rows->keys[i]) : 0, i};
  if (by_key) sort_rows(places, spare, rows->rows);
  for (uint32_t i = 0; i < rows->rows; i++)
    places[i].key = rows->series[places[i].row];
  sort_rows(places, spare, rows->rows);
  for (uint32_t i = 0; i < rows->rows; i++)
    order[i] = (uint32_t)places[i].row;
  *sorted = order;
  return ERR_OK;
}

/* Strict order: keys must not go back within a series, in the order given. */
static int check_strict(const struct element_rows *rows, const uint32_t *order, struct err *err) {
  for (uint32_t i = 1; i < rows->rows; i++) {
    uint32_t a = order[i - 1], b = order[i];
    if (rows->series[a] != rows->series[b] || rows->keys[a] <= rows->keys[b]) continue;
    int code = err_set(err, ERR_INVALID_ARGUMENT,
                       "element %u: key %lld goes back behind %lld of element %u in series %llu", b,
                       (long long)rows->keys[b], (long long)rows->keys[a], a,
                       (unsigned long long)rows->series[b]);
    err_hint(err, "sort the batch, or open the store without strict_order");
    return code;
  }
  return ERR_OK;
}

/* ---- picking rows ---- */

struct picked {
  struct element_rows rows;
  struct column data;
};

static int take_place(const struct element_rows *rows, const uint32_t *order, uint32_t count,
                      struct arena *arena, struct picked *out, struct err *err) {
  uint64_t *series = arena_alloc(arena, count * sizeof *series);
  int64_t *keys = arena_alloc(arena, count * sizeof *keys);
  out->rows = *rows;
  out->rows.columns = arena_alloc(arena, rows->column_count * sizeof *rows->columns);
  if (!series || !keys || !out->rows.columns)
    return mem_refused(arena->account, count * sizeof *series, err);
  for (uint32_t i = 0; i < count; i++) {
    series[i] = rows->series[order[i]];
    keys[i] = rows->keys[order[i]];
  }
  out->rows.rows = count;
  out->rows.series = series;
  out->rows.keys = keys;
  return ERR_OK;
}

static int take_rows(const struct element_rows *rows, const uint32_t *order, struct arena *arena,
                     struct picked *out, struct err *err) {
  int code = take_place(rows, order, rows->rows, arena, out, err);
  for (size_t i = 0; i < rows->column_count && !code; i++) {
    out->rows.columns[i].name = rows->columns[i].name;
    code = column_take(&rows->columns[i].column, order, rows->rows, arena,
                       &out->rows.columns[i].column, err);
  }
  if (!code && rows->data) {
    code = column_take(rows->data, order, rows->rows, arena, &out->data, err);
    out->rows.data = &out->data;
  }
  return code;
}

/* Per group of one place the newest row that has a value of the column, else the newest. `ends`:
 * where each group ends in `order`. */
static int take_newest(const struct column *column, const uint32_t *order, const uint32_t *ends,
                       uint32_t groups, bool by_column, uint32_t *chosen, struct arena *arena,
                       struct column *out, struct err *err) {
  for (uint32_t g = 0; g < groups; g++) {
    uint32_t begin = g ? ends[g - 1] : 0, at = ends[g] - 1;
    while (by_column && at > begin && !column_is_valid(column, order[at]))
      at--;
    chosen[g] = order[column_is_valid(column, order[at]) || !by_column ? at : ends[g] - 1];
  }
  return column_take(column, chosen, groups, arena, out, err);
}

static int fold_rows(const struct element_rows *rows, const uint32_t *order, bool by_column,
                     struct arena *arena, struct picked *out, struct err *err) {
  uint32_t *ends = arena_alloc(arena, rows->rows * sizeof *ends);
  uint32_t *chosen = arena_alloc(arena, rows->rows * sizeof *chosen);
  if (!ends || !chosen) return mem_refused(arena->account, rows->rows * sizeof *ends, err);
  uint32_t groups = 0;
  for (uint32_t i = 0; i < rows->rows; i++) {
    bool last = i + 1 == rows->rows || rows->series[order[i]] != rows->series[order[i + 1]] ||
                rows->keys[order[i]] != rows->keys[order[i + 1]];
    if (!last) continue;
    chosen[groups] = order[i];
    ends[groups++] = i + 1;
  }
  int code = take_place(rows, chosen, groups, arena, out, err);
  for (size_t i = 0; i < rows->column_count && !code; i++) {
    out->rows.columns[i].name = rows->columns[i].name;
    code = take_newest(&rows->columns[i].column, order, ends, groups, by_column, chosen, arena,
                       &out->rows.columns[i].column, err);
  }
  if (!code && rows->data) {
    code = take_newest(rows->data, order, ends, groups, by_column, chosen, arena, &out->data, err);
    out->rows.data = &out->data;
  }
  return code;
}

/* Brings rows into the order and shape that the store asks for; *out is `rows` where they are. */
static int arrange(const struct nilo_store *store, const struct element_rows *rows,
                   struct arena *arena, struct picked *out, struct err *err) {
  struct order order;
  bool newest = store->options.policy == NILO_STORE_NEWEST_COLUMN ||
                store->options.policy == NILO_STORE_NEWEST_ROW;
  uint32_t *sorted = NULL;
  out->rows = *rows;
  int code = probe_order(rows, &order, err);
  if (code || (order.sorted && (order.unique || !newest))) return code;
  bool strict = store->options.strict_order;
  if ((code = sort_places(rows, !strict, arena, &sorted, err))) return code;
  if (strict && (code = check_strict(rows, sorted, err))) return code;
  if (!newest) return take_rows(rows, sorted, arena, out, err);
  return fold_rows(rows, sorted, store->options.policy == NILO_STORE_NEWEST_COLUMN, arena, out,
                   err);
}

/* ---- submitting ---- */

struct used {
  struct element_tag *tag;
  const struct column *column;
};

static int by_id(const void *a, const void *b) {
  uint32_t x = ((const struct used *)a)->tag->id, y = ((const struct used *)b)->tag->id;
  return x < y ? -1 : x > y;
}

static int submit(struct nilo_store *store, const struct element_rows *rows, struct used *used,
                  size_t used_count, struct arena *arena, uint64_t *commit, struct err *err) {
  struct store_column *columns = arena_alloc(arena, (used_count + 1) * sizeof *columns);
  if (!columns) return mem_refused(arena->account, used_count * sizeof *columns, err);
  struct buffer note;
  buffer_init(&note, &store->account);
  if (used_count) {
    qsort(used, used_count, sizeof *used, by_id);
    element_note_begin(&note);
  }
  for (size_t i = 0; i < used_count; i++) {
    columns[i] = (struct store_column){used[i].tag->id, *used[i].column};
    element_note_append(&note, used[i].tag);
  }
  uint32_t column_count = (uint32_t)used_count;
  if (rows->data)
    columns[column_count++] = (struct store_column){STORE_COLUMN_PAYLOAD, *rows->data};
  struct store_rows out = {.store = ELEMENT_STORE,
                           .policy = element__policy(store),
                           .rows = rows->rows,
                           .series = rows->series,
                           .keys = rows->keys,
                           .columns = columns,
                           .column_count = column_count,
                           .note = buffer_str(&note)};
  int code = buffer_check(&note, err);
  if (!code) code = store_write(store->shard, &out, 1, commit, err);
  buffer_deinit(&note);
  return code;
}

int element_write(struct nilo_store *store, const struct element_rows *rows, struct arena *arena,
                  uint64_t *commit, struct err *err) {
  struct picked picked;
  int code = arrange(store, rows, arena, &picked, err);
  if (code) return code;
  struct used *used = arena_alloc(arena, (rows->column_count + 1) * sizeof *used);
  if (!used) return mem_refused(arena->account, rows->column_count * sizeof *used, err);
  size_t used_count = 0;
  for (size_t i = 0; i < rows->column_count && !code; i++) {
    const struct element_column *column = &picked.rows.columns[i];
    code = element_registry_use(&store->registry, column->name, column->column.type,
                                &used[used_count].tag, err);
    if (!code) used[used_count++].column = &column->column;
  }
  if (!code) code = submit(store, &picked.rows, used, used_count, arena, commit, err);
  for (size_t i = 0; i < used_count; i++)
    element_registry_settle(&store->registry, used[i].tag, !code);
  return code;
}

/* ---- arrays of the caller ---- */

static bool offsets_ascend(const int32_t *offsets, size_t count) {
  bool good = offsets[0] >= 0;
  for (size_t i = 0; i < count; i++)
    good &= offsets[i + 1] >= offsets[i];
  return good;
}

static int bad_column(const struct nilo_store_column *column, const char *what, struct err *err) {
  return err_set(err, ERR_INVALID_ARGUMENT, "column \"%.100s\": %s", column->name, what);
}

/* A list column as bytes. */
static int encode_lists(const struct nilo_store_column *in, size_t rows, struct arena *arena,
                        struct column *out, struct err *err) {
  if (!in->list_offsets || !offsets_ascend(in->list_offsets, rows))
    return bad_column(in, "list_offsets are missing or do not ascend", err);
  int32_t items = in->list_offsets[rows];
  bool strings = in->type == NILO_STORE_STRING_LIST;
  if (items &&
      (strings ? !in->offsets || !offsets_ascend(in->offsets, (size_t)items) : !in->values))
    return bad_column(in, strings ? "offsets are missing or do not ascend" : "values are missing",
                      err);
  if (strings && items && !in->data && in->offsets[items])
    return bad_column(in, "data is missing", err);
  struct buffer bytes;
  buffer_init(&bytes, arena->account);
  int code = ERR_OK;
  int32_t *offsets = arena_alloc(arena, (rows + 1) * sizeof *offsets);
  if (!offsets) return mem_refused(arena->account, (rows + 1) * sizeof *offsets, err);
  for (size_t row = 0; row < rows && !code; row++) {
    offsets[row] = (int32_t)bytes.size;
    int32_t from = in->list_offsets[row], to = in->list_offsets[row + 1];
    if (to - from > ELEMENT_LIST_ITEMS_MAX)
      code = err_set(err, ERR_LIMIT_EXCEEDED, "element %zu: a list of %d items, at most %d", row,
                     to - from, ELEMENT_LIST_ITEMS_MAX);
    else if (strings)
      for (int32_t i = from; i < to; i++)
        buffer_append_sized(&bytes, str_of((const char *)in->data + in->offsets[i],
                                           (size_t)(in->offsets[i + 1] - in->offsets[i])));
    else if (to > from)
      buffer_append(&bytes, (const int64_t *)in->values + from, (size_t)(to - from) * 8);
    if (!code && bytes.size > INT32_MAX)
      code = err_set(err, ERR_LIMIT_EXCEEDED, "column \"%.100s\" has over 2 GiB", in->name);
  }
  offsets[rows] = (int32_t)bytes.size;
  if (!code) code = buffer_check(&bytes, err);
  struct str copy = {"", 0};
  if (!code && bytes.size && !(copy = arena_copy(arena, buffer_str(&bytes))).data)
    code = mem_refused(arena->account, bytes.size, err);
  buffer_deinit(&bytes);
  out->offsets = offsets;
  out->data = copy.data;
  return code;
}

static int convert_column(const struct nilo_store_column *in, size_t rows, struct arena *arena,
                          struct element_column *out, struct err *err) {
  if (!in->name || !*in->name) return err_set(err, ERR_INVALID_ARGUMENT, "a column without a name");
  out->name = str_from(in->name);
  struct type type = element_column_type(in->type);
  if (!type.physical)
    return err_set(err, ERR_INVALID_ARGUMENT, "column \"%.100s\": %d is no type", in->name,
                   (int)in->type);
  uint32_t nulls = element_null_count(in->present, rows);
  out->column = (struct column){.type = type,
                                .null_count = nulls,
                                .length = (int64_t)rows,
                                .validity = nulls ? in->present : NULL};
  if (type.logical) return encode_lists(in, rows, arena, &out->column, err);
  if (type_is_string(type)) {
    if (!in->offsets || !offsets_ascend(in->offsets, rows))
      return bad_column(in, "offsets are missing or do not ascend", err);
    out->column.offsets = in->offsets;
    out->column.data = in->data ? in->data : "";
    return in->data || in->offsets[rows] == 0 ? ERR_OK : bad_column(in, "data is missing", err);
  }
  out->column.values = in->values;
  return in->values ? ERR_OK : bad_column(in, "values are missing", err);
}

static int convert_data(const struct nilo_store *store, const struct nilo_store_rows *in,
                        struct column *out, struct err *err) {
  uint32_t nulls = element_null_count(in->data_present, in->rows);
  if (!offsets_ascend(in->data_offsets, in->rows) || (!in->data && in->data_offsets[in->rows]))
    return err_set(err, ERR_INVALID_ARGUMENT, "data: offsets do not ascend, or no bytes");
  *out = (struct column){.type = TYPE_BYTES,
                         .null_count = nulls,
                         .length = (int64_t)in->rows,
                         .validity = nulls ? in->data_present : NULL,
                         .offsets = in->data_offsets,
                         .data = in->data ? in->data : ""};
  for (size_t i = 0; store->options.payload_required && i < in->rows; i++)
    if (in->data_offsets[i] == in->data_offsets[i + 1] || !column_is_valid(out, (int64_t)i))
      return err_set(err, ERR_INVALID_ARGUMENT, "element %zu: data is missing or empty", i);
  return ERR_OK;
}

static int check_distinct(const struct element_column *columns, size_t count,
                          struct mem_account *account, struct err *err) {
  struct str_table seen;
  str_table_init(&seen, account, false, 0);
  int code = ERR_OK;
  for (size_t i = 0; i < count && !code; i++) {
    bool is_new;
    if (!str_table_insert(&seen, columns[i].name, &is_new))
      code = mem_refused(account, count * sizeof(struct str_table_slot), err);
    else if (!is_new)
      code =
          err_set(err, ERR_INVALID_ARGUMENT, "tag \"%.100s\" stands twice", columns[i].name.data);
  }
  str_table_deinit(&seen);
  return code;
}

static int write_arrays(struct nilo_store *store, const struct nilo_store_rows *in,
                        struct arena *arena, uint64_t *commit, struct err *err) {
  if (in->rows > INT32_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "%zu elements in one batch", in->rows);
  if (!in->series || !in->keys)
    return err_set(err, ERR_INVALID_ARGUMENT, "%s: missing", in->series ? "keys" : "series");
  if (in->column_count > UINT16_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "%zu columns in one batch", in->column_count);
  if (!in->columns && in->column_count)
    return err_set(err, ERR_INVALID_ARGUMENT, "columns: %zu at no place", in->column_count);
  if (!in->data_offsets && store->options.payload_required)
    return err_set(err, ERR_INVALID_ARGUMENT, "element 0: data is missing or empty");
  struct element_column *columns = ARENA_ARRAY(arena, struct element_column, in->column_count + 1);
  if (!columns) return mem_refused(arena->account, in->column_count * sizeof *columns, err);
  struct column data;
  int code = in->data_offsets ? convert_data(store, in, &data, err) : ERR_OK;
  for (size_t i = 0; i < in->column_count && !code; i++)
    code = convert_column(&in->columns[i], in->rows, arena, &columns[i], err);
  if (!code) code = check_distinct(columns, in->column_count, &store->account, err);
  struct element_rows rows = {.rows = (uint32_t)in->rows,
                              .series = in->series,
                              .keys = in->keys,
                              .data = in->data_offsets ? &data : NULL,
                              .columns = columns,
                              .column_count = in->column_count};
  return code ? code : element_write(store, &rows, arena, commit, err);
}

int nilo_store_write(struct nilo_store *store, const struct nilo_store_rows *rows, uint64_t *commit,
                     struct nilo_error *error) {
  struct err err;
  struct arena arena;
  err_reset(&err);
  if (commit) *commit = 0;
  if (rows->rows == 0) return NILO_OK;
  arena_init(&arena, &store->account, 4096);
  int code = write_arrays(store, rows, &arena, commit, &err);
  arena_deinit(&arena);
  return code ? element_fail(&err, error) : NILO_OK;
}
