/* Filters of a part on disk: the entries are loaded on first use and stay with the part; a block's
 * filter is read when it is asked. What can't be read excludes nothing. */
#include "base/checksum.h"
#include "base/err.h"
#include "store/part_filter.h"
#include "store/part_private.h"

/* Rows do not depend on filters: the part is not damaged by this. */
static int filter_damaged(const struct store_part *part, uint32_t index, uint64_t offset,
                          const char *what, struct err *err) {
  int code = part__violated(part, PART_FILTER, part->column_ids[index], offset, what, err);
  err_hint(err, "no row is touched by this, and blocks are read instead; repair writes it again");
  return code;
}

static int filter_bytes(const struct store_part *part, uint32_t index, uint64_t offset,
                        uint64_t size, struct arena *arena, const uint8_t **bytes,
                        struct err *err) {
  if (part->memory) return part__bytes(part, offset, size, arena, bytes, err);
  uint8_t *copy = arena_alloc(arena, size);
  if (!copy) return mem_refused(arena->account, size, err);
  *bytes = copy;
  int code = part__try_read(part, offset, copy, size, err);
  if (code != ERR_NO_FILE && code != ERR_END_OF_INPUT) return code;
  return filter_damaged(part, index, offset, "a filter is missing", err);
}

/* Reads header and entries; *count 0 and ERR_OK: the column has no filter. */
static int read_entries(struct store_part *part, uint32_t index, struct arena *arena,
                        const struct part_filter_entry **entries, uint32_t *count,
                        struct err *err) {
  const struct part_place *place = &part->columns[index].filter;
  const uint8_t *bytes;
  struct part_filter_header header;
  *count = 0;
  if (place->size == 0) return ERR_OK;
  uint64_t size = sizeof header + part->meta.blocks * sizeof(struct part_filter_entry);
  if (place->form != PART_UNITS || size > place->size)
    return filter_damaged(part, index, place->offset, "a filter is shorter than its entries", err);
  int code = filter_bytes(part, index, place->offset, size, arena, &bytes, err);
  if (code) return code;
  memcpy(&header, bytes, sizeof header);
  if (checksum64(bytes + 8, size - 8) != header.checksum)
    return filter_damaged(part, index, place->offset,
                          "the checksum of a filter's entries does not hold", err);
  if (header.version != PART_FILTER_VERSION) return ERR_OK; /* of a later program: passed over */
  if (header.blocks != part->meta.blocks)
    return filter_damaged(part, index, place->offset, "a filter is of another number of blocks",
                          err);
  *entries = (const struct part_filter_entry *)(const void *)(bytes + sizeof header);
  *count = header.blocks;
  uint64_t words = (place->size - size) / PART_FILTER_WORD;
  for (uint32_t i = 0; i < *count; i++)
    if ((*entries)[i].place > words || (*entries)[i].words > words - (*entries)[i].place)
      return filter_damaged(part, index, place->offset, "a filter lies outside its section", err);
  return ERR_OK;
}

static int load_entries(struct store_part *part, uint32_t index, struct part_loaded_filter **out) {
  struct part_column *column = &part->columns[index];
  struct part_loaded_filter *there = atomic_load_explicit(&column->filters, memory_order_acquire);
  *out = there;
  if (there) return ERR_OK;
  struct arena arena;
  const struct part_filter_entry *entries;
  uint32_t count;
  arena_init(&arena, part->account, 1024);
  int code = read_entries(part, index, &arena, &entries, &count, NULL);
  size_t held = sizeof *there + count * sizeof *entries;
  struct part_loaded_filter *loaded = code ? NULL : mem_alloc(part->account, held);
  if (loaded) {
    loaded->held = held;
    loaded->count = count;
    if (count) memcpy(loaded->entries, entries, count * sizeof *entries);
    if (atomic_compare_exchange_strong(&column->filters, &there, loaded))
      *out = loaded;
    else { /* somebody was first */
      *out = there;
      mem_free(part->account, loaded, held);
    }
  }
  arena_deinit(&arena);
  return *out ? ERR_OK : ERR_NO_MEMORY;
}

static uint64_t filter_offset(const struct store_part *part, uint32_t index,
                              const struct part_filter_entry *entry) {
  return part->columns[index].filter.offset + sizeof(struct part_filter_header) +
         part->meta.blocks * sizeof *entry + (uint64_t)entry->place * PART_FILTER_WORD;
}

bool part_filter_excludes(struct store_part *part, uint32_t block, uint32_t column_id,
                          const uint64_t *hashes, size_t count, uint64_t *bytes_read) {
  uint32_t index = part__find_column(part, column_id);
  struct part_loaded_filter *loaded;
  if (index == UINT32_MAX || part->columns[index].filter.size == 0) return false;
  if (load_entries(part, index, &loaded) || block >= loaded->count) return false;
  const struct part_filter_entry *entry = &loaded->entries[block];
  size_t size = (size_t)entry->words * PART_FILTER_WORD;
  if (size == 0) return false; /* no value there: the statistics say so */
  struct arena arena;
  const uint8_t *filter;
  arena_init(&arena, part->account, size + 64);
  bool excluded = filter_bytes(part, index, filter_offset(part, index, entry), size, &arena,
                               &filter, NULL) == ERR_OK &&
                  checksum64(filter, size) == entry->checksum;
  for (size_t i = 0; i < count && excluded; i++)
    excluded = !part_filter_may_hold(filter, entry->words, hashes[i]);
  arena_deinit(&arena);
  *bytes_read += size;
  return excluded;
}

int part_filter_verify(struct store_part *part, uint32_t column_id, struct err *err) {
  uint32_t index = part__find_column(part, column_id), count = 0;
  const struct part_filter_entry *entries;
  struct arena arena;
  if (index == UINT32_MAX) return ERR_OK;
  arena_init(&arena, part->account, 4096);
  int code = read_entries(part, index, &arena, &entries, &count, err);
  for (uint32_t i = 0; i < count && !code; i++) {
    size_t size = (size_t)entries[i].words * PART_FILTER_WORD;
    const uint8_t *filter;
    uint64_t offset = filter_offset(part, index, &entries[i]);
    if (size == 0) continue;
    code = filter_bytes(part, index, offset, size, &arena, &filter, err);
    if (!code && checksum64(filter, size) != entries[i].checksum)
      code = filter_damaged(part, index, offset, "the checksum of a filter does not hold", err);
  }
  arena_deinit(&arena);
  return code;
}
