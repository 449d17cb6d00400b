/* The writer of the log.
 *
 * One append is one aligned write into space that was filled with zeros before; in the default mode
 * the write itself is the sync. Whatever fails poisons the segment: nothing more is written to it,
 * the record goes to a new segment whose header voids what the old one may hold of it, and when
 * that fails too the record is refused. A segment is never synced twice after a failure, because
 * the kernel may have dropped the dirty pages and would answer "done". */
#include "store/wal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "base/err.h"
#include "base/log.h"

enum {
  ZERO_STEP = 256 << 10, /* how far ahead of the write position space is filled */
  SPARES_MAX = 4,        /* spare segments that are kept for use */
};

void wal__path(const struct wal *wal, const char *folder, uint64_t incarnation, char *out,
               size_t size) {
  snprintf(out, size, "%s/%s/%016llx.log", wal->options.directory, folder,
           (unsigned long long)incarnation);
}

int wal__add_segment(struct wal *wal, const struct wal_segment *segment, struct err *err) {
  if (wal->segment_count == wal->segment_capacity) {
    size_t capacity = wal->segment_capacity ? 2 * wal->segment_capacity : 8;
    struct wal_segment *grown =
        mem_resize(wal->options.account, wal->segments, wal->segment_capacity * sizeof *grown,
                   capacity * sizeof *grown);
    if (!grown) return mem_refused(wal->options.account, capacity * sizeof *grown, err);
    wal->segments = grown;
    wal->segment_capacity = capacity;
  }
  wal->segments[wal->segment_count++] = *segment;
  return ERR_OK;
}

uint64_t wal_payload_max(const struct wal *wal) {
  uint64_t room = wal->options.segment_bytes - WAL_BLOCK - sizeof(struct wal_record_header);
  return room < UINT32_MAX ? room : UINT32_MAX;
}

/* ---- beginning a segment ---- */

/* A segment to write over: spare, or renamed for use and not begun. Its entry leaves the table. */
static bool take_spare(struct wal *wal, struct wal_segment *spare) {
  bool found = false;
  os_mutex_lock(&wal->lock);
  size_t count = wal->segment_count;
  size_t pick = 0;
  /* The one not begun is the last if there is one, and must be used first: numbers have no gaps. */
  if (count && !wal->segments[count - 1].begun) {
    pick = count - 1;
    found = true;
  }
  for (size_t i = 0; i < count && !found; i++)
    if (wal->segments[i].incarnation < wal->start && !wal->segments[i].kept) {
      pick = i;
      found = true;
    }
  if (found) {
    *spare = wal->segments[pick];
    memmove(&wal->segments[pick], &wal->segments[pick + 1],
            (count - pick - 1) * sizeof *wal->segments);
    wal->segment_count--;
  }
  os_mutex_unlock(&wal->lock);
  return found;
}

static void put_segment(struct wal *wal, const struct wal_segment *segment) {
  os_mutex_lock(&wal->lock);
  /* A place is free: the entry was taken out before, or reserved. */
  size_t at = wal->segment_count;
  while (at && wal->segments[at - 1].incarnation > segment->incarnation)
    at--;
  memmove(&wal->segments[at + 1], &wal->segments[at],
          (wal->segment_count - at) * sizeof *wal->segments);
  wal->segments[at] = *segment;
  wal->segment_count++;
  if (segment->incarnation >= wal->next_incarnation)
    wal->next_incarnation = segment->incarnation + 1;
  os_mutex_unlock(&wal->lock);
}

static int reserve_segment(struct wal *wal, struct err *err) {
  struct wal_segment none = {0};
  os_mutex_lock(&wal->lock);
  int code = wal__add_segment(wal, &none, err);
  if (code == ERR_OK) wal->segment_count--;
  os_mutex_unlock(&wal->lock);
  return code;
}

