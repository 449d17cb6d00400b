/* Collecting: per chunk the rows that count are found (filter, any value present, first or last few
 * of a series), and copied column by column. Of columns that have images only the vectors with rows
 * that count are decoded, straight into where the rows go. The newest row of a whole block can be
 * had from its statistics: the last value of each column whose last key is the block's. */
#include "exec/collect.h"

#include <string.h>

#include "base/err.h"
#include "codec/codec_kernels.h"
#include "columnar/bits.h"

struct collecting {
  struct collection *into;
  struct reader reader;
  uint32_t rows_max;
  bool tail;
  bool *wanted;
  bool *stored;     /* per column of the schema: it has images in this chunk */
  uint64_t *picked; /* rows that are taken; bits */
  uint32_t *rows;
  uint32_t *block_rows; /* the same in their blocks */
  uint32_t *run_rows;   /* how many of them are in each run */
  int32_t *codes;       /* of a tag, for each of them */
  uint64_t *values, *validity;
};

int exec__collection_init(struct collection *collection, const struct source *source,
                          struct err *err) {
  struct exec *exec = source->exec;
  const struct plan_schema *schema = &source->scan->schema;
  struct mem_account *account = exec->options.account;
  *collection = (struct collection){.exec = exec, .source = source};
  builder_init(&collection->keys, TYPE_INT64, account);
  size_t size = (schema->count + 1) * sizeof *collection->columns;
  collection->columns = mem_alloc_zero(account, size);
  if (!collection->columns) return exec__refused(exec, size, err);
  for (uint32_t i = 0; i < schema->count; i++) {
    struct type type =
        source->tags[i].length ? (struct type){PHYSICAL_INT32, 0, 0} : schema->columns[i].type;
    builder_init(&collection->columns[i], type, account);
  }
  return ERR_OK;
}

void exec__collection_deinit(struct collection *collection) {
  if (!collection->exec) return;
  struct mem_account *account = collection->exec->options.account;
  uint32_t count = collection->source->scan->schema.count;
  for (uint32_t i = 0; collection->columns && i < count; i++)
    builder_deinit(&collection->columns[i]);
  mem_free(account, collection->columns, (count + 1) * sizeof *collection->columns);
  builder_deinit(&collection->keys);
  mem_free(account, collection->runs, collection->run_capacity * sizeof *collection->runs);
  mem_free(account, collection->bare, collection->bare_capacity * sizeof *collection->bare);
  collection->exec = NULL;
}

static int add_run(struct collecting *of, uint32_t position, uint32_t row, uint32_t rows,
                   struct err *err) {
  struct collection *into = of->into;
  struct collected_run *last = into->run_count ? &into->runs[into->run_count - 1] : NULL;
  if (rows == 0) return ERR_OK;
  bool full = of->rows_max && !of->tail && last && last->rows == of->rows_max;
  if (full && last->position == position) return ERR_OK;
  if (last && last->position == position && last->row + last->rows == row) {
    last->rows += rows;
  } else {
    if (into->run_count == into->run_capacity) {
      uint32_t capacity = into->run_capacity ? into->run_capacity * 2 : 64;
      struct collected_run *runs =
          mem_resize(into->exec->options.account, into->runs, into->run_capacity * sizeof *runs,
                     capacity * sizeof *runs);
      if (!runs) return exec__refused(into->exec, capacity * sizeof *runs, err);
      into->runs = runs;
      into->run_capacity = capacity;
    }
    last = &into->runs[into->run_count++];
    *last = (struct collected_run){position, 0, row, rows};
  }
  if (of->rows_max && last->rows > of->rows_max) {
    if (of->tail) last->row += last->rows - of->rows_max;
    last->rows = of->rows_max;
  }
  return ERR_OK;
}

/* ---- which rows ---- */

/* Adds rows that have a value in the column; *all: every row has one. */
static void add_present(const struct reader *reader, uint32_t column, uint64_t *present,
                        bool *all) {
  const struct reader_images *of = &reader->images[column];
  uint64_t bits[LIMIT_BLOCK_ROWS / 64];
  *all = false;
  if (reader->columns[column].length) {
    const struct column *loaded = &reader->columns[column];
    *all = loaded->null_count == 0;
    for (size_t w = 0; w < bit_words(reader->chunk.rows) && !*all; w++)
      present[w] |= loaded->validity[w];
    return;
  }
  bool some = false;
  for (uint32_t i = 0; i < of->count; i++)
    some |= of->images[i].absent || of->images[i].image.has_nulls;
  *all = !some;
  for (uint32_t i = 0; i < of->count && some; i++) {
    const struct store_image *image = &of->images[i];
    if (image->absent) continue;
    codec_validity(&image->image, image->from, image->rows, bits);
    for (uint32_t at = 0; at < image->rows; at += 64) {
      uint32_t size = image->rows - at < 64 ? image->rows - at : 64;
      uint64_t word = bits[at / 64] & bits_mask(size), row = image->row + at;
      present[row / 64] |= word << row % 64;
      if (row % 64 + size > 64) present[row / 64 + 1] |= word >> (64 - row % 64);
    }
  }
}

