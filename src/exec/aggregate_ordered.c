/* Calls with DISTINCT or ORDER BY inside, and the choice of one row by another column.
 *
 * A call with DISTINCT or ORDER BY keeps the rows of a group, argument by argument and column by
 * column of the order; at the end they are put in order and fed to the aggregate itself. With
 * DISTINCT rows that are there already are thrown out whenever their number has doubled; what is
 * left is in the order of the arguments where no other is asked for. An array is made of the same
 * rows, kept in any case. */
#include <stdlib.h>

#include "base/array.h"
#include "base/err.h"
#include "exec/aggregate_kind_private.h"
#include "exec/key_text.h"
#include "plan/value_text.h"

/* ---- entries: a word per column, then the bits of those that are null ---- */

static uint32_t stride_of(const struct aggregate_function *function) {
  return function->column_count + 1;
}

static void text_words(const struct aggregate_function *function, bool *texts) {
  for (uint32_t i = 0; i < function->column_count; i++)
    texts[i] = aggregate__is_text(function->types[i]);
  texts[function->column_count] = false;
}

struct placed_row {
  const uint64_t *entry;
  uint64_t place;
};

static int compare_column(const struct aggregate_function *function, uint32_t column,
                          const uint64_t *a, const uint64_t *b) {
  if (aggregate__is_text(function->types[column])) {
    uint32_t suffix = key_text_suffix(function->types[column]);
    return str_compare(key_text_cut(kept_str(a[column]), suffix),
                       key_text_cut(kept_str(b[column]), suffix));
  }
  uint64_t x = aggregate__order(function->types[column], a[column]);
  uint64_t y = aggregate__order(function->types[column], b[column]);
  return (x > y) - (x < y);
}

static int compare_arguments(const struct aggregate_function *function, const uint64_t *a,
                             const uint64_t *b) {
  uint32_t nulls = function->column_count;
  int by = 0;
  for (uint32_t i = 0; i < function->argument_count && !by; i++) {
    bool a_null = a[nulls] >> i & 1, b_null = b[nulls] >> i & 1; /* above all values */
    by = a_null || b_null ? a_null - b_null : compare_column(function, i, a, b);
  }
  return by;
}

static int compare_distinct(const void *a, const void *b, void *context) {
  const struct placed_row *x = a, *y = b;
  int by = compare_arguments(context, x->entry, y->entry);
  return by ? by : (x->place > y->place) - (x->place < y->place);
}

static int compare_order(const void *a, const void *b, void *context) {
  const struct aggregate_function *function = context;
  const struct placed_row *x = a, *y = b;
  uint32_t nulls = function->column_count;
  for (uint32_t i = 0; i < function->order_count; i++) {
    const struct plan_sort_key *key = &function->order[i];
    uint32_t column = function->argument_count + i;
    bool x_null = x->entry[nulls] >> column & 1, y_null = y->entry[nulls] >> column & 1;
    if (x_null != y_null) return x_null == key->nulls_first ? -1 : 1;
    int by = x_null ? 0 : compare_column(function, column, x->entry, y->entry);
    if (by) return key->descending ? -by : by;
  }
  return (x->place > y->place) - (x->place < y->place);
}

/* The rows in the order of their coming; dropped by the caller. */
static int list_rows(const struct aggregate_function *function, const struct kept *kept,
                     struct placed_row **out, struct err *err) {
  size_t size = kept->count * sizeof **out;
  struct placed_row *rows = mem_alloc(function->exec->options.account, size);
  if (!rows) return aggregate__refused(function, size, err);
  uint64_t at = 0;
  for (const struct kept_block *block = kept->first; block; block = block->next)
    for (uint32_t i = 0; i < block->count; i++, at++)
      rows[at] = (struct placed_row){block->words + (size_t)i * stride_of(function), at};
  *out = rows;
  return ERR_OK;
}

/* Sorts by arguments and leaves the first row of each combination; their number. */
static uint64_t leave_distinct(const struct aggregate_function *function, struct placed_row *rows,
                               uint64_t count) {
  uint64_t distinct = 0;
  qsort_r(rows, count, sizeof *rows, compare_distinct, (void *)(uintptr_t)function);
  for (uint64_t i = 0; i < count; i++)
    if (!distinct || compare_arguments(function, rows[distinct - 1].entry, rows[i].entry) != 0)
      rows[distinct++] = rows[i];
  return distinct;
}

