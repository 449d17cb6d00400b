/* Streaming the chunks of a morsel: the filter is computed on its own columns first, the others are
 * loaded only when rows are left. */
#include <string.h>

#include "base/err.h"
#include "columnar/bits.h"
#include "exec/source.h"

int exec__reader_open(struct reader *reader, const struct source *source,
                      const struct morsel *morsel, struct err *err) {
  struct exec *exec = source->exec;
  const struct plan_as_of *as_of = &source->scan->scan.as_of;
  uint32_t count = source->scan->schema.count + 1;
  if (as_of->kind == PLAN_AS_OF_TIME) {
    err_set(err, ERR_UNSUPPORTED, "which commit was the last one at a time is not kept");
    err_hint(err, "read AS OF COMMIT and its number");
    return ERR_UNSUPPORTED;
  }
  *reader = (struct reader){.source = source, .morsel = morsel};
  arena_init(&reader->memory, exec->options.account, 4096);
  arena_init(&reader->scratch, exec->options.account, 4096);
  reader->columns = ARENA_ARRAY(&reader->memory, struct column, count);
  reader->tag_codes = ARENA_ARRAY(&reader->memory, int32_t *, count);
  reader->images = ARENA_ARRAY(&reader->memory, struct reader_images, count);
  reader->kept = ARENA_ARRAY(&reader->memory, struct codec_kept *, count);
  if (!reader->columns || !reader->tag_codes || !reader->images || !reader->kept)
    return exec__refused(exec, count * sizeof *reader->columns, err);
  int code = ERR_OK;
  if (source->filter_program) {
    code = exec__program_state(&reader->memory, source->filter_program, &reader->filter, err);
    if (code) return code;
    reader->selection_bits = arena_alloc(&reader->memory, LIMIT_BLOCK_ROWS / 8);
    if (!reader->selection_bits) return exec__refused(exec, LIMIT_BLOCK_ROWS / 8, err);
  }
  if (source->encoded && source->encoded->rest) {
    code = exec__program_state(&reader->memory, source->encoded->rest, &reader->rest, err);
    if (code) return code;
  }
  uint32_t texts = source->encoded ? source->encoded->program_count : 0;
  if (texts) reader->text_columns = ARENA_ARRAY(&reader->memory, struct column, count);
  if (texts && !reader->text_columns)
    return exec__refused(exec, count * sizeof *reader->text_columns, err);
  for (uint32_t i = 0; i < texts && !code; i++)
    code =
        exec__program_state(&reader->memory, source->encoded->programs[i], &reader->texts[i], err);
  if (code) return code;
  bool range = source->all && morsel->count && !morsel->positions;
  struct store_scan_spec spec = {.store = source->scan->scan.table->id,
                                 .series = range ? NULL : morsel->ids,
                                 .series_count = range ? 0 : morsel->count,
                                 .series_min = morsel->count ? morsel->ids[0] : 0,
                                 .series_max = morsel->count ? morsel->ids[morsel->count - 1] : 0,
                                 .key_min = morsel->key_min,
                                 .key_max = morsel->key_max,
                                 .columns = source->store_ids,
                                 .column_count = source->store_count,
                                 .head = morsel->head,
                                 .tail = morsel->tail,
                                 .as_of = (uint64_t)as_of->value,
                                 .account = exec->options.account};
  return store_scan_open(table_snapshot_store(exec->options.snapshot), &spec, &reader->scan, err);
}

void exec__reader_close(struct reader *reader, struct exec_figures *figures) {
  if (!reader->source) return;
  if (reader->scan) {
    struct store_scan_figures of;
    store_scan_figures(reader->scan, &of);
    figures->rows_scanned += of.rows_scanned;
    figures->blocks_read += of.blocks_read;
    figures->blocks_skipped += of.blocks_skipped;
    figures->blocks_by_statistics += of.blocks_by_statistics;
    figures->bytes_read += of.bytes_read;
    figures->values_by_statistics += reader->values_by_statistics;
    figures->values_encoded += reader->values_encoded;
    figures->values_decoded += reader->values_decoded;
    if (figures->parts_damaged < of.parts_damaged) figures->parts_damaged = of.parts_damaged;
    store_scan_close(reader->scan);
  }
  exec__program_release(reader->filter);
  exec__program_release(reader->rest);
  for (uint32_t i = 0; i < ENCODED_PROGRAMS_MAX; i++)
    exec__program_release(reader->texts[i]);
  mem_free(reader->source->exec->options.account, reader->run_positions,
           reader->run_capacity * sizeof *reader->run_positions);
  arena_deinit(&reader->scratch);
  arena_deinit(&reader->memory);
  reader->source = NULL;
}