/* Which stored columns have images; the others that are wanted are loaded. */
static int load_unstored(struct collecting *of, struct err *err) {
  struct reader *reader = &of->reader;
  const struct plan_schema *schema = &reader->source->scan->schema;
  bool any = false;
  for (uint32_t i = plan_schema_values(schema); i < schema->count; i++) {
    const struct store_image *images;
    uint32_t count;
    of->wanted[i] = of->stored[i] = false;
    if (reader->source->tags[i].length) continue; /* told by the runs */
    int code = exec__reader_images(reader, i, &images, &count, err);
    if (code) return code;
    of->stored[i] = count > 0;
    of->wanted[i] = !of->stored[i];
    any |= of->wanted[i];
  }
  return any ? exec__reader_load(reader, of->wanted, err) : ERR_OK;
}

/* Notes the series that have fewer picked rows than before. */
static int note_bare(struct collecting *of, const uint64_t *before, struct err *err) {
  struct collection *into = of->into;
  const struct store_chunk *chunk = &of->reader.chunk;
  for (uint32_t r = 0; r < chunk->run_count; r++) {
    const struct store_run *run = &chunk->runs[r];
    uint32_t position = of->reader.run_positions[r];
    if (bits_count(before, run->row, run->rows) == bits_count(of->picked, run->row, run->rows) ||
        (into->bare_count && into->bare[into->bare_count - 1] == position))
      continue;
    if (into->bare_count == into->bare_capacity) {
      uint32_t capacity = into->bare_capacity ? into->bare_capacity * 2 : 64;
      uint32_t *bare = mem_resize(into->exec->options.account, into->bare,
                                  into->bare_capacity * sizeof *bare, capacity * sizeof *bare);
      if (!bare) return exec__refused(into->exec, capacity * sizeof *bare, err);
      into->bare = bare;
      into->bare_capacity = capacity;
    }
    into->bare[into->bare_count++] = position;
  }
  return ERR_OK;
}

/* Whether one of the series that rows were left out of has fewer than are needed. */
static bool is_short(const struct collection *into) {
  uint64_t limit = into->source->scan->scan.limit;
  uint32_t run = 0;
  for (uint32_t i = 0; i < into->bare_count; i++) {
    while (run < into->run_count && into->runs[run].position < into->bare[i])
      run++;
    bool found = run < into->run_count && into->runs[run].position == into->bare[i];
    if (!found || into->runs[run].rows < limit) return true;
  }
  return false;
}

/* Leaves out rows whose fields are all absent. */
static int keep_present(struct collecting *of, struct err *err) {
  const struct source *source = of->reader.source;
  const struct plan_schema *schema = &source->scan->schema;
  uint32_t rows = of->reader.chunk.rows;
  size_t words = bit_words(rows);
  uint64_t present[LIMIT_BLOCK_ROWS / 64 + 1] = {0};
  for (uint32_t i = plan_schema_values(schema); i < schema->count; i++) {
    bool all;
    if (source->tags[i].length) continue;
    add_present(&of->reader, i, present, &all);
    if (all) return ERR_OK;
  }
  uint64_t before[LIMIT_BLOCK_ROWS / 64], changed = 0;
  memcpy(before, of->picked, words * sizeof *before);
  for (size_t w = 0; w < words; w++) {
    of->picked[w] &= present[w];
    changed |= of->picked[w] ^ before[w];
  }
  return changed && of->rows_max ? note_bare(of, before, err) : ERR_OK;
}

/* How many rows of [row, row + rows), from the end that is wanted, hold rows_max picked ones. */
static uint32_t enough_rows(const struct collecting *of, uint32_t row, uint32_t rows) {
  uint32_t picked = 0;
  for (uint32_t at = 0, size; at < rows; at += size) {
    size = rows - at < 64 ? rows - at : 64;
    uint32_t from = of->tail ? row + rows - at - size : row + at;
    uint64_t word = bits_load(of->picked, from, size) & bits_mask(size);
    uint32_t more = (uint32_t)__builtin_popcountll(word);
    if (picked + more < of->rows_max) {
      picked += more;
      continue;
    }
    for (; picked + 1 < of->rows_max; picked++) /* the one that makes it enough is left first */
      word &= of->tail ? ~(UINT64_C(1) << (63 - __builtin_clzll(word))) : word - 1;
    return of->tail ? at + size - (63 - (uint32_t)__builtin_clzll(word))
                    : at + (uint32_t)__builtin_ctzll(word) + 1;
  }
  return rows;
}

