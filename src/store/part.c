/* The life of a part: what backs it, opening (footer and tail only), references, facts. */
#include <assert.h>
#include <stdio.h>

#include "base/checksum.h"
#include "base/err.h"
#include "base/memory.h"
#include "os/os.h"
#include "store/part_private.h"

/* ---- what backs parts ---- */

void part_memory_retain(struct part_memory *memory) {
  atomic_fetch_add_explicit(&memory->references, 1, memory_order_relaxed);
}

void part_memory_release(struct part_memory *memory) {
  if (!memory || atomic_fetch_sub_explicit(&memory->references, 1, memory_order_acq_rel) != 1)
    return;
  mem_free(memory->account, memory->data, memory->capacity);
  mem_free(memory->account, memory, sizeof *memory);
}

/* ---- errors and bytes ---- */

void part_describe(const struct store_part *part, char *out, size_t size) {
  if (part->file && part->file->layout != PART_IMAGES)
    snprintf(out, size, "%s, part of store %llu", part->file->path,
             (unsigned long long)part->meta.store);
  else if (part->file)
    snprintf(out, size, "%s, part at %llu of store %llu", part->file->path,
             (unsigned long long)part->offset, (unsigned long long)part->meta.store);
  else
    snprintf(out, size, "memory part of store %llu, commits %llu to %llu",
             (unsigned long long)part->meta.store, (unsigned long long)part->meta.commit_min,
             (unsigned long long)part->meta.commit_max);
}

bool part_is_damaged(const struct store_part *part) {
  return atomic_load_explicit(&part->damaged, memory_order_acquire);
}

void part_mark_damaged(struct store_part *part) { atomic_store(&part->damaged, true); }

int part__damaged(const struct store_part *part, unsigned kind, uint32_t column, uint64_t offset,
                  const char *what, struct err *err) {
  part_mark_damaged((struct store_part *)part); /* parts are always made by mem_alloc */
  return part__violated(part, kind, column, offset, what, err);
}

int part__violated(const struct store_part *part, unsigned kind, uint32_t column, uint64_t offset,
                   const char *what, struct err *err) {
  char section[32], where[LIMIT_PATH_SIZE];
  part_section_name(kind, column, section, sizeof section);
  err_set(err, ERR_CORRUPTION, "a part is damaged: %s", what);
  /* The end of a long path says more than its beginning. */
  const char *path = part->file ? part->file->path : "memory part";
  size_t length = strlen(path);
  path += length > 120 ? length - 120 : 0;
  uint64_t at = part->offset + offset;
  if (part->file && part->file->layout == PART_WIDE) {
    const struct part_extent *extent = part__extent(part, offset);
    char name[PART_FILE_NAME_SIZE];
    part__extent_name(part, extent, name);
    at = offset - extent->offset;
    snprintf(where, sizeof where, "%s/%s", path, name);
  } else {
    bool compact = part->file && part->file->layout == PART_COMPACT;
    snprintf(where, sizeof where, "%s%s", path, compact ? "/part.bin" : "");
  }
  err_detail(err, "%s, store %llu, section %s, offset %llu", where,
             (unsigned long long)part->meta.store, section, (unsigned long long)at);
  err_hint(err, part->file ? "restore this file from a backup; other files are not affected"
                           : "restart the server: it reads the rows again from the log");
  err_position(err, 0, 0, (int64_t)at);
  return ERR_CORRUPTION;
}

/* ---- where bytes are ---- */

const struct part_extent *part__extent(const struct store_part *part, uint64_t offset) {
  uint32_t low = 0, high = part->extent_count;
  while (high - low > 1) {
    uint32_t middle = low + (high - low) / 2;
    if (part->extents[middle].offset <= offset)
      low = middle;
    else
      high = middle;
  }
  return &part->extents[low];
}

