/* Packing commits, and reading them back. Nothing here trusts the bytes that it reads beyond their
 * checksum: sizes and offsets are bounded, so that a forged or damaged record is an error. */
#include "store/commit.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "base/err.h"
#include "base/hash_table.h"
#include "codec/codec.h"

#define NOTE_SIZE_MAX (UINT64_C(64) << 20)

enum { AHEAD = 4 }; /* sections */

/* ---- checking ---- */

static int check_order(const struct store_rows *rows, struct err *err) {
  bool strict = rows->policy == STORE_NEWEST_COLUMN || rows->policy == STORE_NEWEST_ROW;
  const uint64_t *series = rows->series;
  const int64_t *keys = rows->keys;
  uint32_t bad = rows->rows;
  if (series[0] == 0) bad = 0;
  for (uint32_t i = 1; i < rows->rows && bad == rows->rows; i++) {
    bool ordered = series[i] > series[i - 1] ||
                   (series[i] == series[i - 1] &&
                    (keys[i] > keys[i - 1] || (!strict && keys[i] == keys[i - 1])));
    if (!ordered) bad = i;
  }
  if (bad == rows->rows) return ERR_OK;
  if (series[bad] == 0)
    return err_set(err, ERR_INVALID_ARGUMENT, "store %llu, row %u: series 0",
                   (unsigned long long)rows->store, bad);
  return err_set(err, ERR_INVALID_ARGUMENT,
                 "store %llu, row %u is out of order: series %llu key %lld after series %llu key "
                 "%lld",
                 (unsigned long long)rows->store, bad, (unsigned long long)series[bad],
                 (long long)keys[bad], (unsigned long long)series[bad - 1],
                 (long long)keys[bad - 1]);
}

/* Columns that the store gives a meaning. A mark needs a policy under which one row stands for its
 * place: where every row stays, none is superseded, and to delete one is a tombstone's work. */
static int check_reserved(const struct store_rows *rows, const struct store_column *column,
                          struct err *err) {
  unsigned long long store = rows->store;
  bool newest_wins = rows->policy == STORE_NEWEST_COLUMN || rows->policy == STORE_NEWEST_ROW;
  if (column->id == STORE_COLUMN_PAYLOAD) return ERR_OK;
  if (column->id != STORE_COLUMN_MARK)
    return err_set(err, ERR_INVALID_ARGUMENT, "store %llu, column %u: the store fills it itself",
                   store, column->id);
  if (!newest_wins)
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "store %llu, column mark: rows can be marked as deleted only where the newest "
                   "row of a place wins; use a tombstone",
                   store);
  if (column->column.type.physical != PHYSICAL_BOOL)
    return err_set(err, ERR_INVALID_ARGUMENT, "store %llu, column mark: %s instead of a boolean",
                   store, type_name(column->column.type));
  return ERR_OK;
}

static int check_columns(const struct store_rows *rows, struct err *err) {
  for (uint32_t i = 0; i < rows->column_count; i++) {
    const struct store_column *column = &rows->columns[i];
    unsigned long long store = rows->store;
    if (column->id == 0 || (i && column->id <= rows->columns[i - 1].id))
      return err_set(err, ERR_INVALID_ARGUMENT, "store %llu: column ids are not ascending", store);
    if (column->column.length != (int64_t)rows->rows)
      return err_set(err, ERR_INVALID_ARGUMENT, "store %llu, column %u: %lld values for %u rows",
                     store, column->id, (long long)column->column.length, rows->rows);
    uint8_t physical = column->column.type.physical;
    if (physical < PHYSICAL_BOOL || physical > PHYSICAL_BYTES || column->column.dictionary)
      return err_set(err, ERR_INVALID_ARGUMENT, "store %llu, column %u: type %u is not stored",
                     store, column->id, physical);
    int code = column->id >= STORE_COLUMN_RESERVED ? check_reserved(rows, column, err) : ERR_OK;
    if (code) return code;
  }
  return ERR_OK;
}

static int check_tombstones(const struct store_rows *rows, struct err *err) {
  for (uint32_t i = 0; i < rows->tombstone_count; i++) {
    const struct store_tombstone *tombstone = &rows->tombstones[i];
    if (tombstone->key_min > tombstone->key_max)
      return err_set(err, ERR_INVALID_ARGUMENT, "store %llu, tombstone %u: empty range of keys",
                     (unsigned long long)rows->store, i);
    for (size_t j = 1; tombstone->series && j < tombstone->series_count; j++)
      if (tombstone->series[j] <= tombstone->series[j - 1])
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "store %llu, tombstone %u: series are not ascending",
                       (unsigned long long)rows->store, i);
  }
  return ERR_OK;
}

