/* Filters of a part in the making: the writer tells each block's values of a column, and at its end
 * asks for the sections. */
#include "base/checksum.h"
#include "base/err.h"
#include "base/memory.h"
#include "kernel/sort.h"
#include "store/part_filter.h"
#include "store/part_writer_private.h"

#define FALSE_POSITIVES_DEFAULT 0.01

struct part_filter_column {
  uint32_t id;
  struct buffer entries; /* of the blocks so far */
  struct buffer words;
};

static struct part_filter_column *find_column(struct part_filters *filters, uint32_t id) {
  for (uint32_t i = 0; i < filters->settings->filter_count; i++)
    if (filters->columns[i].id == id) return &filters->columns[i];
  return NULL;
}

/* ---- hashes of a block ---- */

static bool add_hash(struct part_filters *filters, size_t *count, uint64_t hash) {
  if (*count == filters->hash_capacity) {
    size_t wanted = filters->hash_capacity ? 2 * filters->hash_capacity : 16384;
    uint64_t *hashes =
        mem_resize(filters->account, filters->hashes, filters->hash_capacity * 8, wanted * 8);
    if (!hashes) return false;
    filters->hashes = hashes;
    filters->hash_capacity = wanted;
  }
  filters->hashes[(*count)++] = hash;
  return true;
}

/* The items of a list; *known false for bytes that are none. */
static bool add_items(struct part_filters *filters, struct type type, struct str bytes,
                      size_t *count, bool *known) {
  struct reader reader = reader_of(bytes.data, bytes.size);
  while (reader_left(&reader)) {
    uint64_t hash = type.logical == LOGICAL_LIST_INT64
                        ? part_filter_hash_number(TYPE_INT64, reader_u64(&reader))
                        : part_filter_hash_text(reader_sized(&reader));
    if (reader.failed) break;
    if (!add_hash(filters, count, hash)) return false;
  }
  *known &= !reader.failed;
  return true;
}

static bool add_value(struct part_filters *filters, const struct column *values, int64_t row,
                      size_t *count, bool *known) {
  uint8_t logical = values->type.logical;
  if (logical == LOGICAL_LIST_INT64 || logical == LOGICAL_LIST_STRING)
    return add_items(filters, values->type, column_str(values, row), count, known);
  if (type_is_string(values->type))
    return add_hash(filters, count, part_filter_hash_text(column_str(values, row)));
  uint64_t bits =
      values->type.physical == PHYSICAL_BOOL ? bit_get(values->bits, row) : values->u64[row];
  if (values->type.physical == PHYSICAL_FLOAT64 && values->f64[row] != values->f64[row])
    return true; /* NaN equals nothing */
  return add_hash(filters, count, part_filter_hash_number(values->type, bits));
}

static size_t distinct(uint64_t *hashes, size_t count, uint64_t *spare) {
  sort_keys(hashes, spare, count);
  size_t kept = 0;
  for (size_t i = 0; i < count; i++)
    if (i == 0 || hashes[i] != hashes[kept - 1]) hashes[kept++] = hashes[i];
  return kept;
}

/* ---- the observer ---- */

/* Appends the filter of a block's values and its entry; blocks before it without values get empty
 * entries. */
static int add_filter(struct part_filters *filters, struct part_filter_column *column,
                      uint64_t block, size_t count, struct err *err) {
  struct part_filter_entry entry = {.place = (uint32_t)(column->words.size / PART_FILTER_WORD)};
  size_t missing = (size_t)block * sizeof entry - column->entries.size;
  double wanted = filters->settings->filter_false_positives;
  entry.words = part_filter_words(count, wanted > 0 ? wanted : FALSE_POSITIVES_DEFAULT);
  size_t size = (size_t)entry.words * PART_FILTER_WORD;
  uint8_t *filter = size ? buffer_reserve(&column->words, size) : NULL;
  if (filter) {
    memset(filter, 0, size);
    for (size_t i = 0; i < count; i++)
      part_filter_add(filter, entry.words, filters->hashes[i]);
    entry.checksum = checksum64(filter, size);
    buffer_advance(&column->words, size);
  }
  buffer_append_zero(&column->entries, missing);
  buffer_append(&column->entries, &entry, sizeof entry);
  int code = buffer_check(&column->words, err);
  return code ? code : buffer_check(&column->entries, err);
}