void part__extent_name(const struct store_part *part, const struct part_extent *extent,
                       char out[PART_FILE_NAME_SIZE]) {
  char stem[PART_STEM_SIZE] = "";
  uint32_t index = part_order_column(extent->order);
  if (index != UINT32_MAX) {
    bool with_id = false;
    if (part->names) {
      struct reader reader = reader_of(part->names + part->name_offsets[index],
                                       part->names_size - part->name_offsets[index]);
      with_id = reader_varint(&reader) & 1;
    }
    part_stem(store_part_column_name(part, index), part->column_ids[index], with_id, stem);
  }
  part_order_name(extent->order, stem, out);
}

/* meta.bin and part.bin have slot 0, as when they were opened. */
static int read_extent(const struct store_part *part, const struct part_extent *extent,
                       uint64_t offset, void *bytes, size_t size, struct err *err) {
  char name[PART_FILE_NAME_SIZE];
  part__extent_name(part, extent, name);
  uint32_t index = (uint32_t)(extent - part->extents);
  uint32_t slot = extent->order == PART_ORDER_META ? 0 : index + 1;
  return part_file_read(part->file, slot, name, offset - extent->offset, bytes, size, err);
}

int part__try_read(const struct store_part *part, uint64_t offset, void *bytes, size_t size,
                   struct err *err) {
  if (part->file->layout == PART_WIDE)
    return read_extent(part, part__extent(part, offset), offset, bytes, size, err);
  return part_file_read(part->file, 0, part->file->layout == PART_COMPACT ? "part.bin" : NULL,
                        part->offset + offset, bytes, size, err);
}

int part__read(const struct store_part *part, uint64_t offset, void *bytes, size_t size,
               struct err *err) {
  int code = part__try_read(part, offset, bytes, size, err);
  if (code == ERR_END_OF_INPUT)
    return part__damaged(part, PART_BLOCKS, 0, offset, "the file is shorter than the part", err);
  if (code == ERR_NO_FILE && part->file->layout == PART_WIDE)
    return part__damaged(part, PART_BLOCKS, 0, offset, "a file of the part is missing", err);
  return code;
}

void part__blocks_range(const struct store_part *part, uint64_t *begin, uint64_t *end) {
  *begin = part->column_major ? part->keys.offset : sizeof(struct part_header);
  *end = part->column_major ? part->keys.offset + part->keys.size : part->tail_offset;
}

int part__bytes(const struct store_part *part, uint64_t offset, uint64_t size, struct arena *arena,
                const uint8_t **bytes, struct err *err) {
  assert(offset <= part->size && size <= part->size - offset);
  const uint8_t *at = part->memory ? part->memory->data + part->offset + offset : NULL;
  if (at && (uintptr_t)at % PART_ALIGNMENT == 0) {
    *bytes = at;
    return ERR_OK;
  }
  uint8_t *copy = arena_alloc(arena, size);
  if (!copy) return mem_refused(arena->account, size, err);
  *bytes = copy;
  if (!at) return part__read(part, offset, copy, size, err);
  memcpy(copy, at, size);
  return ERR_OK;
}

/* ---- opening ---- */

/* What opening has read, before there is a part to keep it. */
struct opening {
  struct store_part *part; /* of the right place; its arrays come once their sizes are known */
  struct arena arena;
  struct part_footer footer;
  const uint8_t *tail;
  const struct part_section *sections;
  const struct part_section *meta, *names;
  struct part_extent end; /* a wide part's meta.bin, until all its files are known */
};

static int damaged_end(struct opening *opening, uint64_t offset, const char *what,
                       struct err *err) {
  return part__damaged(opening->part, PART_META, 0, offset, what, err);
}

