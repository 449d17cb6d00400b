/* Reading the log back: which segments there are, and their records in order.
 *
 * Nothing in a file is believed before its checksum holds. Replay needs three things to agree about
 * a record: the segment's incarnation, the sequence that is due, and no later header that voids it.
 * Where the chain ends, the rest is looked through once, to tell a tail that nobody was promised
 * from damage to what had been synced. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/err.h"
#include "base/log.h"
#include "store/wal.h"

enum { WINDOW = 1 << 20 };

/* ---- reading one segment ---- */

struct segment_reader {
  struct wal *wal;
  const struct wal_segment *segment;
  struct os_file *file;
  uint64_t position; /* of the record that is due */
  uint8_t *window;   /* bytes of the file from window_offset on */
  size_t window_size, window_capacity;
  uint64_t window_offset;
};

static int reader_open(struct wal *wal, const struct wal_segment *segment,
                       struct segment_reader *reader, struct err *err) {
  char path[4096];
  *reader = (struct segment_reader){.wal = wal, .segment = segment, .position = WAL_BLOCK};
  wal__path(wal, "log", segment->incarnation, path, sizeof path);
  return os_file_open(wal->options.os, path, OS_READ, &reader->file, err);
}

static void reader_close(struct segment_reader *reader) {
  os_file_close(reader->file);
  mem_free(reader->wal->options.account, reader->window, reader->window_capacity);
}

/* Makes [offset, offset + size) resident, or as much of it as the file has. */
static int reader_fill(struct segment_reader *reader, uint64_t offset, size_t size,
                       const uint8_t **bytes, size_t *available, struct err *err) {
  if (offset < reader->window_offset ||
      offset + size > reader->window_offset + reader->window_size) {
    size_t wanted = size > WINDOW ? size : WINDOW;
    if (wanted > reader->window_capacity) {
      struct mem_account *account = reader->wal->options.account;
      uint8_t *grown = mem_alloc(account, wanted);
      if (!grown) return mem_refused(account, wanted, err);
      mem_free(account, reader->window, reader->window_capacity);
      reader->window = grown;
      reader->window_capacity = wanted;
    }
    reader->window_offset = offset;
    reader->window_size = 0;
    int code = os_file_read(reader->file, offset, reader->window, reader->window_capacity,
                            &reader->window_size, err);
    if (code) return code;
  }
  *bytes = reader->window + (offset - reader->window_offset);
  size_t rest = reader->window_size - (size_t)(offset - reader->window_offset);
  *available = rest < size ? rest : size;
  return ERR_OK;
}

/* The whole record at `position`, if there is one of this segment: *payload is NULL if not. */
static int reader_record(struct segment_reader *reader, uint64_t position,
                         struct wal_record_header *header, const uint8_t **payload,
                         struct err *err) {
  const uint8_t *bytes;
  size_t available;
  *payload = NULL;
  int code = reader_fill(reader, position, sizeof *header, &bytes, &available, err);
  if (code || available < sizeof *header) return code;
  memcpy(header, bytes, sizeof *header);
  if (header->magic != WAL_RECORD_MAGIC || header->incarnation != reader->segment->incarnation ||
      header->length > reader->segment->file_bytes)
    return ERR_OK;
  size_t size = sizeof *header + header->length;
  code = reader_fill(reader, position, size, &bytes, &available, err);
  if (code || available < size) return code;
  if (checksum64(bytes + 8, size - 8) != header->checksum) return ERR_OK;
  *payload = bytes + sizeof *header;
  return ERR_OK;
}

/* ---- the table of segments ---- */

static bool parse_name(const char *name, uint64_t *incarnation) {
  if (strlen(name) != 20 || strcmp(name + 16, ".log") != 0) return false;
  uint64_t value = 0;
  for (int i = 0; i < 16; i++) {
    char c = name[i];
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return false;
    value = value << 4 | (uint64_t)digit;
  }
  *incarnation = value;
  return value != 0;
}

struct listing {
  struct wal *wal;
  struct err *err;
};

static int visit_name(void *context, const char *name, bool is_dir) {
  struct listing *listing = context;
  struct wal_segment segment = {0};
  if (is_dir || !parse_name(name, &segment.incarnation)) return ERR_OK;
  return wal__add_segment(listing->wal, &segment, listing->err);
}