static int write_header(struct wal *wal, struct os_file *file, const struct wal_segment *segment,
                        struct err *err) {
  uint8_t *memory = mem_alloc_zero(wal->options.account, 2 * (size_t)WAL_BLOCK);
  if (!memory) return mem_refused(wal->options.account, 2 * (size_t)WAL_BLOCK, err);
  uint8_t *block = memory + (-(uintptr_t)memory & (WAL_BLOCK - 1));
  struct wal_segment_header header = {
      .version = WAL_VERSION,
      .header_size = sizeof header,
      .incarnation = segment->incarnation,
      .first_sequence = segment->first_sequence,
      .valid_through = segment->valid_through,
      .synced_sequence = segment->synced_sequence,
      .first_commit = segment->first_commit,
      .segment_bytes = wal->options.segment_bytes,
      .wall_ns = os_wall_ns(wal->options.os),
  };
  memcpy(header.magic, WAL_SEGMENT_MAGIC, sizeof header.magic);
  memcpy(header.shard, wal->options.shard, sizeof header.shard);
  header.checksum = checksum64(&header, offsetof(struct wal_segment_header, checksum));
  memcpy(block, &header, sizeof header);
  int code = os_file_write(file, 0, block, WAL_BLOCK, err);
  mem_free(wal->options.account, memory, 2 * (size_t)WAL_BLOCK);
  return code;
}

/* Renames a spare for use, if there is one; one that somebody has removed is forgotten. */
static int reuse_spare(struct wal *wal, struct wal_segment *segment, bool *reused,
                       struct err *err) {
  char path[4096], old[4096];
  struct wal_segment spare;
  *reused = false;
  while (!*reused && take_spare(wal, &spare)) {
    if (!spare.begun) segment->incarnation = spare.incarnation; /* has its name already */
    wal__path(wal, "log", spare.incarnation, old, sizeof old);
    wal__path(wal, "log", segment->incarnation, path, sizeof path);
    int code = spare.begun ? os_file_rename(wal->options.os, old, path, err) : ERR_OK;
    if (code == ERR_NO_FILE) continue;
    if (code) {
      put_segment(wal, &spare);
      return code;
    }
    segment->file_bytes = spare.file_bytes & ~(uint64_t)(WAL_BLOCK - 1);
    *reused = true;
  }
  return ERR_OK;
}

/* Makes the file of the next segment: a spare under its new name, or a new file. */
static int make_file(struct wal *wal, struct wal_segment *segment, bool *named, bool *created,
                     struct err *err) {
  char path[4096], folder[4096];
  bool reused;
  *named = *created = false;
  segment->incarnation = wal->next_incarnation;
  int code = reuse_spare(wal, segment, &reused, err);
  if (code) return code;
  if (!reused) {
    wal__path(wal, "log", segment->incarnation, path, sizeof path);
    struct os_file *file;
    code = os_file_open(wal->options.os, path, OS_READ | OS_WRITE | OS_CREATE, &file, err);
    if (code) return code;
    os_file_close(file);
    *created = true;
    segment->file_bytes = 0;
  }
  *named = true;
  snprintf(folder, sizeof folder, "%s/log", wal->options.directory);
  return os_dir_sync(wal->options.os, folder, err);
}

/* What the segment holds may never reach the disk. */
static void lose_segment(struct wal *wal) {
  log_error(wal->options.logger, "store",
            "syncing the log failed: acknowledged commits are flushed to parts instead file=%s",
            os_file_path(wal->file));
  os_mutex_lock(&wal->lock);
  wal->segments[wal->segment_count - 1].lost_last = wal->last_commit;
  os_mutex_unlock(&wal->lock);
  atomic_store(&wal->sync_lost, true);
  os_file_close(wal->file);
  wal->file = NULL;
}

static void leave_segment(struct wal *wal) {
  if (!wal->file) return;
  struct err err;
  if (wal->options.sync != STORE_SYNC_ALWAYS) (void)wal_sync(wal, &err);
  os_file_close(wal->file);
  wal->file = NULL;
}