static int check_footer(struct opening *opening, const uint8_t *bytes, struct err *err) {
  struct part_footer *footer = &opening->footer;
  struct store_part *part = opening->part;
  uint64_t at = part->size - sizeof *footer;
  memcpy(footer, bytes, sizeof *footer);
  if (memcmp(footer->magic, PART_FOOTER_MAGIC, sizeof footer->magic) != 0)
    return damaged_end(opening, at, "it does not end with a footer", err);
  if (checksum64(footer, offsetof(struct part_footer, checksum)) != footer->checksum)
    return damaged_end(opening, at, "the footer's checksum does not hold", err);
  if (footer->version > PART_VERSION || footer->incompatible & ~(uint32_t)PART_INCOMPATIBLE_KNOWN) {
    err_set(err, ERR_BAD_VERSION, "a part was written by a newer version (%u, features %#x)",
            footer->version, footer->incompatible);
    err_detail(err, "%s", part->file ? part->file->path : "memory part");
    err_hint(err, "open the directory with the version that wrote it");
    return ERR_BAD_VERSION;
  }
  bool wide = part->file && part->file->layout == PART_WIDE;
  uint64_t room = part->size - sizeof *footer - (wide ? 0 : sizeof(struct part_header));
  if ((wide ? footer->image_size < part->size : footer->image_size != part->size) ||
      footer->image_size > INT64_MAX || footer->tail_size > room ||
      footer->tail_size % PART_ALIGNMENT || footer->tail_size > (uint64_t)LIMIT_UNIT_SIZE ||
      footer->section_count > PART_SECTIONS_MAX ||
      footer->section_count * sizeof(struct part_section) > footer->tail_size)
    return damaged_end(opening, at, "the footer's sizes do not fit the part", err);
  if (wide) { /* so far meta.bin has been taken for all of it */
    opening->end.offset = footer->image_size - part->size;
    part->size = footer->image_size;
    at = part->size - sizeof *footer;
  }
  part->column_major = footer->incompatible & PART_FEATURE_COLUMN_MAJOR;
  part->section_count = footer->section_count;
  part->tail_size = footer->tail_size;
  part->tail_offset = at - footer->tail_size;
  part->tail_checksum = footer->tail_checksum;
  return ERR_OK;
}

/* Reads footer and tail, in one call if the tail is short. */
static int read_end(struct opening *opening, struct err *err) {
  struct store_part *part = opening->part;
  if (part->size < sizeof(struct part_header) + sizeof(struct part_footer) ||
      part->size % PART_ALIGNMENT)
    return damaged_end(opening, 0, "it is shorter than a part can be", err);
  uint64_t want = part->memory ? sizeof(struct part_footer) : PART_TAIL_READ;
  if (want > part->size) want = part->size;
  const uint8_t *end;
  int code = part__bytes(part, part->size - want, want, &opening->arena, &end, err);
  if (!code) code = check_footer(opening, end + want - sizeof(struct part_footer), err);
  if (code) return code;
  if (part->tail_size + sizeof(struct part_footer) <= want)
    opening->tail = end + want - sizeof(struct part_footer) - part->tail_size;
  else
    code =
        part__bytes(part, part->tail_offset, part->tail_size, &opening->arena, &opening->tail, err);
  if (code) return code;
  if (checksum64(opening->tail, part->tail_size) != part->tail_checksum)
    return damaged_end(opening, part->tail_offset, "the tail's checksum does not hold", err);
  return ERR_OK;
}

/* Checks where sections are and finds those that belong to no column. */
static int check_sections(struct opening *opening, struct err *err) {
  struct store_part *part = opening->part;
  uint32_t count = opening->footer.section_count;
  uint64_t directory = part->tail_size - count * sizeof(struct part_section);
  opening->sections = (const struct part_section *)(const void *)(opening->tail + directory);
  for (uint32_t i = 0; i < count; i++) {
    const struct part_section *section = &opening->sections[i];
    uint64_t at = part->tail_offset + directory + i * sizeof *section;
    uint64_t from = section->form == PART_IN_TAIL ? part->tail_offset : sizeof(struct part_header);
    uint64_t end =
        section->form == PART_IN_TAIL ? part->tail_offset + directory : part->tail_offset;
    if (section->offset < from || section->offset > end || section->size > end - section->offset ||
        section->offset % PART_ALIGNMENT || section->form > PART_UNITS ||
        (section->form != PART_UNITS && section->size > (uint64_t)LIMIT_UNIT_SIZE))
      return damaged_end(opening, at, "a section lies outside the part", err);
    struct part_place place = {section->offset, section->size, section->checksum, section->form};
    bool fits = true;
    if (section->kind == PART_META) {
      fits = section->form == PART_IN_TAIL && !opening->meta;
      opening->meta = section;
    } else if (section->kind == PART_PRIMARY) {
      fits = section->form == PART_IN_TAIL || section->form == PART_CHUNKED;
      part->primary = place;
    } else if (section->kind == PART_SERIES) {
      part->series = place;
    } else if (section->kind == PART_TOMBSTONES) {
      fits = section->form == PART_IN_TAIL || section->form == PART_WHOLE;
      part->tombstones_place = place;
    } else if (section->kind == PART_KEYS) {
      fits = section->form == PART_UNITS;
      part->keys = place;
    } else if (section->kind == PART_NAMES) {
      fits = section->form == PART_IN_TAIL;
      opening->names = section;
    }
    /* Files are cut out of the image in this order. */
    if (part->column_major && i && section->offset < section[-1].offset) fits = false;
    if (!fits) return damaged_end(opening, at, "a section has a form it can't have", err);
  }
  if (!opening->meta || opening->meta->size < PART_META_SIZE_MIN)
    return damaged_end(opening, part->tail_offset, "there is no meta section", err);
  return ERR_OK;
}