/* Without a valid header a segment was not begun, unless there is a record of this incarnation:
 * then the header was damaged later, and the record tells what it said. When it is not the first
 * one, what was before it is damaged too: replay will miss it. */
static int restore_header(struct wal *wal, struct wal_segment *segment, struct err *err) {
  struct segment_reader reader;
  struct wal_record_header header;
  const uint8_t *payload = NULL;
  int code = reader_open(wal, segment, &reader, err);
  if (code) return code;
  uint64_t at = WAL_BLOCK;
  for (; code == ERR_OK && at + WAL_BLOCK <= segment->file_bytes; at += WAL_BLOCK) {
    code = reader_record(&reader, at, &header, &payload, err);
    if (payload) break;
  }
  if (code == ERR_OK && payload) {
    uint64_t missing = at > WAL_BLOCK && header.sequence > 1;
    segment->begun = true;
    segment->first_sequence = header.sequence - missing;
    segment->valid_through = segment->first_sequence - 1;
    segment->synced_sequence = header.synced_sequence;
    segment->first_commit = header.first_commit;
    log_warn(wal->options.logger, "store",
             "the header of a log segment is damaged; its records tell what it said "
             "file=%s/log/%016llx.log",
             wal->options.directory, (unsigned long long)segment->incarnation);
  }
  reader_close(&reader);
  return code;
}

/* Reads one header. */
static int read_header(struct wal *wal, struct wal_segment *segment, struct err *err) {
  char path[4096];
  struct os_file *file;
  struct wal_segment_header header;
  size_t got = 0;
  wal__path(wal, "log", segment->incarnation, path, sizeof path);
  int code = os_file_open(wal->options.os, path, OS_READ, &file, err);
  if (code) return code;
  code = os_file_size(file, &segment->file_bytes, err);
  if (code == ERR_OK) code = os_file_read(file, 0, &header, sizeof header, &got, err);
  os_file_close(file);
  if (code) return code;
  wal__path(wal, "quarantine", segment->incarnation, path, sizeof path);
  segment->kept = os_path_exists(wal->options.os, path);
  wal__path(wal, "log", segment->incarnation, path, sizeof path);
  if (got < sizeof header || memcmp(header.magic, WAL_SEGMENT_MAGIC, sizeof header.magic) != 0 ||
      header.checksum != checksum64(&header, offsetof(struct wal_segment_header, checksum)))
    return restore_header(wal, segment, err);
  if (header.version != WAL_VERSION || header.incompatible) {
    code = err_set(err, ERR_BAD_VERSION, "log segment %s was written by a newer version", path);
    err_hint(err, "open the directory with the version that wrote it, or a newer one");
    return code;
  }
  if (memcmp(header.shard, wal->options.shard, sizeof header.shard) != 0) {
    code = err_set(err, ERR_CORRUPTION, "log segment %s belongs to another data directory", path);
    err_hint(err, "move it out of the log folder");
    return code;
  }
  if (header.incarnation != segment->incarnation) return ERR_OK;
  segment->begun = true;
  segment->first_sequence = header.first_sequence;
  segment->valid_through = header.valid_through;
  segment->synced_sequence = header.synced_sequence;
  segment->first_commit = header.first_commit;
  return ERR_OK;
}

int wal_open(const struct wal_options *options, uint64_t start, struct wal *wal, struct err *err) {
  memset(wal, 0, sizeof *wal);
  wal->options = *options;
  wal->start = start ? start : 1;
  wal->next_sequence = 1;
  os_mutex_init(&wal->lock, options->os);
  char folder[4096];
  snprintf(folder, sizeof folder, "%s/log", options->directory);
  struct listing listing = {wal, err};
  int code = options->read_only ? ERR_OK : os_dir_create(options->os, folder, err);
  if (code == ERR_OK && os_path_exists(options->os, folder))
    code = os_dir_list(options->os, folder, visit_name, &listing, err);
  for (size_t i = 0; code == ERR_OK && i < wal->segment_count; i++)
    code = read_header(wal, &wal->segments[i], err);
  wal->next_incarnation = wal->start;
  if (wal->segment_count) {
    const struct wal_segment *last = &wal->segments[wal->segment_count - 1];
    if (last->incarnation >= wal->next_incarnation) wal->next_incarnation = last->incarnation + 1;
  }
  if (code) wal_close(wal);
  return code;
}