/* Positions of the runs' series: both ascend. */
static int find_positions(struct reader *reader, struct err *err) {
  const struct morsel *morsel = reader->morsel;
  struct exec *exec = reader->source->exec;
  uint32_t count = reader->chunk.run_count;
  if (count > reader->run_capacity) {
    uint32_t capacity = count > 64 ? LIMIT_BLOCK_ROWS : 64;
    if (capacity < count) capacity = count;
    size_t old = reader->run_capacity * sizeof *reader->run_positions;
    size_t size = capacity * sizeof *reader->run_positions;
    uint32_t *positions = mem_resize(exec->options.account, reader->run_positions, old, size);
    if (!positions) return exec__refused(exec, size, err);
    reader->run_positions = positions;
    reader->run_capacity = capacity;
  }
  for (uint32_t i = 0; i < count; i++) {
    uint64_t id = reader->chunk.runs[i].series;
    while (reader->cursor < morsel->count && morsel->ids[reader->cursor] < id)
      reader->cursor++;
    if (reader->cursor == morsel->count || morsel->ids[reader->cursor] != id)
      reader->run_positions[i] = POSITION_NONE;
    else if (morsel->positions)
      reader->run_positions[i] = morsel->positions[reader->cursor];
    else
      reader->run_positions[i] = morsel->first + reader->cursor;
  }
  return ERR_OK;
}

int exec__reader_next(struct reader *reader, struct err *err) {
  int code = exec__check(reader->source->exec, err);
  if (!code) code = store_scan_next(reader->scan, &reader->chunk, err);
  if (code) return code;
  uint32_t count = reader->source->scan->schema.count;
  for (uint32_t i = 0; i < count; i++) {
    reader->columns[i].length = 0;
    reader->images[i].asked = false;
  }
  reader->selection = NULL;
  reader->selected = reader->chunk.rows;
  return find_positions(reader, err);
}

/* A tag's codes row by row. */
static int spread_tag(struct reader *reader, uint32_t column, struct err *err) {
  const struct column *tag = &reader->source->tags[column];
  int32_t *codes = reader->tag_codes[column];
  if (!codes) {
    codes = arena_alloc(&reader->memory, LIMIT_BLOCK_ROWS * sizeof *codes);
    if (!codes) return exec__refused(reader->source->exec, LIMIT_BLOCK_ROWS * 4, err);
    reader->tag_codes[column] = codes;
  }
  for (uint32_t r = 0; r < reader->chunk.run_count; r++) {
    const struct store_run *run = &reader->chunk.runs[r];
    uint32_t position = reader->run_positions[r];
    int32_t code = position == POSITION_NONE ? 0 : tag->i32[position];
    for (uint32_t i = 0; i < run->rows; i++)
      codes[run->row + i] = code;
  }
  reader->columns[column] = (struct column){.type = {PHYSICAL_INT32, 0, 0},
                                            .length = reader->chunk.rows,
                                            .i32 = codes,
                                            .dictionary = tag->dictionary};
  return ERR_OK;
}

/* A column that is not there: nulls of the planned type. */
static int give_nulls(struct reader *reader, uint32_t column, struct err *err) {
  size_t size = (LIMIT_BLOCK_ROWS + 1) * 8;
  if (!reader->zeros) reader->zeros = arena_alloc_zero(&reader->memory, size);
  if (!reader->zeros) return exec__refused(reader->source->exec, size, err);
  reader->columns[column] =
      (struct column){.type = reader->source->scan->schema.columns[column].type,
                      .null_count = reader->chunk.rows,
                      .length = reader->chunk.rows,
                      .validity = reader->zeros,
                      .values = reader->zeros,
                      .data = reader->zeros};
  return ERR_OK;
}

static int take_stored(struct reader *reader, uint32_t column, struct err *err) {
  const struct column *stored = &reader->chunk.columns[reader->source->store_index[column]];
  struct type type = reader->source->scan->schema.columns[column].type;
  if (stored->null_count == reader->chunk.rows) return give_nulls(reader, column, err);
  if (stored->type.physical != type.physical)
    return err_set(err, ERR_INTERNAL, "column %u is %s, not %s",
                   reader->source->store_ids[reader->source->store_index[column]],
                   type_name(stored->type), type_name(type));
  reader->columns[column] = *stored;
  reader->columns[column].type = type;
  reader->values_decoded += reader->chunk.rows;
  return ERR_OK;
}

int exec__reader_load(struct reader *reader, const bool *wanted, struct err *err) {
  const struct source *source = reader->source;
  const struct plan_schema *schema = &source->scan->schema;
  uint64_t mask = 0;
  bool keys = false;
  for (uint32_t i = 0; i < schema->count; i++) {
    if (!wanted[i] || reader->columns[i].length) continue;
    if (schema->has_time && i == schema->group_count) keys = true;
    if (source->store_index[i] >= 0)
      mask |= UINT64_C(1) << (source->store_index[i] < 63 ? source->store_index[i] : 63);
  }
  int code = ERR_OK;
  if (mask || keys) code = store_scan_load(reader->scan, &reader->chunk, keys, mask, err);
  for (uint32_t i = 0; i < schema->count && !code; i++) {
    if (!wanted[i] || reader->columns[i].length) continue;
    if (schema->has_time && i == schema->group_count)
      reader->columns[i] = (struct column){
          .type = schema->columns[i].type, .length = reader->chunk.rows, .i64 = reader->chunk.keys};
    else if (source->store_index[i] >= 0)
      code = take_stored(reader, i, err);
    else if (source->tags[i].length)
      code = spread_tag(reader, i, err);
    else
      code = give_nulls(reader, i, err);
  }
  return code;
}