/* Facts that contradict each other. */
static bool meta_fits(const struct store_part *part, uint64_t section_size) {
  const struct part_meta *meta = &part->meta;
  uint64_t arrays = (uint64_t)meta->column_count * sizeof(struct part_meta_column) +
                    (uint64_t)meta->source_count * sizeof(uint64_t);
  return meta->size >= PART_META_SIZE_MIN && meta->size % 8 == 0 && meta->size <= section_size &&
         arrays <= section_size - meta->size && meta->policy >= STORE_KEEP_ALL &&
         meta->policy <= STORE_NEWEST_ROW && meta->blocks <= meta->rows &&
         meta->blocks <= part->primary.size / PART_PRIMARY_SIZE_MIN &&
         meta->rows <= meta->blocks * LIMIT_BLOCK_ROWS && meta->series_count <= meta->rows &&
         (meta->rows == 0 ||
          (meta->series_count > 0 && meta->series_min > 0 && meta->series_min <= meta->series_max &&
           meta->key_min <= meta->key_max));
}

/* Copies meta and its arrays into a part of the right size, which takes the place of the old one.
 */
static int read_meta(struct opening *opening, struct err *err) {
  struct store_part *part = opening->part;
  uint64_t at = opening->meta->offset - part->tail_offset;
  const uint8_t *bytes = opening->tail + at;
  uint64_t meta_size = opening->meta->size; /* of struct and arrays */
  memcpy(&part->meta, bytes, PART_META_SIZE_MIN);
  if (part->meta.size >= sizeof part->meta && meta_size >= sizeof part->meta)
    memcpy(&part->meta, bytes, sizeof part->meta);
  if (!meta_fits(part, meta_size))
    return damaged_end(opening, opening->meta->offset, "the facts of the part contradict", err);
  uint64_t columns = part->meta.column_count, sources = part->meta.source_count;
  size_t held = sizeof *part + columns * sizeof(struct part_column) + sources * sizeof(uint64_t) +
                columns * (sizeof(uint32_t) + sizeof(struct type));
  uint64_t names = opening->names ? opening->names->size : 0;
  if (names) held += columns * sizeof(uint32_t) + names;
  struct store_part *grown = mem_resize(part->account, part, part->held, held);
  if (!grown) return mem_refused(part->account, held, err);
  opening->part = part = grown;
  part->held = held;
  part->columns = (struct part_column *)(part + 1);
  part->sources = (uint64_t *)(part->columns + columns);
  part->column_ids = (uint32_t *)(part->sources + sources);
  part->column_types = (struct type *)(part->column_ids + columns);
  if (names) {
    part->name_offsets = (uint32_t *)(part->column_types + columns);
    part->names = (uint8_t *)(part->name_offsets + columns);
    part->names_size = names;
    memcpy(part->names, opening->tail + (opening->names->offset - part->tail_offset), names);
  }
  for (uint32_t i = 0; i < columns; i++)
    part->columns[i] = (struct part_column){.place = {.size = 0}};
  bytes += part->meta.size;
  for (uint32_t i = 0; i < columns; i++, bytes += sizeof(struct part_meta_column)) {
    struct part_meta_column column;
    memcpy(&column, bytes, sizeof column);
    if (column.id == 0 || (i && column.id <= part->column_ids[i - 1]) ||
        !part_type_stored(column.type))
      return damaged_end(opening, opening->meta->offset, "a column has no valid id or type", err);
    part->column_ids[i] = column.id;
    part->column_types[i] = column.type;
  }
  if (sources) memcpy(part->sources, bytes, sources * sizeof(uint64_t));
  bool wide = part->file && part->file->layout == PART_WIDE;
  if (part->file && (part->meta.layout == PART_WIDE) != wide)
    return damaged_end(opening, opening->meta->offset, "the layout is not that of its files", err);
  return ERR_OK;
}