bool wal_is_complete(const struct wal *wal, bool start_begun) {
  for (size_t i = 0; i < wal->segment_count; i++) {
    const struct wal_segment *segment = &wal->segments[i];
    if (segment->begun && segment->incarnation >= wal->start)
      return segment->incarnation == wal->start;
  }
  return !start_begun;
}

/* ---- what lies behind the end ---- */

static void note_seen(struct wal_replay_figures *figures, const struct wal_record_header *header) {
  if (header->sequence > figures->highest_sequence) figures->highest_sequence = header->sequence;
  uint64_t last = header->first_commit + header->commit_count;
  if (last && last - 1 > figures->highest_commit) figures->highest_commit = last - 1;
}

/* Looks through the blocks from `position` on for whole records above `sequence`. *synced becomes
 * the highest sequence that any of them calls synced. */
static int look_through(struct segment_reader *reader, uint64_t position, uint64_t sequence,
                        struct wal_replay_figures *figures, uint64_t *synced, struct err *err) {
  uint64_t end = position; /* of what is not zero */
  for (uint64_t at = position; at + WAL_BLOCK <= reader->segment->file_bytes;) {
    const uint8_t *bytes, *payload;
    size_t available;
    int code = reader_fill(reader, at, WAL_BLOCK, &bytes, &available, err);
    if (code) return code;
    if (available < sizeof(struct wal_record_header)) break;
    struct wal_record_header header;
    memcpy(&header, bytes, sizeof header);
    uint64_t step = WAL_BLOCK;
    if (header.magic == WAL_RECORD_MAGIC && header.incarnation == reader->segment->incarnation) {
      end = at + WAL_BLOCK;
      code = reader_record(reader, at, &header, &payload, err);
      if (code) return code;
      if (payload && header.sequence >= sequence) {
        note_seen(figures, &header);
        figures->void_records++;
        if (header.synced_sequence > *synced) *synced = header.synced_sequence;
        step = wal_record_bytes(header.length);
        end = at + step;
      }
    }
    at += step;
  }
  figures->tail_bytes += end - position;
  return ERR_OK;
}

static int keep_segment(struct wal *wal, struct wal_segment *segment, struct err *err) {
  char from[4096], to[4096];
  segment->kept = true;
  if (wal->options.read_only) return ERR_OK;
  wal__path(wal, "log", segment->incarnation, from, sizeof from);
  wal__path(wal, "quarantine", segment->incarnation, to, sizeof to);
  int code = os_file_link(wal->options.os, from, to, err);
  return code == ERR_FILE_EXISTS ? ERR_OK : code;
}

/* The replay stopped at `position` of segment `index`, where `due` was due. Decides between tail
 * and damage. */
static int judge_end(struct wal *wal, size_t index, struct segment_reader *reader,
                     uint64_t position, uint64_t due, struct wal_replay_figures *figures,
                     struct err *err) {
  uint64_t synced = 0;
  int code = look_through(reader, position, due, figures, &synced, err);
  for (size_t i = index + 1; code == ERR_OK && i < wal->segment_count; i++) {
    struct wal_segment *segment = &wal->segments[i];
    if (!segment->begun) continue;
    if (segment->synced_sequence > synced) synced = segment->synced_sequence;
    if (segment->first_sequence > figures->highest_sequence + 1)
      figures->highest_sequence = segment->first_sequence - 1;
    struct segment_reader other;
    code = reader_open(wal, segment, &other, err);
    if (code) break;
    code = look_through(&other, WAL_BLOCK, due, figures, &synced, err);
    reader_close(&other);
  }
  if (code) return code;
  if (synced < due) {
    if (figures->tail_bytes)
      log_info(wal->options.logger, "store",
               "log ends in an unfinished record that was never acknowledged file=%016llx.log "
               "offset=%llu bytes=%llu",
               (unsigned long long)wal->segments[index].incarnation, (unsigned long long)position,
               (unsigned long long)figures->tail_bytes);
    return ERR_OK;
  }
  figures->damaged_incarnation = wal->segments[index].incarnation;
  figures->damaged_offset = position;
  log_error(wal->options.logger, "store",
            "log is damaged: a record that had been synced is not whole; what follows it is not "
            "replayed and is kept in quarantine file=%s/log/%016llx.log offset=%llu sequence=%llu "
            "whole_records_after=%llu",
            wal->options.directory, (unsigned long long)figures->damaged_incarnation,
            (unsigned long long)position, (unsigned long long)due,
            (unsigned long long)figures->void_records);
  for (size_t i = index; code == ERR_OK && i < wal->segment_count; i++)
    code = keep_segment(wal, &wal->segments[i], err);
  if (code == ERR_OK && !wal->options.read_only) {
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/quarantine", wal->options.directory);
    code = os_dir_sync(wal->options.os, folder, err);
  }
  return code;
}