/* What the filter decodes of a block stays for whoever wants the column behind it. */
static int keep_fields(struct reader *reader, uint32_t column, const struct store_image *image,
                       struct err *err) {
  const struct encoded_filter *filter = reader->source->encoded;
  struct codec_kept **kept = &reader->kept[column];
  if (!filter || !filter->columns[column] || image->absent || !image->image.opened ||
      type_width(image->image.type) != 8)
    return ERR_OK;
  if (!*kept) {
    size_t align = _Alignof(struct codec_kept);
    uint8_t *memory = arena_alloc(&reader->memory, sizeof **kept + align);
    if (!memory) return exec__refused(reader->source->exec, sizeof **kept, err);
    *kept = (struct codec_kept *)(void *)(memory + (-(uintptr_t)memory & (align - 1)));
  }
  (*kept)->owner = image->image.bytes;
  (*kept)->there = 0;
  image->image.opened->kept = *kept;
  return ERR_OK;
}

int exec__reader_images(struct reader *reader, uint32_t column, const struct store_image **images,
                        uint32_t *count, struct err *err) {
  struct reader_images *of = &reader->images[column];
  const struct source *source = reader->source;
  int32_t index = source->store_index[column];
  *count = 0;
  if (index < 0 || reader->columns[column].length) return ERR_OK;
  if (!of->asked) {
    int code = store_scan_images(reader->scan, &reader->chunk, (uint32_t)index, &of->images,
                                 &of->count, err);
    if (code) return code;
    of->asked = true;
    uint8_t physical = source->scan->schema.columns[column].type.physical;
    for (uint32_t i = 0; i < of->count; i++)
      if (!of->images[i].absent && of->images[i].image.type.physical != physical) of->count = 0;
    if (of->count == 1) code = keep_fields(reader, column, of->images, err);
    if (code) return code;
  }
  *images = of->images;
  *count = of->count;
  return ERR_OK;
}

/* ---- the filter ---- */

/* Runs a condition on all rows of the chunk; its bits are put into the selection, or take rows out
 * of what is there. */
static int run_condition(struct reader *reader, struct program_state *program, const bool *columns,
                         bool among, struct err *err) {
  struct column passed;
  int code = exec__reader_load(reader, columns, err);
  if (!code)
    code = exec__program_run_list(program, reader->columns, reader->chunk.rows,
                                  among ? reader->selection_bits : NULL, &passed, err);
  if (code) return code;
  size_t words = bit_words(reader->chunk.rows);
  for (size_t w = 0; w < words; w++) {
    uint64_t word = passed.bits[w] & (passed.validity ? passed.validity[w] : ~UINT64_C(0));
    reader->selection_bits[w] = among ? reader->selection_bits[w] & word : word;
  }
  return ERR_OK;
}

/* Selects what can be selected without values, then the rest. *done false: no row was looked at. */
static int filter_encoded(struct reader *reader, bool *done, struct err *err) {
  const struct encoded_filter *encoded = reader->source->encoded;
  *done = false;
  if (!encoded) return ERR_OK;
  int code = exec__encoded_filter_run(reader, encoded, reader->selection_bits, done, err);
  if (code == ERR_CORRUPTION) { /* decoding will say what it is */
    *done = false;
    return ERR_OK;
  }
  if (code || !*done || !reader->rest) return code;
  if (!bits_count(reader->selection_bits, 0, reader->chunk.rows)) return ERR_OK;
  return run_condition(reader, reader->rest, encoded->rest_columns, true, err);
}

int exec__reader_filter(struct reader *reader, struct err *err) {
  if (!reader->filter) return ERR_OK;
  bool done;
  int code = filter_encoded(reader, &done, err);
  if (!code && !done)
    code = run_condition(reader, reader->filter, reader->source->filter_columns, false, err);
  if (code) return code;
  size_t words = bit_words(reader->chunk.rows);
  reader->selection_bits[words - 1] &= bits_mask((reader->chunk.rows - 1) % 64 + 1);
  reader->selected = (uint32_t)bits_count(reader->selection_bits, 0, reader->chunk.rows);
  reader->selection = reader->selected == reader->chunk.rows ? NULL : reader->selection_bits;
  return ERR_OK;
}

int exec__reader_keys(struct reader *reader, struct err *err) {
  if (reader->chunk.keys) return ERR_OK;
  return store_scan_load(reader->scan, &reader->chunk, true, 0, err);
}