/* Keeps at most rows_max picked rows of each run. */
static void keep_few(struct collecting *of) {
  const struct store_chunk *chunk = &of->reader.chunk;
  for (uint32_t r = 0; r < chunk->run_count; r++) {
    const struct store_run *run = &chunk->runs[r];
    uint32_t enough = enough_rows(of, run->row, run->rows), surplus = run->rows - enough;
    if (surplus) bits_fill(of->picked, of->tail ? run->row : run->row + enough, surplus, false);
  }
}

static int pick(struct collecting *of, struct err *err) {
  uint32_t rows = of->reader.chunk.rows;
  int code = exec__reader_filter(&of->reader, err);
  if (code || of->reader.selected == 0) return code;
  if (of->reader.selection)
    memcpy(of->picked, of->reader.selection, bit_words(rows) * 8);
  else
    bits_fill(of->picked, 0, rows, true);
  for (uint32_t r = 0; r < of->reader.chunk.run_count; r++)
    if (of->reader.run_positions[r] == POSITION_NONE)
      bits_fill(of->picked, of->reader.chunk.runs[r].row, of->reader.chunk.runs[r].rows, false);
  code = load_unstored(of, err);
  if (!code && of->reader.source->scan->scan.any_present) code = keep_present(of, err);
  if (!code && of->rows_max) keep_few(of);
  return code;
}

/* ---- copying ---- */

/* Picked rows of one image, few of those between the first and the last. */
static int append_few(struct collecting *of, const struct store_image *image, uint32_t count,
                      struct builder *builder, struct err *err) {
  struct column column = {.type = image->image.type,
                          .length = count,
                          .u64 = of->values,
                          .validity = of->validity,
                          .decimals = codec_decimals(&image->image)};
  int code = codec_pick(&image->image, of->block_rows, count, of->values, of->validity,
                        &column.null_count, err);
  if (column.null_count == 0) column.validity = NULL;
  if (!code) builder_append_column(builder, &column, 0, count);
  return code;
}

/* Rows next to each other are decoded to where they go. */
static int append_whole(struct collecting *of, const struct store_image *image, uint32_t from,
                        uint32_t count, struct builder *builder, struct err *err) {
  struct column column = {.type = image->image.type,
                          .length = count,
                          .validity = of->validity,
                          .decimals = codec_decimals(&image->image)};
  if (!builder_reserve(builder, count, 0)) return builder_check(builder, err);
  uint64_t *to = builder->u64 + builder->length;
  int code =
      codec_decode_into(&image->image, from, count, to, of->validity, &column.null_count, err);
  if (code) return code;
  column.u64 = to;
  if (column.null_count == 0) column.validity = NULL;
  builder_append_column(builder, &column, 0, count);
  return ERR_OK;
}

/* All that lies between the first and the last picked row is decoded. */
static int append_range(struct collecting *of, const struct store_image *image, uint32_t from,
                        uint32_t span, uint32_t count, struct builder *builder, struct err *err) {
  struct column column;
  if (span == count && type_width(builder->type) == 8)
    return append_whole(of, image, from, count, builder, err);
  arena_reset(&of->reader.scratch);
  int code = codec_decode(&image->image, from, span, &of->reader.scratch, &column, err);
  if (code) return code;
  if (span == count) {
    builder_append_column(builder, &column, 0, count);
    return ERR_OK;
  }
  for (uint32_t i = 0; i < count; i++)
    of->block_rows[i] -= from;
  builder_append_rows(builder, &column, of->block_rows, count);
  return ERR_OK;
}

/* `count` rows of one block, which are block_rows. */
static int append_image(struct collecting *of, const struct store_image *image, uint32_t count,
                        struct builder *builder, struct err *err) {
  if (image->absent) {
    builder_append_nulls(builder, count);
    return ERR_OK;
  }
  uint32_t from = of->block_rows[0], span = of->block_rows[count - 1] - from + 1;
  bool few = type_width(builder->type) == 8 && count < span / 2;
  of->reader.values_decoded += few ? count : span;
  return few ? append_few(of, image, count, builder, err)
             : append_range(of, image, from, span, count, builder, err);
}