/* ---- replay ---- */

struct replay {
  struct wal *wal;
  size_t last_segment;    /* where the last record replayed is */
  uint64_t last_position; /* 0: none */
  uint64_t synced;        /* what the last record calls synced */
  int (*visit)(void *context, const struct wal_record_header *header, const uint8_t *payload,
               struct err *err);
  void *context;
  struct wal_replay_figures *figures;
  uint64_t due;    /* sequence */
  uint64_t commit; /* the last one replayed, or below the first */
  bool stopped;
};

static int replay_segment(struct replay *replay, size_t index, uint64_t valid_through,
                          struct err *err) {
  struct wal *wal = replay->wal;
  struct wal_replay_figures *figures = replay->figures;
  struct segment_reader reader;
  int code = reader_open(wal, &wal->segments[index], &reader, err);
  if (code) return code;
  while (replay->due <= valid_through) {
    struct wal_record_header header;
    const uint8_t *payload;
    code = reader_record(&reader, reader.position, &header, &payload, err);
    if (code) break;
    bool follows = payload && header.sequence == replay->due &&
                   (!header.commit_count || header.first_commit > replay->commit);
    if (!follows) {
      bool more = index + 1 < wal->segment_count && wal->segments[index + 1].begun;
      /* The newest segment simply ends; after a close in order nothing can follow. */
      if (!more && figures->closed) break;
      replay->stopped = true;
      code = judge_end(wal, index, &reader, reader.position, replay->due, figures, err);
      break;
    }
    figures->closed = header.flags & WAL_RECORD_CLOSED;
    figures->records++;
    figures->bytes += wal_record_bytes(header.length);
    note_seen(figures, &header);
    figures->last_sequence = replay->due++;
    replay->last_segment = index;
    replay->last_position = reader.position;
    replay->synced = header.synced_sequence;
    reader.position += wal_record_bytes(header.length);
    if (!header.commit_count) continue;
    code = replay->visit(replay->context, &header, payload, err);
    if (code) break;
    replay->commit = header.first_commit + header.commit_count - 1;
    figures->last_commit = replay->commit;
  }
  reader_close(&reader);
  return code;
}

/* ---- what may not be on disk ---- */

/* Writes bytes of a segment over themselves. */
static int write_again(struct wal *wal, struct os_file *file, uint64_t offset, const uint8_t *bytes,
                       size_t size, struct err *err) {
  uint8_t *copy = mem_alloc(wal->options.account, size);
  if (!copy) return mem_refused(wal->options.account, size, err);
  memcpy(copy, bytes, size);
  int code = os_file_write(file, offset, copy, size, err);
  mem_free(wal->options.account, copy, size);
  return code;
}

/* The records of the last segment that was replayed above `synced`, to the last replayed one. */
static int write_records_again(const struct replay *replay, struct segment_reader *reader,
                               struct os_file *file, struct err *err) {
  bool last_only = replay->synced + 1 >= replay->figures->last_sequence;
  for (uint64_t at = last_only ? replay->last_position : WAL_BLOCK; at <= replay->last_position;) {
    struct wal_record_header header;
    const uint8_t *payload;
    int code = reader_record(reader, at, &header, &payload, err);
    if (code == ERR_OK && !payload)
      code = err_set(err, ERR_IO, "a log record reads differently the second time: %s",
                     os_file_path(file));
    if (code == ERR_OK && header.sequence > replay->synced)
      code = write_again(replay->wal, file, at, payload - sizeof header,
                         sizeof header + header.length, err);
    if (code) return code;
    at += wal_record_bytes(header.length);
  }
  return ERR_OK;
}