static int check_rows(const struct store_rows *rows, struct err *err) {
  if (rows->store == 0) return err_set(err, ERR_INVALID_ARGUMENT, "store 0");
  if (rows->policy < STORE_KEEP_ALL || rows->policy > STORE_NEWEST_ROW)
    return err_set(err, ERR_INVALID_ARGUMENT, "store %llu: no such policy %d",
                   (unsigned long long)rows->store, (int)rows->policy);
  if (rows->drop && (rows->rows || rows->tombstone_count || rows->note.size))
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "store %llu: a drop comes without rows, tombstones and note",
                   (unsigned long long)rows->store);
  if (rows->note.size > NOTE_SIZE_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "store %llu: a note of %zu bytes, at most %llu",
                   (unsigned long long)rows->store, rows->note.size,
                   (unsigned long long)NOTE_SIZE_MAX);
  int code = ERR_OK;
  if (rows->rows) {
    if (!rows->series || !rows->keys)
      return err_set(err, ERR_INVALID_ARGUMENT, "store %llu: rows without series or keys",
                     (unsigned long long)rows->store);
    code = check_order(rows, err);
    if (code == ERR_OK) code = check_columns(rows, err);
  }
  return code ? code : check_tombstones(rows, err);
}

/* Each store at most once: ascending ids need no table. */
static int check_distinct(const struct store_rows *rows, size_t count, struct mem_account *account,
                          struct err *err) {
  size_t i = 1;
  while (i < count && rows[i].store > rows[i - 1].store)
    i++;
  if (i >= count) return ERR_OK;
  struct u64_table seen;
  u64_table_init(&seen, account);
  int code = ERR_OK;
  for (i = 0; i < count && code == ERR_OK; i++) {
    bool is_new;
    if (!u64_table_insert(&seen, rows[i].store, &is_new))
      code = mem_refused(account, count * sizeof(struct u64_table_slot), err);
    else if (!is_new)
      code = err_set(err, ERR_INVALID_ARGUMENT, "store %llu stands in the commit twice",
                     (unsigned long long)rows[i].store);
  }
  u64_table_deinit(&seen);
  return code;
}

/* ---- plain rows ---- */

static bool column_is_stored(const struct store_column *column) {
  return column->column.null_count < column->column.length;
}

static size_t column_value_bytes(const struct column *column, uint32_t rows, size_t string_bytes) {
  if (column->type.physical == PHYSICAL_BOOL) return 8 * bit_words(rows);
  if (type_is_string(column->type))
    return wal_align8(4 * ((size_t)rows + 1)) + wal_align8(string_bytes);
  return 8 * (size_t)rows;
}

static size_t column_string_bytes(const struct column *column, uint32_t rows) {
  return type_is_string(column->type) ? (size_t)(column->offsets[rows] - column->offsets[0]) : 0;
}

static size_t column_bytes(const struct column *column, uint32_t rows) {
  size_t nulls = column->null_count ? 8 * bit_words(rows) : 0;
  return nulls + column_value_bytes(column, rows, column_string_bytes(column, rows));
}

static size_t plain_bytes(const struct store_rows *rows) {
  size_t size = 16 * (size_t)rows->rows;
  for (uint32_t i = 0; i < rows->column_count; i++)
    if (column_is_stored(&rows->columns[i]))
      size += sizeof(struct wal_column_header) + column_bytes(&rows->columns[i].column, rows->rows);
  return size;
}

static uint8_t *put(uint8_t *out, const void *bytes, size_t size) {
  if (size) memcpy(out, bytes, size);
  size_t padded = wal_align8(size);
  memset(out + size, 0, padded - size);
  return out + padded;
}

static uint8_t *put_bits(uint8_t *out, const uint64_t *bits, uint32_t rows) {
  size_t words = bit_words(rows);
  memcpy(out, bits, 8 * words);
  if (rows & 63) {
    uint64_t last = bits[words - 1] & ((UINT64_C(1) << (rows & 63)) - 1);
    memcpy(out + 8 * (words - 1), &last, 8);
  }
  return out + 8 * words;
}

static uint8_t *put_column(uint8_t *out, const struct column *column, uint32_t rows) {
  if (column->null_count) out = put_bits(out, column->validity, rows);
  if (column->type.physical == PHYSICAL_BOOL) return put_bits(out, column->bits, rows);
  if (!type_is_string(column->type)) {
    if (rows > 1) return put(out, column->values, 8 * (size_t)rows);
    memcpy(out, column->values, 8);
    return out + 8;
  }
  int32_t first = column->offsets[0];
  for (uint32_t i = 0; i <= rows; i++) {
    int32_t offset = column->offsets[i] - first;
    memcpy(out + 4 * (size_t)i, &offset, 4);
  }
  size_t size = 4 * ((size_t)rows + 1);
  memset(out + size, 0, wal_align8(size) - size);
  return put(out + wal_align8(size), column->data + first, (size_t)(column->offsets[rows] - first));
}

