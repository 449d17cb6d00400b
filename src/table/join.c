/* The join: the rows of one table over all pieces become sorted columns.
 *
 * In piece order, so that what a body says depends on its lines only and not on how it was cut:
 * tags, fields and series that are new are made here, and the first use fixes a new field's type;
 * rows whose shape has a field of another type are rejected with their lines. Then rows are
 * ordered, rows of equal series and time are folded (later lines win field by field), and cells are
 * copied straight to their places in the columns. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "table/table_private.h"

/* What one piece's shape becomes: the answer's column per cell, or the error that rejects its rows.
 */
struct shape_plan {
  const uint32_t *columns;
  const struct err *conflict;
};
/* A column of the answer while it is filled. */
struct target {
  uint32_t id;
  struct type type;
  uint32_t rows; /* with a value, before folding: all of them means no validity is needed */
  uint64_t *cells;
  uint64_t *validity;
};
struct join {
  struct table_write *write;
  struct arena *arena;
  const struct join_input *inputs;
  uint32_t input_count;
  struct catalog_table *table;
  struct series_index *index;
  struct target *targets;
  uint32_t target_count, target_capacity;
  struct u64_table target_of; /* column id -> index + 1 */
  struct shape_plan **plans;  /* per input, per shape */
  uint32_t rows;
  const struct table_row **row; /* in line order */
  const uint32_t **row_columns;
  uint32_t *row_cells;
  uint64_t *series;
  int64_t *times;
};

static int refused(const struct join *join, size_t size, struct err *err) {
  return mem_refused(join->arena->account, size, err);
}

/* ---- fields ---- */

/* The answer's column for a catalog column. */
static int target_of(struct join *join, const struct catalog_column *column, uint32_t *index,
                     struct err *err) {
  uint64_t *slot = u64_table_insert(&join->target_of, column->id, NULL);
  if (!slot) return refused(join, sizeof *join->targets, err);
  if (*slot == 0) {
    if (join->target_count == join->target_capacity) {
      uint32_t capacity = join->target_capacity ? join->target_capacity * 2 : 16;
      struct target *grown = ARENA_ARRAY(join->arena, struct target, capacity);
      if (!grown) return refused(join, capacity * sizeof *grown, err);
      if (join->target_count) memcpy(grown, join->targets, join->target_count * sizeof *grown);
      join->targets = grown;
      join->target_capacity = capacity;
    }
    join->targets[join->target_count] = (struct target){.id = column->id, .type = column->type};
    *slot = ++join->target_count;
  }
  *index = (uint32_t)*slot - 1;
  return ERR_OK;
}

/* Resolves the fields of one input: per field its column in the answer or a conflict. */
static int plan_fields(struct join *join, const struct rows *rows, uint32_t *columns,
                       const struct err **conflicts, struct err *err) {
  for (uint32_t f = 0; f < rows->public.field_count; f++) {
    const struct table_field *field = &rows->public.fields[f];
    const struct catalog_column *column;
    struct err conflict;
    err_reset(&conflict);
    column = field->column_id ? catalog_column_by_id(join->table, field->column_id) : NULL;
    int code = column ? ERR_OK
                      : catalog_column_ensure(join->table, COLUMN_FIELD, field->name, field->type,
                                              &column, &conflict);
    conflicts[f] = NULL;
    if (code && err_info(code)->class == ERR_CLASS_VALIDATION) {
      struct err *copy = ARENA_NEW(join->arena, struct err);
      if (!copy) return refused(join, sizeof *copy, err);
      *copy = conflict;
      conflicts[f] = copy;
      continue;
    }
    if (code && err) *err = conflict;
    if (!code) code = target_of(join, column, &columns[f], err);
    if (code) return code;
  }
  return ERR_OK;
}