/* Whether both are of one block, the second behind the first. */
static bool follows(const struct store_image *first, const struct store_image *second) {
  return first->absent == second->absent &&
         (first->absent ||
          (first->image.bytes == second->image.bytes && first->from + first->rows <= second->from));
}

/* All rows of an image that the chunk has. */
static int append_all(struct collecting *of, const struct store_image *image,
                      struct builder *builder, struct err *err) {
  if (image->absent) {
    builder_append_nulls(builder, image->rows);
    return ERR_OK;
  }
  of->reader.values_decoded += image->rows;
  return append_range(of, image, image->from, image->rows, image->rows, builder, err);
}

/* A stored column: block after block, where rows of one can be picked at once. */
static int append_stored(struct collecting *of, uint32_t column, uint32_t count, struct err *err) {
  const struct reader_images *images = &of->reader.images[column];
  bool joined = type_width(of->into->columns[column].type) == 8;
  bool all = count == of->reader.chunk.rows;
  int code = ERR_OK;
  for (uint32_t i = 0; all && i < images->count && !code; i++)
    code = append_all(of, &images->images[i], &of->into->columns[column], err);
  for (uint32_t i = 0, at = 0; !all && i < images->count && at < count && !code;) {
    const struct store_image *first = &images->images[i];
    uint32_t taken = 0;
    do {
      const struct store_image *image = &images->images[i++];
      for (; at < count && of->rows[at] < image->row + image->rows; at++)
        of->block_rows[taken++] = of->rows[at] - image->row + image->from;
    } while (joined && i < images->count && follows(&images->images[i - 1], &images->images[i]));
    if (taken) code = append_image(of, first, taken, &of->into->columns[column], err);
  }
  if (code != ERR_CORRUPTION) return code;
  /* Loading finds out which part it is, and voids what was read. */
  memset(of->wanted, 0, of->reader.source->scan->schema.count);
  of->wanted[column] = true;
  int loaded = exec__reader_load(&of->reader, of->wanted, err);
  return loaded ? loaded : code;
}

/* A tag is the same in all rows of a run. */
static void append_tag(struct collecting *of, uint32_t column, uint32_t count) {
  const struct column *tag = &of->reader.source->tags[column];
  uint32_t at = 0;
  for (uint32_t r = 0; r < of->reader.chunk.run_count; r++) {
    if (of->run_rows[r] == 0) continue;
    int32_t code = tag->i32[of->reader.run_positions[r]];
    for (uint32_t end = at + of->run_rows[r]; at < end; at++)
      of->codes[at] = code;
  }
  struct column codes = {.type = {PHYSICAL_INT32, 0, 0}, .length = count, .i32 = of->codes};
  builder_append_column(&of->into->columns[column], &codes, 0, count);
}

static void append(struct builder *builder, const struct column *column, const uint32_t *rows,
                   uint32_t count, uint32_t of) {
  if (count == of)
    builder_append_column(builder, column, 0, count);
  else
    builder_append_rows(builder, column, rows, count);
}

static uint32_t picked_rows(struct collecting *of) {
  uint32_t count = 0;
  size_t words = bit_words(of->reader.chunk.rows);
  for (size_t w = 0; w < words; w++) {
    uint64_t word = of->picked[w];
    if (w + 1 == words) word &= bits_mask((of->reader.chunk.rows - 1) % 64 + 1);
    for (; word; word &= word - 1)
      of->rows[count++] = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(word);
  }
  return count;
}

static int copy_rows(struct collecting *of, struct err *err) {
  const struct store_chunk *chunk = &of->reader.chunk;
  struct collection *into = of->into;
  const struct plan_schema *schema = &of->reader.source->scan->schema;
  uint32_t count = picked_rows(of), first = plan_schema_values(schema);
  if (count == 0) return ERR_OK;
  int code = exec__reader_keys(&of->reader, err);
  uint32_t at = (uint32_t)into->keys.length;
  for (uint32_t r = 0; r < chunk->run_count && !code; r++) {
    uint32_t rows = count == chunk->rows
                        ? chunk->runs[r].rows
                        : (uint32_t)bits_count(of->picked, chunk->runs[r].row, chunk->runs[r].rows);
    code = add_run(of, of->reader.run_positions[r], at, rows, err);
    of->run_rows[r] = rows;
    at += rows;
  }
  if (code) return code;
  struct column keys = {.type = TYPE_INT64, .length = chunk->rows, .i64 = chunk->keys};
  append(&into->keys, &keys, of->rows, count, chunk->rows);
  for (uint32_t i = first; i < schema->count && !code; i++)
    if (of->reader.source->tags[i].length)
      append_tag(of, i, count);
    else if (of->stored[i])
      code = append_stored(of, i, count, err);
    else
      append(&into->columns[i], &of->reader.columns[i], of->rows, count, chunk->rows);
  for (uint32_t i = first; i < schema->count && !code; i++)
    code = builder_check(&into->columns[i], err);
  return code ? code : builder_check(&into->keys, err);
}