static int begin_segment(struct wal *wal, uint64_t first_commit, struct err *err) {
  leave_segment(wal);
  int code = reserve_segment(wal, err);
  if (code) return code;
  struct wal_segment segment = {
      .first_sequence = wal->next_sequence,
      .valid_through = wal->valid_through,
      .synced_sequence = wal->synced_sequence,
      .first_commit = first_commit,
  };
  char path[4096];
  bool named, created;
  struct os_file *file = NULL;
  code = make_file(wal, &segment, &named, &created, err);
  if (code == ERR_OK) {
    wal__path(wal, "log", segment.incarnation, path, sizeof path);
    unsigned flags = OS_READ | OS_WRITE;
    if (wal->options.sync == STORE_SYNC_ALWAYS) flags |= OS_DIRECT | OS_DSYNC;
    code = os_file_open(wal->options.os, path, flags, &file, err);
  }
  if (code == ERR_OK) code = write_header(wal, file, &segment, err);
  if (code == ERR_OK && wal->options.sync != STORE_SYNC_ALWAYS) code = os_file_sync(file, err);
  if (code) {
    os_file_close(file);
    /* It keeps its name and is the first to be tried next time. */
    if (named) put_segment(wal, &segment);
    return code;
  }
  wal->file = file;
  wal->incarnation = segment.incarnation;
  wal->first_commit = first_commit;
  wal->position = WAL_BLOCK;
  wal->zeroed = segment.file_bytes > WAL_BLOCK ? segment.file_bytes : WAL_BLOCK;
  if (segment.file_bytes < WAL_BLOCK) segment.file_bytes = WAL_BLOCK;
  segment.begun = true;
  put_segment(wal, &segment);
  log_debug(wal->options.logger, "store", "began log segment incarnation=%016llx reused=%d",
            (unsigned long long)segment.incarnation, !created);
  return ERR_OK;
}

/* ---- appending ---- */

static void set_file_bytes(struct wal *wal, uint64_t bytes) {
  os_mutex_lock(&wal->lock);
  assert(wal->segment_count);
  struct wal_segment *segment = &wal->segments[wal->segment_count - 1];
  if (segment->file_bytes < bytes) segment->file_bytes = bytes;
  os_mutex_unlock(&wal->lock);
}

/* Fills with zeros up to `end` and a step beyond. Large records are written into new space
 * directly: writing them twice would cost more than growing the file does. */
static int fill_ahead(struct wal *wal, uint64_t end, struct err *err) {
  if (end <= wal->zeroed || end - wal->position >= ZERO_STEP) return ERR_OK;
  if (!wal->zeros) {
    wal->zeros_size = ZERO_STEP + WAL_BLOCK;
    wal->zeros = mem_alloc_zero(wal->options.account, wal->zeros_size);
    if (!wal->zeros) return mem_refused(wal->options.account, wal->zeros_size, err);
  }
  const uint8_t *zeros = wal->zeros + (-(uintptr_t)wal->zeros & (WAL_BLOCK - 1));
  uint64_t room = wal->options.segment_bytes - wal->zeroed;
  uint64_t step = room < ZERO_STEP ? room : ZERO_STEP;
  int code = os_file_write(wal->file, wal->zeroed, zeros, (size_t)step, err);
  if (code == ERR_DISK_FULL && wal->zeroed + step > end)
    code = os_file_write(wal->file, wal->zeroed, zeros, (size_t)(end - wal->zeroed), err);
  else if (code == ERR_OK)
    wal->zeroed += step;
  if (code == ERR_OK && wal->zeroed < end) wal->zeroed = end;
  if (code == ERR_OK) set_file_bytes(wal, wal->zeroed);
  return code;
}

static void seal_record(struct wal *wal, uint64_t first_commit, uint32_t commits, uint32_t flags,
                        uint8_t *record, size_t payload) {
  size_t total = wal_record_bytes(payload);
  struct wal_record_header header = {
      .magic = WAL_RECORD_MAGIC,
      .flags = flags,
      .incarnation = wal->incarnation,
      .sequence = wal->next_sequence,
      .first_commit = first_commit,
      .synced_sequence = wal->synced_sequence,
      .wall_ns = os_wall_ns(wal->options.os),
      .length = (uint32_t)payload,
      .commit_count = commits,
  };
  memcpy(record, &header, sizeof header);
  memset(record + sizeof header + payload, 0, total - sizeof header - payload);
  header.checksum = checksum64(record + 8, sizeof header - 8 + payload);
  memcpy(record, &header.checksum, sizeof header.checksum);
}