/* Finds where each column's name begins. */
static int index_names(struct opening *opening, struct err *err) {
  struct store_part *part = opening->part;
  if (!part->names) return ERR_OK;
  struct reader reader = reader_of(part->names, part->names_size);
  for (uint32_t i = 0; i < part->meta.column_count; i++) {
    part->name_offsets[i] = (uint32_t)(reader.at - part->names);
    uint64_t size = reader_varint(&reader) >> 1;
    if (size > reader_left(&reader)) reader.failed = true;
    if (reader.failed) break;
    reader.at += size;
  }
  if (reader_done(&reader)) return ERR_OK;
  return part__damaged(part, PART_NAMES, 0, opening->names->offset,
                       "the names of columns can't be read", err);
}

struct str store_part_column_name(const struct store_part *part, uint32_t index) {
  assert(index < part->meta.column_count);
  if (!part->names) return (struct str){"", 0};
  uint32_t offset = part->name_offsets[index];
  struct reader reader = reader_of(part->names + offset, part->names_size - offset);
  size_t size = (size_t)(reader_varint(&reader) >> 1);
  return (struct str){(const char *)reader.at, size};
}

/* Adds a section to the files of a wide part. False when files are not in their order. */
static bool add_extent(struct store_part *part, struct part_extent *extents, uint32_t *count,
                       const struct part_section *section) {
  uint32_t index = section->column ? part__find_column(part, section->column) : 0;
  if (index == UINT32_MAX) return false;
  uint64_t order = part_file_order(section->kind, section->column, index);
  uint64_t last = extents[*count - 1].order;
  if (order > last) extents[(*count)++] = (struct part_extent){section->offset, order};
  return order >= last;
}

/* Cuts the image of a wide part into its files. */
static int cut_files(struct store_part *part, const struct part_section *sections,
                     struct err *err) {
  size_t held = (part->section_count + 1) * sizeof(struct part_extent);
  struct part_extent *extents = mem_alloc(part->account, held);
  if (!extents) return mem_refused(part->account, held, err);
  uint32_t count = 1;
  extents[0] = (struct part_extent){0, PART_ORDER_PRIMARY};
  bool good = true;
  for (uint32_t i = 0; i < part->section_count && good; i++)
    good = add_extent(part, extents, &count, &sections[i]);
  if (!good || extents[count - 1].order != PART_ORDER_META) {
    mem_free(part->account, extents, held);
    return part__damaged(part, PART_META, 0, part->tail_offset,
                         "sections do not follow the order of files", err);
  }
  part->extents = extents;
  part->extent_count = count;
  return ERR_OK;
}

static int find_files(struct opening *opening, struct err *err) {
  struct store_part *part = opening->part;
  if (!part->extents) return ERR_OK;
  int code = cut_files(part, opening->sections, err);
  if (code || part->extents[part->extent_count - 1].offset == opening->end.offset) return code;
  return damaged_end(opening, part->tail_offset, "meta.bin is not as long as the part says", err);
}

int part__find_files(struct store_part *part, struct err *err) {
  const uint8_t *tail;
  assert(part->memory && !part->extents);
  int code = part__tail(part, &tail, err);
  if (code) return code;
  tail += part->tail_size - part->section_count * sizeof(struct part_section);
  return cut_files(part, (const struct part_section *)(const void *)tail, err);
}