static uint8_t *put_plain(uint8_t *out, const struct store_rows *rows) {
  out = put(out, rows->series, 8 * (size_t)rows->rows);
  out = put(out, rows->keys, 8 * (size_t)rows->rows);
  for (uint32_t i = 0; i < rows->column_count; i++) {
    const struct store_column *column = &rows->columns[i];
    if (!column_is_stored(column)) continue;
    struct wal_column_header header = {
        .id = column->id,
        .null_count = column->column.null_count,
        .bytes = (uint32_t)column_bytes(&column->column, rows->rows),
    };
    memcpy(header.type, &column->column.type, 4);
    out = put(out, &header, sizeof header);
  }
  for (uint32_t i = 0; i < rows->column_count; i++)
    if (column_is_stored(&rows->columns[i]))
      out = put_column(out, &rows->columns[i].column, rows->rows);
  return out;
}

/* ---- packing ---- */

static bool needs_image(const struct store_rows *rows) {
  return rows->rows >= COMMIT_IMAGE_ROWS || rows->tombstone_count;
}

static int pack_image(const struct store_rows *rows, struct mem_account *account,
                      const uint8_t shard[16], struct part_memory **image, struct err *err) {
  struct part_writer_options options = {
      .store = rows->store, .policy = rows->policy, .level = CODEC_FAST};
  memcpy(options.shard, shard, 16);
  struct part_writer *writer;
  int code = part_writer_create(&options, account, NULL, 0, &writer, err);
  if (code) return code;
  size_t commits_size = rows->tombstone_count * sizeof(uint64_t);
  uint64_t *commits = NULL;
  if (commits_size && !(commits = mem_alloc_zero(account, commits_size)))
    code = mem_refused(account, commits_size, err);
  if (code == ERR_OK && rows->rows) code = part_writer_append_last(writer, rows, err);
  struct part_ending ending = {.tombstones = rows->tombstones,
                               .tombstone_commits = commits,
                               .tombstone_count = rows->tombstone_count};
  uint64_t size;
  if (code == ERR_OK) code = part_writer_finish(writer, &ending, &size, image, err);
  mem_free(account, commits, commits_size);
  part_writer_destroy(writer);
  return code;
}

static size_t section_bytes(const struct store_rows *rows) {
  size_t size = sizeof(struct wal_section_header) + wal_align8(rows->note.size);
  return size + (needs_image(rows) || !rows->rows ? 0 : plain_bytes(rows));
}

static uint32_t stored_columns(const struct store_rows *rows) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < rows->column_count; i++)
    count += column_is_stored(&rows->columns[i]);
  return count;
}

static int pack_section(const struct store_rows *rows, struct mem_account *account,
                        const uint8_t shard[16], struct store_commit *commit, uint8_t **out,
                        struct err *err) {
  struct commit_section *section = &commit->sections[commit->section_count];
  struct wal_section_header header = {
      .store = rows->store,
      .policy = rows->policy,
      .rows = rows->rows,
      .series_high = rows->rows ? rows->series[rows->rows - 1] : 0,
      .note_size = rows->note.size,
  };
  *section = (struct commit_section){.offset = (size_t)(*out - commit->bytes)};
  commit->section_count++;
  commit->drops |= rows->drop;
  if (needs_image(rows)) {
    int code = pack_image(rows, account, shard, &section->image, err);
    if (code) return code;
    header.kind = WAL_SECTION_IMAGE;
    header.body_size = section->image->size;
    commit->payload += wal_align8(section->image->size);
  } else if (rows->rows) {
    header.kind = WAL_SECTION_PLAIN;
    header.column_count = stored_columns(rows);
    header.body_size = plain_bytes(rows);
  } else {
    header.kind = rows->drop ? WAL_SECTION_DROP : WAL_SECTION_EMPTY;
  }
  uint8_t *at = put(*out, &header, sizeof header);
  at = put(at, rows->note.data, rows->note.size);
  if (header.kind == WAL_SECTION_PLAIN) at = put_plain(at, rows);
  section->size = (size_t)(at - *out);
  assert(section->size == sizeof header + wal_align8(rows->note.size) +
                              (header.kind == WAL_SECTION_PLAIN ? header.body_size : 0));
  *out = at;
  commit->payload += section->size;
  commit->rows += rows->rows;
  return ERR_OK;
}