static int write_header_again(struct wal *wal, struct segment_reader *reader, struct os_file *file,
                              struct err *err) {
  const uint8_t *bytes;
  size_t available;
  int code = reader_fill(reader, 0, sizeof(struct wal_segment_header), &bytes, &available, err);
  return code ? code : write_again(wal, file, 0, bytes, available, err);
}

static int settle_segment(const struct replay *replay, size_t index, bool header_only,
                          struct err *err) {
  struct wal *wal = replay->wal;
  struct segment_reader reader;
  struct os_file *file = NULL;
  int code = reader_open(wal, &wal->segments[index], &reader, err);
  if (code) return code;
  code = os_file_open(wal->options.os, os_file_path(reader.file), OS_READ | OS_WRITE, &file, err);
  if (code == ERR_OK)
    code = header_only ? write_header_again(wal, &reader, file, err)
                       : write_records_again(replay, &reader, file, err);
  if (code == ERR_OK) code = os_file_sync(file, err);
  os_file_close(file);
  reader_close(&reader);
  return code;
}

/* What was read may be in memory only: the process before may have ended without a sync, or after
 * one that failed, and then no later sync helps. So what nothing says was synced is written once
 * more, over itself, before anything is built on it: the records above the last sync that the log
 * records (in the default mode the last one), and the header of a segment without records. */
static int settle(const struct replay *replay, struct err *err) {
  struct wal *wal = replay->wal;
  if (wal->options.read_only) return ERR_OK;
  int code = ERR_OK;
  size_t newest = wal->segment_count;
  while (newest && !wal->segments[newest - 1].begun)
    newest--;
  bool replayed = replay->last_position && replay->last_segment + 1 == newest;
  if (newest && !replayed && !wal->segments[newest - 1].kept)
    code = settle_segment(replay, newest - 1, true, err);
  if (code == ERR_OK && replay->last_position && !wal->segments[replay->last_segment].kept)
    code = settle_segment(replay, replay->last_segment, false, err);
  return code;
}

int wal_replay(struct wal *wal, uint64_t commit_floor,
               int (*visit)(void *context, const struct wal_record_header *header,
                            const uint8_t *payload, struct err *err),
               void *context, struct wal_replay_figures *figures, struct err *err) {
  *figures = (struct wal_replay_figures){.highest_commit = commit_floor};
  struct replay replay = {.wal = wal, .visit = visit, .context = context, .figures = figures};
  int code = ERR_OK;
  bool first = true;
  for (size_t i = 0; i < wal->segment_count && code == ERR_OK && !replay.stopped; i++) {
    const struct wal_segment *segment = &wal->segments[i];
    if (!segment->begun) continue;
    if (segment->first_sequence > figures->highest_sequence + 1)
      figures->highest_sequence = segment->first_sequence - 1;
    if (segment->first_commit > figures->highest_commit + 1)
      figures->highest_commit = segment->first_commit - 1;
    if (segment->incarnation < wal->start) continue;
    uint64_t valid_through = UINT64_MAX;
    for (size_t j = i + 1; j < wal->segment_count; j++)
      if (wal->segments[j].begun && wal->segments[j].valid_through < valid_through)
        valid_through = wal->segments[j].valid_through;
    if (first) figures->last_sequence = segment->first_sequence - 1;
    first = false;
    figures->closed = false;
    replay.due = segment->first_sequence;
    code = replay_segment(&replay, i, valid_through, err);
  }
  if (figures->last_sequence > figures->highest_sequence)
    figures->highest_sequence = figures->last_sequence;
  /* Segments begun beyond a stop were looked through; those voided wholly were passed over. */
  wal->valid_through = first ? figures->highest_sequence : figures->last_sequence;
  wal->next_sequence = figures->highest_sequence + 1;
  wal->synced_sequence = wal->valid_through;
  return code ? code : settle(&replay, err);
}