/* Throws out rows that are there already. */
static int compact(const struct aggregate_function *function, struct kept *kept, struct err *err) {
  struct placed_row *rows;
  struct mem_account *account = function->exec->options.account;
  uint64_t count = kept->count;
  int code = list_rows(function, kept, &rows, err);
  if (code) return code;
  uint64_t distinct = leave_distinct(function, rows, count);
  size_t size = distinct * stride_of(function) * 8;
  uint64_t *words = mem_alloc(account, size);
  for (uint64_t i = 0; words && i < distinct; i++)
    memcpy(words + i * stride_of(function), rows[i].entry, stride_of(function) * 8);
  if (words) {
    aggregate__kept_replace(kept, stride_of(function), words, distinct);
    kept->distinct = distinct;
  } else {
    code = aggregate__refused(function, size, err);
  }
  mem_free(account, words, size);
  mem_free(account, rows, count * sizeof *rows);
  return code;
}

static bool may_compact(const struct aggregate_function *function, const struct kept *kept) {
  return function->distinct && aggregate__kept_grown(kept);
}

/* ---- feeding ---- */

static int add_row(const struct aggregate_function *function, struct arena *arena, void *state,
                   const struct aggregate_vector *vector, int64_t row, struct err *err) {
  struct kept *kept = state;
  uint64_t nulls = 0, *entry = aggregate__keep_entry(arena, kept, stride_of(function));
  if (!entry) return aggregate__refused(function, stride_of(function) * 8, err);
  for (uint32_t i = 0; i < function->column_count; i++) {
    const struct column *column = vector->columns[i];
    entry[i] = 0;
    if (!column_is_valid(column, row)) {
      nulls |= UINT64_C(1) << i;
    } else if (aggregate__is_text(function->types[i])) {
      struct str text = aggregate__text(column, row);
      entry[i] = aggregate__keep_text(arena, text);
      if (!entry[i]) return aggregate__refused(function, text.size, err);
    } else {
      entry[i] = aggregate__word(column, row);
    }
  }
  entry[function->column_count] = nulls;
  return may_compact(function, kept) ? compact(function, kept, err) : ERR_OK;
}

static int merge_rows(const struct aggregate_function *function, struct arena *arena, void *state,
                      const void *other, struct err *err) {
  struct kept *kept = state;
  bool texts[AGGREGATE_COLUMNS_MAX + 1];
  text_words(function, texts);
  if (!aggregate__kept_merge(arena, kept, other, stride_of(function), texts))
    return aggregate__refused(function, 64, err);
  return may_compact(function, kept) ? compact(function, kept, err) : ERR_OK;
}

/* ---- finishing ---- */

static void append_word(struct builder *builder, struct type type, uint64_t word) {
  if (aggregate__is_text(type))
    builder_append_str(builder, kept_str(word));
  else
    aggregate__append(builder, word);
}

/* Feeds rows in their order to the aggregate itself. */
static int feed_rows(const struct aggregate_function *function, struct arena *arena, void *state,
                     const struct placed_row *rows, uint64_t count, struct err *err) {
  struct builder builders[AGGREGATE_COLUMNS_MAX];
  struct column columns[AGGREGATE_COLUMNS_MAX];
  struct aggregate_vector vector = {{0}, NULL};
  int code = ERR_OK;
  for (uint32_t c = 0; c < function->argument_count; c++)
    builder_init(&builders[c], function->types[c], function->exec->options.account);
  for (uint64_t at = 0; at < count && !code; at += LIMIT_BLOCK_ROWS) {
    uint64_t size = count - at < LIMIT_BLOCK_ROWS ? count - at : LIMIT_BLOCK_ROWS;
    for (uint32_t c = 0; c < function->argument_count && !code; c++) {
      builder_reset(&builders[c]);
      for (uint64_t i = 0; i < size; i++)
        append_word(&builders[c], function->types[c], rows[at + i].entry[c]);
      columns[c] = builder_view(&builders[c]);
      vector.columns[c] = &columns[c];
      code = builder_check(&builders[c], err);
    }
    if (!code)
      code = exec__aggregate_feed(function->inner, arena, state, &vector, 0, (int64_t)size, err);
  }
  for (uint32_t c = 0; c < function->argument_count; c++)
    builder_deinit(&builders[c]);
  return code;
}