static int plan_shapes(struct join *join, uint32_t input, struct err *err) {
  const struct rows *rows = join->inputs[input].rows;
  uint32_t *columns = ARENA_ARRAY(join->arena, uint32_t, rows->public.field_count + 1);
  const struct err **conflicts =
      ARENA_ARRAY(join->arena, const struct err *, rows->public.field_count + 1);
  struct shape_plan *plans = ARENA_ARRAY(join->arena, struct shape_plan, rows->shape_count + 1);
  if (!columns || !conflicts || !plans)
    return refused(join, rows->shape_count * sizeof *plans, err);
  int code = plan_fields(join, rows, columns, conflicts, err);
  for (uint32_t s = 0; s < rows->shape_count && !code; s++) {
    const struct shape *shape = &rows->shapes[s];
    uint32_t *to = ARENA_ARRAY(join->arena, uint32_t, shape->count + 1);
    if (!to) return refused(join, shape->count * 4, err);
    for (uint32_t c = 0; c < shape->count; c++) {
      to[c] = columns[shape->fields[c]];
      if (!plans[s].conflict) plans[s].conflict = conflicts[shape->fields[c]];
    }
    plans[s].columns = to;
  }
  join->plans[input] = plans;
  return code;
}

/* ---- series ---- */

struct tag_list {
  struct id_value {
    uint32_t column;
    struct str value;
  } * tags;
  uint32_t count, capacity;
};

static int id_value_order(const void *a, const void *b) {
  const struct id_value *x = a, *y = b;
  return (x->column > y->column) - (x->column < y->column);
}

/* Canonical bytes of a raw tag set; its new tags become columns. */
static int canonical_tags(struct join *join, struct str raw, struct tag_list *list,
                          struct buffer *out, struct err *err) {
  struct reader reader = reader_of(raw.data, raw.size);
  list->count = 0;
  while (reader_left(&reader)) {
    struct str name = reader_sized(&reader), value = reader_sized(&reader);
    const struct catalog_column *column;
    int code = catalog_column_ensure(join->table, COLUMN_TAG, name, TYPE_STRING, &column, err);
    if (code) return code;
    if (list->count == list->capacity) {
      uint32_t capacity = list->capacity ? list->capacity * 2 : 16;
      struct id_value *grown = ARENA_ARRAY(join->arena, struct id_value, capacity);
      if (!grown) return refused(join, capacity * sizeof *grown, err);
      if (list->count) memcpy(grown, list->tags, list->count * sizeof *grown);
      list->tags = grown;
      list->capacity = capacity;
    }
    list->tags[list->count++] = (struct id_value){column->id, value};
  }
  if (list->count > 1) qsort(list->tags, list->count, sizeof *list->tags, id_value_order);
  buffer_reset(out);
  for (uint32_t i = 0; i < list->count; i++) {
    buffer_append_varint(out, list->tags[i].column);
    buffer_append_sized(out, list->tags[i].value);
  }
  return buffer_check(out, err);
}

/* Ids for the new tag sets that some kept row uses. */
static int resolve_series(struct join *join, const struct rows *rows, uint64_t *ids,
                          const uint8_t *used, struct err *err) {
  struct tag_list list = {NULL, 0, 0};
  struct buffer tags;
  buffer_init(&tags, &join->write->account);
  int code = ERR_OK;
  for (uint32_t i = 0; i < rows->new_count && !code; i++) {
    if (!used[i]) continue;
    code = canonical_tags(join, rows->new_tags[i], &list, &tags, err);
    if (!code) code = series_ensure(join->index, buffer_str(&tags), &ids[i], err);
  }
  buffer_deinit(&tags);
  return code;
}

/* ---- rows ---- */

/* Takes one input's rows: rejects what conflicts, notes the rest in line order. */
static int take_rows(struct join *join, uint32_t input, struct err *err) {
  struct table_piece *piece = join->inputs[input].piece;
  const struct rows *rows = join->inputs[input].rows;
  uint64_t *ids = ARENA_ARRAY(join->arena, uint64_t, rows->new_count + 1);
  uint8_t *used = arena_alloc_zero(join->arena, rows->new_count + 1);
  if (!ids || !used) return refused(join, rows->new_count * 9, err);
  uint32_t from = join->rows;
  for (const struct row_chunk *chunk = rows->first; chunk; chunk = chunk->next) {
    for (uint32_t at = 0; at < chunk->used;) {
      const struct table_row *row = (const struct table_row *)(const void *)(chunk->bytes + at);
      const struct shape *shape = &rows->shapes[row->shape];
      const struct shape_plan *plan = &join->plans[input][row->shape];
      at += shape->row_size;
      if (plan->conflict) {
        table_piece_reject(piece, row->line, plan->conflict);
        continue;
      }
      uint32_t i = join->rows++;
      join->row[i] = row;
      join->row_columns[i] = plan->columns;
      join->row_cells[i] = shape->count;
      join->series[i] = row->series;
      join->times[i] = row->time;
      if (row->series & TABLE_SERIES_NEW) used[row->series & ~TABLE_SERIES_NEW] = 1;
    }
  }
  int code = rows->new_count ? resolve_series(join, rows, ids, used, err) : ERR_OK;
  for (uint32_t i = from; i < join->rows && rows->new_count && !code; i++)
    if (join->series[i] & TABLE_SERIES_NEW)
      join->series[i] = ids[join->series[i] & ~TABLE_SERIES_NEW];
  return code;
}