/* Takes the place of a section that belongs to a column; false for one that can't be. */
static bool place_column(struct store_part *part, const struct part_section *section) {
  uint32_t index = part__find_column(part, section->column);
  if (index == UINT32_MAX) return false;
  struct part_column *column = &part->columns[index];
  struct part_place place = {section->offset, section->size, section->checksum, section->form};
  struct part_place *slot = section->kind == PART_COLUMN   ? &column->place
                            : section->kind == PART_FILTER ? &column->filter
                                                           : &column->values;
  if (slot->size || !place.size) return false;
  *slot = place;
  if (section->kind == PART_COLUMN)
    return place.size >= part->meta.blocks &&
           (place.form == PART_IN_TAIL || place.form == PART_CHUNKED);
  if (section->kind == PART_FILTER) return place.form == PART_WHOLE || place.form == PART_UNITS;
  return place.form == PART_UNITS && section->kind == (unsigned)part_values_kind(section->column);
}

/* Gives every column the places of its sections. */
static int place_columns(struct opening *opening, struct err *err) {
  struct store_part *part = opening->part;
  for (uint32_t i = 0; i < opening->footer.section_count; i++) {
    const struct part_section *section = &opening->sections[i];
    bool belongs = section->kind == PART_COLUMN || section->kind == PART_VALUES ||
                   section->kind == PART_PAYLOADS || section->kind == PART_COMMITS ||
                   section->kind == PART_MARKS || section->kind == PART_FILTER;
    if (belongs && !place_column(part, section))
      return part__damaged(part, section->kind, section->column, section->offset,
                           "the section belongs to no column or has a form it can't have", err);
  }
  for (uint32_t i = 0; i < part->meta.column_count; i++)
    if (part->columns[i].place.size == 0 ||
        (part->column_major && part->columns[i].values.size == 0))
      return part__damaged(part, PART_COLUMN, part->column_ids[i], part->tail_offset,
                           "a column has no metadata or no values", err);
  return ERR_OK;
}

/* Reads the tombstones into the arrays if there are any; without arrays it counts. */
static bool walk_tombstones(struct reader reader, struct store_part *part, bool keep) {
  uint32_t count = 0;
  size_t series_count = 0;
  while (reader_left(&reader)) {
    uint64_t commit = reader_varint(&reader);
    struct store_tombstone tombstone = {.key_min = reader_zigzag(&reader)};
    tombstone.key_max = (int64_t)((uint64_t)tombstone.key_min + reader_varint(&reader));
    uint64_t series = reader_varint(&reader);
    if (series > reader_left(&reader) + 1 || tombstone.key_max < tombstone.key_min) return false;
    if (series) {
      tombstone.series_count = (size_t)series - 1;
      tombstone.series = keep ? part->tombstone_series + series_count : NULL;
    }
    uint64_t previous = 0;
    for (size_t i = 0; i < tombstone.series_count; i++) {
      uint64_t id = previous + reader_varint(&reader);
      if (id <= previous) return false;
      if (keep) part->tombstone_series[series_count] = id;
      series_count++;
      previous = id;
    }
    if (reader.failed || count == UINT32_MAX) return false;
    if (keep) {
      part->tombstones[count] = tombstone;
      part->tombstone_commits[count] = commit ? commit : part->meta.commit_max;
    }
    count++;
  }
  part->tombstone_count = count;
  part->tombstone_series_count = series_count;
  return !reader.failed;
}

static size_t tombstones_held(const struct store_part *part) {
  return part->tombstone_count * (sizeof(struct store_tombstone) + sizeof(uint64_t)) +
         part->tombstone_series_count * sizeof(uint64_t);
}