static int observe(void *context, uint64_t block, uint32_t id, const struct column *values,
                   struct err *err) {
  struct part_filters *filters = context;
  struct part_filter_column *column = find_column(filters, id);
  if (!column) return ERR_OK;
  size_t count = 0;
  bool known = true;
  for (int64_t row = 0; row < values->length; row++)
    if (column_is_valid(values, row) && !add_value(filters, values, row, &count, &known))
      return mem_refused(filters->account, filters->hash_capacity * 16, err);
  size_t size = (count + 1) * sizeof(uint64_t);
  uint64_t *spare = mem_alloc(filters->account, size);
  if (!spare) return mem_refused(filters->account, size, err);
  count = distinct(filters->hashes, count, spare);
  mem_free(filters->account, spare, size);
  /* a block whose values are all NaN or empty lists has a filter, too: one that holds nothing */
  if (!known) count = 0; /* no filter: nothing is ruled out by it */
  if (known && count == 0 && !add_hash(filters, &count, 0))
    return mem_refused(filters->account, sizeof(uint64_t), err);
  return add_filter(filters, column, block, count, err);
}

/* Filters grow with the part: there is one copy of them, but for a moment. */
static int write_section(struct part_filter_column *column, struct part_writer *writer,
                         struct err *err) {
  struct part_filter_header header = {.version = PART_FILTER_VERSION,
                                      .blocks = (uint32_t)writer->blocks};
  size_t entries = writer->blocks * sizeof(struct part_filter_entry);
  struct buffer out;
  buffer_init(&out, writer->account);
  buffer_reserve(&out, sizeof header + entries + column->words.size);
  buffer_append(&out, &header, sizeof header);
  buffer_append(&out, column->entries.data, column->entries.size);
  buffer_append_zero(&out, entries - column->entries.size);
  if (!out.failed) {
    header.checksum = checksum64(out.data + 8, out.size - 8);
    memcpy(out.data, &header, sizeof header);
  }
  buffer_append(&out, column->words.data, column->words.size);
  buffer_deinit(&column->words);
  int code = buffer_check(&out, err);
  if (!code) return part_writer_section(writer, PART_FILTER, PART_UNITS, column->id, &out, err);
  buffer_deinit(&out);
  return code;
}

static int finish(void *context, struct part_writer *writer, struct err *err) {
  struct part_filters *filters = context;
  int code = ERR_OK;
  for (uint32_t i = 0; i < filters->settings->filter_count && !code; i++)
    if (filters->columns[i].entries.size) code = write_section(&filters->columns[i], writer, err);
  return code;
}

int part_filters_init(struct part_filters *filters, const struct store_settings *settings,
                      struct mem_account *account, struct err *err) {
  *filters = (struct part_filters){.account = account, .settings = settings};
  if (settings->filter_count == 0) return ERR_OK;
  size_t size = settings->filter_count * sizeof *filters->columns;
  filters->columns = mem_alloc_zero(account, size);
  if (!filters->columns) return mem_refused(account, size, err);
  for (uint32_t i = 0; i < settings->filter_count; i++) {
    filters->columns[i].id = settings->filters[i];
    buffer_init(&filters->columns[i].entries, account);
    buffer_init(&filters->columns[i].words, account);
  }
  filters->observer =
      (struct part_observer){.context = filters, .values = observe, .finish = finish};
  return ERR_OK;
}

void part_filters_deinit(struct part_filters *filters) {
  for (uint32_t i = 0; filters->columns && i < filters->settings->filter_count; i++) {
    buffer_deinit(&filters->columns[i].entries);
    buffer_deinit(&filters->columns[i].words);
  }
  if (filters->columns)
    mem_free(filters->account, filters->columns,
             filters->settings->filter_count * sizeof *filters->columns);
  mem_free(filters->account, filters->hashes, filters->hash_capacity * sizeof *filters->hashes);
  *filters = (struct part_filters){0};
}