/* ---- columns ---- */

/* Where each row (in order) goes: equal (series, time) share a place. Returns the number of places.
 */
static uint32_t fold(const struct join *join, const uint32_t *order, uint32_t *places,
                     uint64_t *series, int64_t *times) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < join->rows; i++) {
    uint32_t from = order ? order[i] : i;
    if (n == 0 || series[n - 1] != join->series[from] || times[n - 1] != join->times[from]) {
      series[n] = join->series[from];
      times[n] = join->times[from];
      n++;
    }
    places[i] = n - 1;
  }
  return n;
}

static int make_targets(struct join *join, uint32_t rows, struct err *err) {
  for (uint32_t i = 0; i < join->rows; i++)
    for (uint32_t c = 0; c < join->row_cells[i]; c++)
      join->targets[join->row_columns[i][c]].rows++;
  for (uint32_t t = 0; t < join->target_count; t++) {
    struct target *target = &join->targets[t];
    if (target->rows == 0) continue;
    target->cells = arena_alloc(join->arena, rows * sizeof *target->cells);
    /* All rows have it, or it needs a bitmap. (A row has a field once, so the count can't mislead.)
     */
    if (target->rows != join->rows)
      target->validity = ARENA_ARRAY(join->arena, uint64_t, bit_words(rows));
    if (!target->cells || (target->rows != join->rows && !target->validity))
      return refused(join, rows * 8, err);
    if (target->validity) memset(target->cells, 0, rows * sizeof *target->cells);
  }
  return ERR_OK;
}

static void fill_targets(struct join *join, const uint32_t *order, const uint32_t *places) {
  struct target *targets = join->targets;
  for (uint32_t i = 0; i < join->rows; i++) {
    uint32_t from = order ? order[i] : i, place = places[i], cells = join->row_cells[from];
    const struct table_row *row = join->row[from];
    const uint32_t *columns = join->row_columns[from];
    for (uint32_t c = 0; c < cells; c++) {
      struct target *target = &targets[columns[c]];
      target->cells[place] = row->cells[c];
      if (target->validity) bit_set(target->validity, place);
    }
  }
}

/* Cells that are addresses of strings become offsets and bytes. */
static int string_column(struct join *join, const struct target *target, uint32_t rows,
                         struct column *column, struct err *err) {
  size_t size = 0;
  int32_t *offsets = ARENA_ARRAY(join->arena, int32_t, (size_t)rows + 1);
  if (!offsets) return refused(join, rows * 4, err);
  for (uint32_t i = 0; i < rows; i++) {
    const struct str *text = (const struct str *)(uintptr_t)target->cells[i];
    size += text ? text->size : 0;
    if (size > INT32_MAX)
      return err_set(err, ERR_LIMIT_EXCEEDED, "the strings of one field in one request pass 2 GiB");
    offsets[i + 1] = (int32_t)size;
  }
  char *data = arena_alloc(join->arena, size);
  if (!data) return refused(join, size, err);
  for (uint32_t i = 0; i < rows; i++) {
    const struct str *text = (const struct str *)(uintptr_t)target->cells[i];
    if (text && text->size) memcpy(data + offsets[i], text->data, text->size);
  }
  column->offsets = offsets;
  column->data = data;
  return ERR_OK;
}