static int read_tombstones(struct opening *opening, struct err *err) {
  struct store_part *part = opening->part;
  const struct part_place *place = &part->tombstones_place;
  if (place->size == 0) return ERR_OK;
  const uint8_t *bytes;
  if (place->form == PART_IN_TAIL) {
    bytes = opening->tail + (place->offset - part->tail_offset);
  } else {
    int code = part__bytes(part, place->offset, place->size, &opening->arena, &bytes, err);
    if (code) return code;
    if (checksum64(bytes, place->size) != place->checksum)
      return part__damaged(part, PART_TOMBSTONES, 0, place->offset,
                           "the section's checksum does not hold", err);
  }
  struct reader reader = reader_of(bytes, place->size);
  bool good = walk_tombstones(reader, part, false);
  if (!good || part->tombstone_count == 0) {
    part->tombstone_count = 0;
    return part__damaged(part, PART_TOMBSTONES, 0, place->offset, "a tombstone can't be read", err);
  }
  size_t held = tombstones_held(part);
  part->tombstones = mem_alloc(part->account, held);
  if (!part->tombstones) return mem_refused(part->account, held, err);
  part->tombstone_commits = (uint64_t *)(part->tombstones + part->tombstone_count);
  part->tombstone_series = part->tombstone_commits + part->tombstone_count;
  walk_tombstones(reader, part, true);
  return ERR_OK;
}

/* Takes over the references that `template` holds, also on failure. */
static int open_part(const struct store_part *template, uint64_t commit, struct store_part **out,
                     struct err *err) {
  struct store_part *part = mem_alloc(template->account, sizeof *part);
  int code = part ? ERR_OK : mem_refused(template->account, sizeof *part, err);
  if (!part) {
    part_memory_release(template->memory);
    part_file_release(template->file);
    return code;
  }
  memcpy(part, template, sizeof *part);
  part->references = 1;
  part->held = sizeof *part;
  struct opening opening = {.part = part};
  arena_init(&opening.arena, part->account, PART_TAIL_READ + 512);
  if (part->file && part->file->layout == PART_WIDE) {
    opening.end = (struct part_extent){0, PART_ORDER_META};
    part->extents = &opening.end;
    part->extent_count = 1;
  }
  code = read_end(&opening, err);
  if (!code) code = check_sections(&opening, err);
  if (!code) code = read_meta(&opening, err);
  if (!code) code = index_names(&opening, err);
  if (!code) code = find_files(&opening, err);
  if (!code) code = place_columns(&opening, err);
  part = opening.part;
  if (!code && commit) part->meta.commit_min = part->meta.commit_max = commit;
  if (!code) code = read_tombstones(&opening, err);
  arena_deinit(&opening.arena);
  if (code) {
    part->meta.column_count = part->columns ? part->meta.column_count : 0;
    if (part->extents == &opening.end) part->extents = NULL;
    part_release(part);
    return code;
  }
  *out = part;
  return ERR_OK;
}

int part_open_memory(struct part_memory *memory, size_t offset, size_t size,
                     struct mem_account *account, uint64_t commit, struct store_part **part,
                     struct err *err) {
  assert(offset <= memory->size && size <= memory->size - offset);
  part_memory_retain(memory);
  struct store_part template = {
      .account = account, .memory = memory, .offset = offset, .size = size};
  return open_part(&template, commit, part, err);
}

int part_open_file(struct part_file *file, uint64_t offset, uint64_t size,
                   struct mem_account *account, struct store_part **part, struct err *err) {
  part_file_retain(file);
  struct store_part template = {.account = account, .file = file, .offset = offset, .size = size};
  return open_part(&template, 0, part, err);
}

int part_open_directory(struct part_file *file, struct mem_account *account,
                        struct store_part **part, struct err *err) {
  assert(file->layout != PART_IMAGES);
  return part_open_file(file, 0, file->bytes, account, part, err);
}

void part_retain(struct store_part *part) {
  atomic_fetch_add_explicit(&part->references, 1, memory_order_relaxed);
}

void part_release(struct store_part *part) {
  if (!part || atomic_fetch_sub_explicit(&part->references, 1, memory_order_acq_rel) != 1) return;
  void *attachment = atomic_load(&part->attachment);
  void (*destroy)(void *) = atomic_load(&part->attachment_destroy);
  if (attachment && destroy) destroy(attachment);
  part__free_metadata(part);
  mem_free(part->account, part->tombstones, part->tombstones ? tombstones_held(part) : 0);
  if (part->extents)
    mem_free(part->account, part->extents, (part->section_count + 1) * sizeof *part->extents);
  part_memory_release(part->memory);
  part_file_release(part->file);
  mem_free(part->account, part, part->held);
}