static int write_record(struct wal *wal, uint64_t first_commit, uint32_t commits, uint32_t flags,
                        uint8_t *record, size_t payload, struct err *err) {
  size_t total = wal_record_bytes(payload);
  if (atomic_exchange(&wal->distrusted, false) && wal->file) lose_segment(wal);
  if (!wal->file || wal->position + total > wal->options.segment_bytes) {
    int code = begin_segment(wal, first_commit, err);
    if (code) return code;
  }
  int code = fill_ahead(wal, wal->position + total, err);
  if (code == ERR_DISK_FULL || code == ERR_NO_MEMORY || code == ERR_MEMORY_LIMIT)
    return code; /* nothing that is written was touched: the segment stays good */
  if (code == ERR_OK) {
    seal_record(wal, first_commit, commits, flags, record, payload);
    code = os_file_write(wal->file, wal->position, record, total, err);
  }
  if (code) {
    log_warn(wal->options.logger, "store", "log segment given up after a failed write file=%s",
             os_file_path(wal->file));
    leave_segment(wal); /* what it owes to the modes that sync later is synced now or flushed */
    wal->refused = true;
    return code;
  }
  wal->refused = false;
  wal->position += total;
  if (wal->zeroed < wal->position) {
    wal->zeroed = wal->position;
    set_file_bytes(wal, wal->zeroed);
  }
  wal->valid_through = wal->next_sequence++;
  if (commits) wal->last_commit = first_commit + commits - 1;
  if (wal->options.sync == STORE_SYNC_ALWAYS) {
    wal->synced_sequence = wal->valid_through;
    atomic_fetch_add_explicit(&wal->syncs, 1, memory_order_relaxed);
  }
  atomic_fetch_add_explicit(&wal->bytes_logged, total, memory_order_relaxed);
  return ERR_OK;
}

int wal_append(struct wal *wal, uint64_t first_commit, uint32_t commits, uint8_t *record,
               size_t payload, struct err *err) {
  assert(((uintptr_t)record & (WAL_BLOCK - 1)) == 0 && payload <= wal_payload_max(wal));
  bool had_segment = wal->file != NULL;
  int code = write_record(wal, first_commit, commits, 0, record, payload, err);
  /* A poisoned segment: once more in a new one. */
  if (code && had_segment && !wal->file)
    code = write_record(wal, first_commit, commits, 0, record, payload, err);
  return code;
}

int wal_sync(struct wal *wal, struct err *err) {
  if (!wal->file || wal->synced_sequence == wal->valid_through) return ERR_OK;
  int code = os_file_sync(wal->file, err);
  if (atomic_exchange(&wal->distrusted, false) && !code)
    code = err_set(err, ERR_IO, "an earlier sync of the log failed: %s", os_file_path(wal->file));
  if (code) {
    lose_segment(wal);
    return code;
  }
  atomic_fetch_add_explicit(&wal->syncs, 1, memory_order_relaxed);
  wal->synced_sequence = wal->valid_through;
  return ERR_OK;
}

int wal_sync_before_flush(struct wal *wal, struct err *err) {
  if (wal->options.sync == STORE_SYNC_ALWAYS) return ERR_OK;
  /* Those before the newest were synced when they were left, or are flushed as a whole. */
  uint64_t newest = 0;
  os_mutex_lock(&wal->lock);
  for (size_t i = wal->segment_count; i-- > 0 && !newest;)
    if (wal->segments[i].begun) newest = wal->segments[i].incarnation;
  os_mutex_unlock(&wal->lock);
  if (!newest) return ERR_OK;
  char path[4096];
  struct os_file *file;
  wal__path(wal, "log", newest, path, sizeof path);
  int code = os_file_open(wal->options.os, path, OS_READ | OS_WRITE, &file, err);
  if (code) return code;
  code = os_file_sync(file, err);
  os_file_close(file);
  if (code) {
    atomic_store(&wal->distrusted, true);
    atomic_store(&wal->sync_lost, true);
  } else if (atomic_load(&wal->sync_lost)) {
    /* Since the flush began: what it takes may be in a segment that was lost. */
    code = err_set(err, ERR_IO, "a sync of the log failed meanwhile; everything is flushed next");
  }
  return code;
}