static int finish_column(struct join *join, const struct target *target, uint32_t rows,
                         struct column *column, struct err *err) {
  uint32_t present = 0;
  for (size_t w = 0; target->validity && w < bit_words(rows); w++)
    present += (uint32_t)__builtin_popcountll(target->validity[w]);
  *column =
      (struct column){.type = target->type,
                      .length = rows,
                      .null_count = target->validity ? rows - present : 0,
                      .validity = target->validity && present < rows ? target->validity : NULL,
                      .values = target->cells};
  if (type_is_string(target->type)) return string_column(join, target, rows, column, err);
  if (target->type.physical != PHYSICAL_BOOL) return ERR_OK;
  uint64_t *bits = ARENA_ARRAY(join->arena, uint64_t, bit_words(rows));
  if (!bits) return refused(join, rows / 8, err);
  for (uint32_t i = 0; i < rows; i++)
    bits[i >> 6] |= (target->cells[i] & 1) << (i & 63);
  column->bits = bits;
  return ERR_OK;
}

static int column_order(const void *a, const void *b) {
  const struct store_column *x = a, *y = b;
  return (x->id > y->id) - (x->id < y->id);
}

static int make_columns(struct join *join, struct joined *joined, struct err *err) {
  const uint32_t *order;
  int code = table__order(join->series, join->times, join->rows, join->arena, &order, err);
  if (code) return code;
  uint32_t *places = ARENA_ARRAY(join->arena, uint32_t, join->rows);
  joined->series = arena_alloc(join->arena, join->rows * sizeof *joined->series);
  joined->times = arena_alloc(join->arena, join->rows * sizeof *joined->times);
  joined->columns = ARENA_ARRAY(join->arena, struct store_column, join->target_count + 1);
  if (!places || !joined->series || !joined->times || !joined->columns)
    return refused(join, join->rows * 20, err);
  joined->rows = fold(join, order, places, joined->series, joined->times);
  code = make_targets(join, joined->rows, err);
  if (code) return code;
  fill_targets(join, order, places);
  for (uint32_t t = 0; t < join->target_count && !code; t++) {
    const struct target *target = &join->targets[t];
    if (target->rows == 0) continue;
    struct store_column *column = &joined->columns[joined->column_count++];
    column->id = target->id;
    code = finish_column(join, target, joined->rows, &column->column, err);
  }
  qsort(joined->columns, joined->column_count, sizeof *joined->columns, column_order);
  return code;
}

/* The table, made if it is new. */
static int find_table(struct join *join, struct err *err) {
  for (uint32_t i = 0; i < join->input_count; i++)
    if (join->inputs[i].rows->public.table) {
      join->table = join->inputs[i].rows->public.table;
      join->index = join->inputs[i].rows->index;
      catalog_table_retain(join->table);
      return ERR_OK;
    }
  const struct table_write_options *options = &join->write->options;
  int code = catalog_table_ensure(join->write->engine->catalog, options->database, options->schema,
                                  join->inputs[0].rows->public.name, &join->table, err);
  if (code) return code;
  join->index = table__index(join->write->engine, join->table);
  return join->index ? ERR_OK : refused(join, 0, err);
}

int table__join(struct table_write *write, const struct join_input *inputs, uint32_t count,
                struct arena *arena, struct joined *joined, struct err *err) {
  struct join join = {.write = write, .arena = arena, .inputs = inputs, .input_count = count};
  size_t most = 0;
  for (uint32_t i = 0; i < count; i++)
    most += inputs[i].rows->public.row_count;
  u64_table_init(&join.target_of, &write->account);
  join.plans = ARENA_ARRAY(arena, struct shape_plan *, count);
  join.row = arena_alloc(arena, most * sizeof *join.row);
  join.row_columns = arena_alloc(arena, most * sizeof *join.row_columns);
  join.row_cells = arena_alloc(arena, most * sizeof *join.row_cells);
  join.series = arena_alloc(arena, most * sizeof *join.series);
  join.times = arena_alloc(arena, most * sizeof *join.times);
  int code = !join.plans || !join.row || !join.row_columns || !join.row_cells || !join.series ||
                     !join.times
                 ? refused(&join, most * 36, err)
                 : find_table(&join, err);
  for (uint32_t i = 0; i < count && !code; i++) {
    code = plan_shapes(&join, i, err);
    if (!code) code = take_rows(&join, i, err);
  }
  *joined = (struct joined){.table = join.table, .index = join.index, .lines = join.rows};
  if (!code && join.rows) code = make_columns(&join, joined, err);
  u64_table_deinit(&join.target_of);
  return code;
}