static int too_large(uint64_t size, uint64_t payload_max, struct err *err) {
  int code = err_set(err, ERR_LIMIT_EXCEEDED,
                     "a commit of %llu bytes does not fit a log segment, which takes %llu",
                     (unsigned long long)size, (unsigned long long)payload_max);
  err_hint(err, "write it in several parts, or raise the size of log segments");
  return code;
}

/* Rows that are packed soon, on their way from memory. */
static void look_ahead(const struct store_rows *rows) {
  if (!rows->rows) return;
  __builtin_prefetch(rows->series);
  if (rows->column_count) __builtin_prefetch(rows->columns[rows->column_count - 1].column.values);
}

int commit_pack(const struct store_rows *rows, size_t count, struct mem_account *account,
                const uint8_t shard[16], uint64_t payload_max, struct store_commit **commit,
                struct err *err) {
  *commit = NULL;
  if (count == 0 || count > UINT32_MAX)
    return err_set(err, ERR_INVALID_ARGUMENT, "a commit over %zu stores", count);
  size_t bytes = 0;
  for (size_t i = 0; i < count; i++) {
    int code = check_rows(&rows[i], err);
    if (code) return code;
    bytes += section_bytes(&rows[i]);
  }
  int code = check_distinct(rows, count, account, err);
  if (code) return code;
  if (bytes + sizeof(struct wal_commit_header) > payload_max)
    return too_large(bytes, payload_max, err);
  size_t head = wal_align8(sizeof(struct store_commit) + count * sizeof(struct commit_section));
  struct store_commit *packed = mem_alloc(account, head + bytes);
  if (!packed) return mem_refused(account, head + bytes, err);
  *packed = (struct store_commit){.account = account,
                                  .allocated = head + bytes,
                                  .payload = sizeof(struct wal_commit_header),
                                  .bytes = (uint8_t *)packed + head};
  uint8_t *out = packed->bytes;
  for (size_t i = 0; i < count && code == ERR_OK; i++) {
    if (i + AHEAD < count) look_ahead(&rows[i + AHEAD]);
    code = pack_section(&rows[i], account, shard, packed, &out, err);
  }
  if (code == ERR_OK && packed->payload > payload_max)
    code = too_large(packed->payload, payload_max, err);
  if (code)
    commit_free(packed);
  else
    *commit = packed;
  return code;
}

void commit_free(struct store_commit *commit) {
  if (!commit) return;
  for (uint32_t i = 0; i < commit->section_count; i++)
    if (commit->sections[i].image) part_memory_release(commit->sections[i].image);
  mem_free(commit->account, commit, commit->allocated);
}

void commit_copy(const struct store_commit *commit, uint8_t *out) {
  struct wal_commit_header header = {.size = (uint32_t)commit->payload,
                                     .sections = commit->section_count};
  uint8_t *at = put(out, &header, sizeof header);
  for (uint32_t i = 0; i < commit->section_count; i++) {
    const struct commit_section *section = &commit->sections[i];
    at = put(at, commit->bytes + section->offset, section->size);
    if (section->image) at = put(at, section->image->data, section->image->size);
  }
  assert(at == out + commit->payload);
}

/* ---- reading ---- */

static int corrupt(struct err *err, const char *what) {
  return err_set(err, ERR_CORRUPTION, "log record: %s", what);
}

int section_read(const uint8_t *bytes, size_t size, bool whole, struct section_view *view,
                 size_t *used, struct err *err) {
  if (size < sizeof view->header) return corrupt(err, "a section is cut off");
  memcpy(&view->header, bytes, sizeof view->header);
  const struct wal_section_header *header = &view->header;
  size_t rest = size - sizeof *header;
  if (header->store == 0 || header->kind > WAL_SECTION_DROP || header->policy < STORE_KEEP_ALL ||
      header->policy > STORE_NEWEST_ROW)
    return corrupt(err, "a section's header is out of range");
  if (header->note_size > rest || wal_align8(header->note_size) > rest)
    return corrupt(err, "a note is larger than its commit");
  size_t note = wal_align8((size_t)header->note_size);
  view->note = str_of(bytes + sizeof *header, (size_t)header->note_size);
  rest -= note;
  view->body = NULL;
  *used = sizeof *header + note;
  if (!whole && header->kind == WAL_SECTION_IMAGE) return ERR_OK;
  if (header->body_size > rest || wal_align8((size_t)header->body_size) > rest)
    return corrupt(err, "a body is larger than its commit");
  bool bodiless = header->kind == WAL_SECTION_EMPTY || header->kind == WAL_SECTION_DROP;
  if (bodiless && (header->body_size || header->rows))
    return corrupt(err, "a section without rows has a body");
  /* So that nobody makes room for more columns than there are bytes. */
  if (header->kind == WAL_SECTION_PLAIN && header->column_count > header->body_size / 16)
    return corrupt(err, "plain rows are cut off");
  view->body = bytes + *used;
  *used += wal_align8((size_t)header->body_size);
  return ERR_OK;
}