/* ---- facts ---- */

void store_part_facts(const struct store_part *part, struct store_part_facts *facts) {
  const struct part_meta *meta = &part->meta;
  *facts = (struct store_part_facts){
      .id = meta->id,
      .rows = meta->rows,
      .blocks = meta->blocks,
      .series_count = meta->series_count,
      .series_min = meta->series_min,
      .series_max = meta->series_max,
      .key_min = meta->key_min,
      .key_max = meta->key_max,
      .commit_min = meta->commit_min,
      .commit_max = meta->commit_max,
      .bytes = part->size,
      .bytes_plain = meta->bytes_plain,
      .tombstones = part->tombstone_count,
      .level = meta->level,
      .in_memory = part->memory != NULL,
  };
}

uint32_t part_block_count(const struct store_part *part) { return (uint32_t)part->meta.blocks; }

uint32_t part_columns(const struct store_part *part, const uint32_t **ids,
                      const struct type **types) {
  *ids = part->column_ids;
  *types = part->column_types;
  return part->meta.column_count;
}

bool part_column_type(const struct store_part *part, uint32_t id, struct type *type) {
  uint32_t index = part__find_column(part, id);
  if (index == UINT32_MAX) return false;
  *type = part->column_types[index];
  return true;
}

uint32_t part_tombstones(const struct store_part *part, const struct store_tombstone **tombstones,
                         const uint64_t **commits) {
  *tombstones = part->tombstones;
  *commits = part->tombstone_commits;
  return part->tombstone_count;
}

bool part_has_history(const struct store_part *part) {
  return part->meta.size >= sizeof part->meta;
}

uint64_t part_history_since(const struct store_part *part) {
  const struct part_meta *meta = &part->meta;
  if (part_has_history(part)) return meta->history_since;
  return meta->commit_min == meta->commit_max ? 0 : meta->commit_max; /* one commit is whole */
}

uint32_t store_part_columns(const struct store_part *part, const uint32_t **ids,
                            const struct type **types) {
  return part_columns(part, ids, types);
}

uint64_t part_store(const struct store_part *part) { return part->meta.store; }
enum store_policy part_policy(const struct store_part *part) {
  return (enum store_policy)part->meta.policy;
}
uint32_t part_sources(const struct store_part *part, const uint64_t **sources) {
  *sources = part->sources;
  return part->meta.source_count;
}

uint32_t part__find_column(const struct store_part *part, uint32_t id) {
  uint32_t low = 0, high = part->meta.column_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (part->column_ids[middle] < id)
      low = middle + 1;
    else
      high = middle;
  }
  return low < part->meta.column_count && part->column_ids[low] == id ? low : UINT32_MAX;
}

/* ---- the series section and what hangs on a part ---- */

uint64_t store_part_series_bytes(const struct store_part *part) { return part->series.size; }

int store_part_series_read(struct store_part *part, uint64_t offset, void *bytes, size_t size,
                           struct err *err) {
  if (offset > part->series.size || size > part->series.size - offset)
    return err_set(err, ERR_OUT_OF_RANGE, "bytes %llu to %llu of a series section of %llu",
                   (unsigned long long)offset, (unsigned long long)(offset + size),
                   (unsigned long long)part->series.size);
  if (size == 0) return ERR_OK;
  if (part->file) return part__read(part, part->series.offset + offset, bytes, size, err);
  memcpy(bytes, part->memory->data + part->offset + part->series.offset + offset, size);
  return ERR_OK;
}

void *store_part_attachment(struct store_part *part, void *value, void (*destroy)(void *value)) {
  void *there = atomic_load(&part->attachment);
  if (there || !value) return there;
  if (!atomic_compare_exchange_strong(&part->attachment, &there, value)) return there;
  /* Read at the part's end only, which comes after the caller's reference. */
  atomic_store(&part->attachment_destroy, destroy);
  return value;
}