void wal_close_orderly(struct wal *wal) {
  /* A record that was refused is voided by a segment behind it, so that it does not come back. */
  if (!wal->file && !wal->refused) return;
  struct err err;
  uint8_t *memory = mem_alloc(wal->options.account, 2 * (size_t)WAL_BLOCK);
  if (memory && (!wal->file || wal->position + WAL_BLOCK <= wal->options.segment_bytes)) {
    uint8_t *record = memory + (-(uintptr_t)memory & (WAL_BLOCK - 1));
    uint64_t first = wal->file ? wal->first_commit : wal->last_commit + 1;
    (void)write_record(wal, first, 0, WAL_RECORD_CLOSED, record, 0, &err);
  }
  mem_free(wal->options.account, memory, 2 * (size_t)WAL_BLOCK);
  if (wal->options.sync != STORE_SYNC_ALWAYS) (void)wal_sync(wal, &err);
}

void wal_close(struct wal *wal) {
  os_file_close(wal->file);
  mem_free(wal->options.account, wal->zeros, wal->zeros_size);
  mem_free(wal->options.account, wal->segments, wal->segment_capacity * sizeof *wal->segments);
  os_mutex_deinit(&wal->lock);
}

/* ---- trimming ---- */

uint64_t wal_start_for(struct wal *wal, uint64_t commit, bool *begun) {
  os_mutex_lock(&wal->lock);
  uint64_t start = wal->next_incarnation;
  *begun = false;
  for (size_t i = wal->segment_count; i-- > 0;) {
    const struct wal_segment *segment = &wal->segments[i];
    if (!segment->begun) {
      start = segment->incarnation;
      continue;
    }
    /* What it lost is flushed by now. Records behind it must be found without it. */
    if (segment->lost_last && segment->lost_last < commit) break;
    start = segment->incarnation;
    *begun = true;
    if (segment->first_commit <= commit) break;
  }
  if (start < wal->start) start = wal->start;
  os_mutex_unlock(&wal->lock);
  return start;
}

void wal_trim(struct wal *wal, uint64_t start) {
  for (;;) {
    char path[4096];
    uint64_t remove = 0;
    os_mutex_lock(&wal->lock);
    if (start > wal->start) wal->start = start;
    size_t spares = 0;
    for (size_t i = 0; i < wal->segment_count; i++) {
      struct wal_segment *segment = &wal->segments[i];
      if (segment->incarnation >= wal->start) break;
      if (!segment->kept && ++spares <= SPARES_MAX) continue;
      remove = segment->incarnation;
      memmove(segment, segment + 1, (wal->segment_count - i - 1) * sizeof *segment);
      wal->segment_count--;
      break;
    }
    os_mutex_unlock(&wal->lock);
    if (!remove) return;
    wal__path(wal, "log", remove, path, sizeof path);
    struct err err;
    if (os_file_remove(wal->options.os, path, &err))
      log_warn(wal->options.logger, "store", "could not remove a log segment file=%s", path);
  }
}

void wal_sizes(struct wal *wal, uint64_t *needed_bytes, uint64_t *all_bytes, uint64_t *segments) {
  os_mutex_lock(&wal->lock);
  *needed_bytes = *all_bytes = 0;
  *segments = wal->segment_count;
  for (size_t i = 0; i < wal->segment_count; i++) {
    *all_bytes += wal->segments[i].file_bytes;
    if (wal->segments[i].incarnation >= wal->start) *needed_bytes += wal->segments[i].file_bytes;
  }
  os_mutex_unlock(&wal->lock);
}

uint64_t wal_commit_to_trim(struct wal *wal, uint64_t bytes) {
  os_mutex_lock(&wal->lock);
  uint64_t needed = 0, commit = 0;
  for (size_t i = wal->segment_count; i-- > 0;) {
    const struct wal_segment *segment = &wal->segments[i];
    if (segment->incarnation < wal->start) break;
    needed += segment->file_bytes;
    if (needed > bytes) {
      /* This one must go; the newest never does. */
      commit = i + 1 < wal->segment_count ? wal->segments[i + 1].first_commit : 0;
      break;
    }
  }
  os_mutex_unlock(&wal->lock);
  return commit;
}