/* Reads one column from `at`; the bytes it takes are in its header. */
static bool read_column(const struct wal_column_header *header, const uint8_t *at, uint32_t rows,
                        struct column *column) {
  *column = (struct column){.length = rows, .null_count = header->null_count};
  memcpy(&column->type, header->type, 4);
  if (column->type.physical < PHYSICAL_BOOL || column->type.physical > PHYSICAL_BYTES ||
      header->null_count > rows)
    return false;
  size_t size = header->bytes;
  if (header->null_count) {
    size_t nulls = 8 * bit_words(rows);
    if (size < nulls) return false;
    column->validity = (const uint64_t *)at;
    at += nulls;
    size -= nulls;
  }
  column->values = at;
  if (!type_is_string(column->type)) return size == column_value_bytes(column, rows, 0);
  size_t offsets = wal_align8(4 * ((size_t)rows + 1));
  if (size < offsets || column->offsets[0] != 0) return false;
  for (uint32_t i = 0; i < rows; i++)
    if (column->offsets[i + 1] < column->offsets[i]) return false;
  column->data = (const char *)at + offsets;
  return size == column_value_bytes(column, rows, (size_t)column->offsets[rows]);
}

int section_rows(const struct section_view *view, struct store_column *columns,
                 struct store_rows *rows, struct err *err) {
  const struct wal_section_header *header = &view->header;
  size_t rest = (size_t)header->body_size;
  size_t head =
      16 * (size_t)header->rows + sizeof(struct wal_column_header) * (size_t)header->column_count;
  if (header->kind != WAL_SECTION_PLAIN || header->rows == 0 || head > rest)
    return corrupt(err, "plain rows are cut off");
  *rows = (struct store_rows){
      .store = header->store,
      .policy = (enum store_policy)header->policy,
      .rows = header->rows,
      .series = (const uint64_t *)view->body,
      .keys = (const int64_t *)(view->body + 8 * (size_t)header->rows),
      .columns = columns,
      .column_count = header->column_count,
  };
  const uint8_t *descriptor = view->body + 16 * (size_t)header->rows;
  const uint8_t *at = view->body + head;
  rest -= head;
  uint32_t previous = 0;
  for (uint32_t i = 0; i < header->column_count; i++) {
    struct wal_column_header column;
    memcpy(&column, descriptor + sizeof column * (size_t)i, sizeof column);
    if (column.id <= previous || column.bytes > rest || column.bytes & 7)
      return corrupt(err, "a column does not fit its section");
    columns[i].id = previous = column.id;
    if (!read_column(&column, at, header->rows, &columns[i].column))
      return corrupt(err, "a column's values do not fit it");
    at += column.bytes;
    rest -= column.bytes;
  }
  return rest == 0 ? ERR_OK : corrupt(err, "bytes behind the last column");
}

void commit_reader_init(struct commit_reader *reader, const uint8_t *payload, size_t size) {
  *reader = (struct commit_reader){.bytes = payload, .size = size};
}

int commit_reader_enter(struct commit_reader *reader, struct err *err) {
  struct wal_commit_header header;
  if (reader->sections || reader->end)
    return corrupt(err, "a commit has bytes behind its sections");
  if (reader->size < sizeof header) return corrupt(err, "a commit is cut off");
  memcpy(&header, reader->bytes, sizeof header);
  if (header.size < sizeof header || header.size > reader->size || header.size & 7)
    return corrupt(err, "a commit is larger than its record");
  reader->bytes += sizeof header;
  reader->size -= sizeof header;
  reader->end = header.size - sizeof header;
  reader->sections = header.sections;
  return ERR_OK;
}

int commit_reader_section(struct commit_reader *reader, struct section_view *view, bool *done,
                          struct err *err) {
  *done = reader->sections == 0;
  if (*done) return ERR_OK;
  size_t used;
  int code = section_read(reader->bytes, reader->end, true, view, &used, err);
  if (code) return code;
  reader->bytes += used;
  reader->size -= used;
  reader->end -= used;
  reader->sections--;
  return ERR_OK;
}