/* ---- one row from statistics ---- */

/* Takes the first or last row of a block from its statistics; *done false: it must be read. */
static int take_end(struct collecting *of, bool *done, struct err *err) {
  const struct store_chunk *chunk = &of->reader.chunk;
  const struct source *source = of->reader.source;
  const struct plan_schema *schema = &source->scan->schema;
  int64_t key = of->tail ? chunk->key_max : chunk->key_min;
  uint32_t first = plan_schema_values(schema);
  bool any = false;
  *done = false;
  if (of->rows_max != 1 || !chunk->statistics || chunk->run_count != 1 || source->filter ||
      of->reader.run_positions[0] == POSITION_NONE)
    return ERR_OK;
  for (uint32_t i = first; i < schema->count; i++) {
    const struct column_statistics *of_column;
    if (source->store_index[i] < 0) continue;
    of_column = &chunk->statistics[source->store_index[i]];
    if (of_column->count && type_is_string(schema->columns[i].type)) return ERR_OK;
    any |= of_column->count && (of->tail ? of_column->last_key : of_column->first_key) == key;
  }
  if (source->scan->scan.any_present && !any) return ERR_OK;
  struct collection *into = of->into;
  uint32_t position = of->reader.run_positions[0];
  int code = add_run(of, position, (uint32_t)into->keys.length, 1, err);
  builder_append_i64(&into->keys, key);
  for (uint32_t i = first; i < schema->count && !code; i++) {
    const struct column_statistics *of_column =
        source->store_index[i] < 0 ? NULL : &chunk->statistics[source->store_index[i]];
    if (source->tags[i].length)
      exec__append_code(&into->columns[i], source->tags[i].i32[position], 1);
    else if (of_column && of_column->count &&
             (of->tail ? of_column->last_key : of_column->first_key) == key)
      exec__append_bits(&into->columns[i], of->tail ? of_column->last.u64 : of_column->first.u64);
    else
      builder_append_null(&into->columns[i]);
    code = builder_check(&into->columns[i], err);
  }
  *done = true;
  return code ? code : builder_check(&into->keys, err);
}

/* ---- the morsel ---- */

static int collecting_init(struct collecting *of, struct err *err) {
  const struct plan_schema *schema = &of->reader.source->scan->schema;
  struct arena *arena = &of->reader.memory;
  of->wanted = ARENA_ARRAY(arena, bool, schema->count + 1);
  of->picked = arena_alloc(arena, LIMIT_BLOCK_ROWS / 8);
  of->stored = ARENA_ARRAY(arena, bool, schema->count + 1);
  of->rows = arena_alloc(arena, LIMIT_BLOCK_ROWS * sizeof *of->rows);
  of->block_rows = arena_alloc(arena, LIMIT_BLOCK_ROWS * sizeof *of->block_rows);
  of->run_rows = arena_alloc(arena, LIMIT_BLOCK_ROWS * sizeof *of->run_rows);
  of->codes = arena_alloc(arena, LIMIT_BLOCK_ROWS * sizeof *of->codes);
  of->values = arena_alloc(arena, LIMIT_BLOCK_ROWS * sizeof *of->values);
  of->validity = arena_alloc(arena, LIMIT_BLOCK_ROWS / 8);
  if (!of->wanted || !of->picked || !of->stored || !of->rows || !of->block_rows || !of->values ||
      !of->validity || !of->run_rows || !of->codes)
    return exec__refused(of->into->exec, LIMIT_BLOCK_ROWS * 4, err);
  return ERR_OK;
}

int exec__collect(struct collection *collection, const struct morsel *morsel, uint32_t rows_max,
                  bool tail, struct exec_figures *figures, struct err *err) {
  struct collecting of = {.into = collection, .rows_max = rows_max, .tail = tail};
  int code = exec__reader_open(&of.reader, collection->source, morsel, err);
  if (!code) code = collecting_init(&of, err);
  while (!code) {
    bool done;
    code = exec__reader_next(&of.reader, err);
    if (code || of.reader.chunk.rows == 0) break;
    code = take_end(&of, &done, err);
    if (code || done) continue;
    code = pick(&of, err);
    if (!code && of.reader.selected) code = copy_rows(&of, err);
  }
  if (!code) collection->is_short = is_short(collection);
  exec__reader_close(&of.reader, figures);
  return code;
}
