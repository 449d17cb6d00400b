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

#define UNRESOLVED UINT32_MAX

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
  bool keep; /* rows of equal series and time are not folded */
  struct target *targets;
  uint32_t target_count, target_capacity;
  struct u64_table target_of; /* column id -> index + 1 */
  struct shape_plan **plans;  /* per input, per shape */
  uint32_t rows;
  uint32_t ended;               /* rows of a table that was dropped meanwhile */
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

/* The answer's column of an input's field, made (`make`) or left for later if it is new; a conflict
 * becomes the error that rejects the shape's rows. */
static int resolve_field(struct join *join, const struct rows *rows, uint32_t f, bool make,
                         uint32_t *columns, const struct err **conflict, struct err *err) {
  const struct table_field *field = &rows->public.fields[f];
  if (columns[f] != UNRESOLVED) return ERR_OK;
  const struct catalog_column *column =
      field->column_id ? catalog_column_by_id(join->table, field->column_id) : NULL;
  if (!column && !make && !catalog_column_find(join->table, COLUMN_FIELD, field->name))
    return ERR_OK;
  struct err fault;
  err_reset(&fault);
  int code = column ? ERR_OK
                    : catalog_column_ensure(join->table, COLUMN_FIELD, field->name, field->type,
                                            &column, &fault);
  if (code && err_info(code)->class == ERR_CLASS_VALIDATION) {
    struct err *copy = ARENA_NEW(join->arena, struct err);
    if (!copy) return refused(join, sizeof *copy, err);
    *copy = fault;
    *conflict = copy;
    return ERR_OK;
  }
  if (code && err) *err = fault;
  return code ? code : target_of(join, column, &columns[f], err);
}

/* What its rows become. A shape with a conflict makes no column: its rows are not there. */
static int plan_shape(struct join *join, const struct rows *rows, const struct shape *shape,
                      uint32_t *columns, struct shape_plan *plan, struct err *err) {
  for (int make = 0; make < 2; make++)
    for (uint32_t c = 0; c < shape->count; c++) {
      int code = resolve_field(join, rows, shape->fields[c], make, columns, &plan->conflict, err);
      if (code || plan->conflict) return code;
    }
  uint32_t *to = ARENA_ARRAY(join->arena, uint32_t, shape->count + 1);
  if (!to) return refused(join, shape->count * 4, err);
  for (uint32_t c = 0; c < shape->count; c++)
    to[c] = columns[shape->fields[c]];
  plan->columns = to;
  return ERR_OK;
}

struct shape_line {
  uint32_t line, shape;
};
static int shape_line_order(const void *a, const void *b) {
  const struct shape_line *x = a, *y = b;
  return (x->line > y->line) - (x->line < y->line);
}

/* Shapes in the order of their first rows, so that the first line that stays fixes a type. */
static int plan_shapes(struct join *join, uint32_t input, struct err *err) {
  const struct rows *rows = join->inputs[input].rows;
  uint32_t *columns = arena_alloc(join->arena, (rows->public.field_count + 1) * sizeof *columns);
  struct shape_plan *plans = ARENA_ARRAY(join->arena, struct shape_plan, rows->shape_count + 1);
  struct shape_line *lines = ARENA_ARRAY(join->arena, struct shape_line, rows->shape_count + 1);
  if (!columns || !plans || !lines) return refused(join, rows->shape_count * sizeof *plans, err);
  for (uint32_t f = 0; f < rows->public.field_count; f++)
    columns[f] = UNRESOLVED;
  uint32_t count = 0;
  bool sorted = true;
  for (uint32_t s = 0; s < rows->shape_count; s++) {
    if (rows->shapes[s].rows == 0) continue;
    lines[count++] = (struct shape_line){rows->shapes[s].first_line, s};
    sorted = sorted && (count == 1 || lines[count - 2].line <= lines[count - 1].line);
  }
  if (!sorted) qsort(lines, count, sizeof *lines, shape_line_order);
  int code = ERR_OK;
  for (uint32_t i = 0; i < count && !code; i++)
    code =
        plan_shape(join, rows, &rows->shapes[lines[i].shape], columns, &plans[lines[i].shape], err);
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

/* Where each row (in order) goes: equal (series, time) share a place, unless all rows are kept.
 * Returns the number of places. */
static uint32_t fold(const struct join *join, const uint32_t *order, uint32_t *places,
                     uint64_t *series, int64_t *times) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < join->rows; i++) {
    uint32_t from = order ? order[i] : i;
    if (n == 0 || join->keep || series[n - 1] != join->series[from] ||
        times[n - 1] != join->times[from]) {
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

static bool is_dropped(const struct rows *rows) {
  return rows->public.table && atomic_load(&catalog_table_now(rows->public.table)->dropped);
}

/* The table, made if it is new. NULL when every piece means one that was dropped meanwhile. */
static int find_table(struct join *join, struct err *err) {
  struct table_engine *engine = join->write->engine;
  const struct rows *use = NULL;
  for (uint32_t i = 0; i < join->input_count; i++) {
    const struct rows *rows = join->inputs[i].rows;
    if (!is_dropped(rows) && (!use || (rows->public.table && !use->public.table))) use = rows;
  }
  if (!use) return ERR_OK;
  if (use->public.table) {
    join->table = catalog_table_now(use->public.table);
    catalog_table_retain(join->table);
  } else {
    const struct table_write_options *options = &join->write->options;
    int code = catalog_table_ensure(engine->catalog, options->database, options->schema,
                                    use->public.name, &join->table, err);
    if (code) return code;
  }
  /* It may have been made since the piece asked for it. */
  if (catalog_definition_is_rows(catalog_table_definition(join->table)))
    return table__refuse_rows(use->public.name, err);
  join->keep = table__policy(join->table) == STORE_KEEP_ALL;
  join->index = table__index(engine, join->table);
  return join->index ? ERR_OK : refused(join, 0, err);
}

static int join_input(struct join *join, uint32_t input, struct err *err) {
  const struct rows *rows = join->inputs[input].rows;
  if (is_dropped(rows)) { /* as if they had been written just before the drop */
    join->ended += rows->public.row_count;
    return ERR_OK;
  }
  if (rows->public.unit != join->table->unit) {
    err_set(err, ERR_CONFLICT,
            "the database was made anew with another precision while the request was under way");
    err_hint(err, "send it again");
    return ERR_CONFLICT;
  }
  int code = plan_shapes(join, input, err);
  return code ? code : take_rows(join, input, err);
}

int table__join(struct table_write *write, const struct join_input *inputs, uint32_t count,
                struct arena *arena, struct joined *joined, struct err *err) {
  struct join join = {.write = write, .arena = arena, .inputs = inputs, .input_count = count};
  uint64_t generation = catalog_drop_generation(write->engine->catalog);
  size_t most = 0;
  bool recall = false;
  for (uint32_t i = 0; i < count; i++) {
    most += inputs[i].rows->public.row_count;
    recall |= inputs[i].piece->generation != generation;
  }
  if (count == 1 && !recall && table__join_row(inputs, arena, joined)) return ERR_OK;
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
  for (uint32_t i = 0; i < count && !code; i++)
    code = join_input(&join, i, err);
  *joined = (struct joined){
      .table = join.table, .index = join.index, .lines = join.rows + join.ended, .recall = recall};
  if (!code && join.rows) code = make_columns(&join, joined, err);
  u64_table_deinit(&join.target_of);
  return code;
}