/* The rows that count, in their order: *left of them. *rows has room for all that are kept and is
 * the caller's to free; NULL: there are none. */
static int arrange_rows(const struct aggregate_function *function, const struct kept *kept,
                        struct placed_row **rows, uint64_t *left, struct err *err) {
  *rows = NULL;
  *left = kept->count;
  int code = kept->count ? list_rows(function, kept, rows, err) : ERR_OK;
  if (code || !kept->count) return code;
  if (function->distinct) *left = leave_distinct(function, *rows, kept->count);
  if (function->order_count)
    qsort_r(*rows, *left, sizeof **rows, compare_order, (void *)(uintptr_t)function);
  return ERR_OK;
}

static int finish_rows(const struct aggregate_function *function, struct arena *arena, void *state,
                       struct builder *result, struct err *err) {
  struct kept *kept = state;
  struct placed_row *rows;
  uint64_t left;
  void *inner = arena_alloc_zero(arena, function->inner->state_size);
  if (!inner) return aggregate__refused(function, function->inner->state_size, err);
  int code = arrange_rows(function, kept, &rows, &left, err);
  if (code) return code;
  code = feed_rows(function, arena, inner, rows, left, err);
  if (!code) code = exec__aggregate_finish(function->inner, arena, inner, result, err);
  mem_free(function->exec->options.account, rows, kept->count * sizeof *rows);
  return code;
}

static void save_rows(const struct aggregate_function *function, const void *state,
                      struct buffer *out) {
  bool texts[AGGREGATE_COLUMNS_MAX + 1];
  text_words(function, texts);
  aggregate__kept_save(state, stride_of(function), texts, out);
}
static int load_rows(const struct aggregate_function *function, struct arena *arena, void *state,
                     struct str *bytes, struct err *err) {
  bool texts[AGGREGATE_COLUMNS_MAX + 1];
  text_words(function, texts);
  return aggregate__kept_load(function, arena, state, stride_of(function), texts, bytes, err);
}

const struct aggregate_kind aggregate__ordered = {.state_size = sizeof(struct kept),
                                                  .add = add_row,
                                                  .merge = merge_rows,
                                                  .finish = finish_rows,
                                                  .save = save_rows,
                                                  .load = load_rows};

/* ---- arrays ---- */

static int finish_array(const struct aggregate_function *function, struct arena *arena, void *state,
                        struct builder *result, struct err *err) {
  (void)arena;
  struct mem_account *account = function->exec->options.account;
  struct kept *kept = state;
  struct placed_row *rows;
  uint64_t left;
  if (kept->count == 0) {
    builder_append_null(result);
    return ERR_OK;
  }
  int code = arrange_rows(function, kept, &rows, &left, err);
  if (code) return code;
  struct array_builder items;
  struct buffer stored;
  array_builder_init(&items, plan_array_items(function->types[0]), account);
  buffer_init(&stored, account);
  for (uint64_t i = 0; i < left; i++) {
    const uint64_t *entry = rows[i].entry;
    if (entry[function->column_count] & 1)
      array_add_null(&items);
    else if (aggregate__is_text(function->types[0]))
      array_add_bytes(&items, kept_str(entry[0]));
    else
      array_add_word(&items, entry[0]);
  }
  code = array_finish(&items, &stored, err);
  if (!code) builder_append_str(result, buffer_str(&stored));
  buffer_deinit(&stored);
  array_builder_deinit(&items);
  mem_free(account, rows, kept->count * sizeof *rows);
  return code;
}

const struct aggregate_kind aggregate__array = {.state_size = sizeof(struct kept),
                                                .add = add_row,
                                                .merge = merge_rows,
                                                .finish = finish_array,
                                                .save = save_rows,
                                                .load = load_rows};

/* ---- min_by, max_by ---- */

struct chosen_row {
  uint64_t count; /* rows whose second argument is not NaN */
  uint64_t key, word;
  struct aggregate_text key_text, text;
};

static bool row_wins(const struct aggregate_function *function, const struct chosen_row *chosen,
                     uint64_t key, struct str text) {
  bool max = function->function == AGGREGATE_MAX_BY;
  if (chosen->count == 0) return true;
  if (aggregate__is_text(function->types[1])) {
    int by = str_compare(text, (struct str){chosen->key_text.data, chosen->key_text.size});
    return max ? by > 0 : by < 0;
  }
  return max ? key > chosen->key : key < chosen->key;
}

static int take_row(const struct aggregate_function *function, struct arena *arena,
                    struct chosen_row *chosen, uint64_t key, struct str key_text, uint64_t word,
                    struct str text, struct err *err) {
  if (!row_wins(function, chosen, key, key_text)) return ERR_OK;
  chosen->key = key;
  chosen->word = word;
  if (!aggregate__text_set(arena, &chosen->key_text, key_text) ||
      !aggregate__text_set(arena, &chosen->text, text))
    return aggregate__refused(function, key_text.size + text.size, err);
  return ERR_OK;
}

static int add_by(const struct aggregate_function *function, struct arena *arena, void *state,
                  const struct aggregate_vector *vector, int64_t row, struct err *err) {
  struct chosen_row *chosen = state;
  const struct column *value = vector->columns[0], *by = vector->columns[1];
  bool text = aggregate__is_text(function->types[0]),
       by_text = aggregate__is_text(function->types[1]);
  uint64_t key = by_text ? 0 : aggregate__order(function->types[1], aggregate__word(by, row));
  if (function->types[1].physical == PHYSICAL_FLOAT64 && key == UINT64_MAX) return ERR_OK;
  int code = take_row(function, arena, chosen, key,
                      by_text ? aggregate__text(by, row) : (struct str){NULL, 0},
                      text ? 0 : aggregate__word(value, row),
                      text ? aggregate__text(value, row) : (struct str){NULL, 0}, err);
  chosen->count++;
  return code;
}

static int merge_by(const struct aggregate_function *function, struct arena *arena, void *state,
                    const void *other, struct err *err) {
  struct chosen_row *chosen = state;
  const struct chosen_row *more = other;
  if (more->count == 0) return ERR_OK;
  int code = take_row(function, arena, chosen, more->key,
                      (struct str){more->key_text.data, more->key_text.size}, more->word,
                      (struct str){more->text.data, more->text.size}, err);
  chosen->count += more->count;
  return code;
}

static int finish_by(const struct aggregate_function *function, struct arena *arena, void *state,
                     struct builder *result, struct err *err) {
  (void)arena, (void)err;
  const struct chosen_row *chosen = state;
  if (chosen->count == 0)
    builder_append_null(result);
  else if (aggregate__is_text(function->types[0]))
    builder_append_str(result, (struct str){chosen->text.data, chosen->text.size});
  else
    aggregate__append(result, chosen->word);
  return ERR_OK;
}

static void save_by(const struct aggregate_function *function, const void *state,
                    struct buffer *out) {
  (void)function;
  const struct chosen_row *chosen = state;
  uint64_t head[5] = {chosen->count, chosen->key, chosen->word, chosen->key_text.size,
                      chosen->text.size};
  buffer_append(out, head, sizeof head);
  buffer_append(out, chosen->key_text.data, chosen->key_text.size);
  buffer_append(out, chosen->text.data, chosen->text.size);
}

static int load_by(const struct aggregate_function *function, struct arena *arena, void *state,
                   struct str *bytes, struct err *err) {
  struct chosen_row *chosen = state;
  uint64_t head[5];
  const void *at = aggregate__take(bytes, sizeof head);
  if (!at) return aggregate__torn(err);
  memcpy(head, at, sizeof head);
  struct str key_text = {aggregate__take(bytes, head[3]), head[3]};
  struct str text = {key_text.data ? aggregate__take(bytes, head[4]) : NULL, head[4]};
  if (!text.data) return aggregate__torn(err);
  int code = take_row(function, arena, chosen, head[1], key_text, head[2], text, err);
  chosen->count = head[0];
  return code;
}

const struct aggregate_kind aggregate__by = {.state_size = sizeof(struct chosen_row),
                                             .add = add_by,
                                             .merge = merge_by,
                                             .finish = finish_by,
                                             .save = save_by,
                                             .load = load_by};
