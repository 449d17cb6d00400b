/* A manifest from the files of parts: which of them live.
 *
 * Every part says which store it belongs to, which commits it holds, which keys (its partition) and
 * which parts it was merged from. A file may be there that is of no use any more (merged, and not
 * yet removed) or not yet (a merge or flush that was not published); its rows are then in others,
 * too. So:
 *
 * 1. A part whose commits and partition another, newer part covers has been merged into it, or was
 *    flushed again.
 * 2. A piece (a part of a range of keys) that was made from parts of other ranges tells only a part
 *    of what its sources tell. While all of these are there, the sources are taken and the piece is
 *    left out; when one of them has gone, the pieces were published and the sources are left out.
 *    Pieces with a source in common go the same way.
 *
 * What is left out moves to quarantine; nothing is deleted. Stores that were dropped may come back
 * where files of theirs are left: nobody sees them, since the catalog says that their tables are
 * gone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "store/part_private.h"
#include "store/part_walk.h"
#include "store/repair_private.h"
#include "store/wal_format.h"

struct found {
  uint64_t store, id, offset, size, rows, commit_min, commit_max, series_max;
  uint64_t width;
  int64_t start;
  uint32_t policy;
  uint32_t sources, source_count; /* in the list of ids */
  bool piece;                     /* of sources of other ranges */
  bool left_out;
};

struct collecting {
  struct repair *repair;
  struct buffer epochs;  /* uint64 */
  struct buffer parts;   /* struct found */
  struct buffer sources; /* uint64 */
  bool has_shard;
  struct err *err;
};

static struct found *list(const struct collecting *collecting, size_t *count) {
  *count = collecting->parts.size / sizeof(struct found);
  return (struct found *)(void *)collecting->parts.data;
}

static int visit_name(void *context, const char *name, bool is_dir) {
  struct collecting *collecting = context;
  uint64_t epoch;
  if (shard__part_name(collecting->repair->form, name, is_dir, &epoch))
    buffer_append_u64(&collecting->epochs, epoch);
  return 0;
}

static void add_part(struct collecting *collecting, uint64_t offset,
                     const struct store_part *part) {
  const struct part_meta *meta = &part->meta;
  struct found found = {.store = meta->store,
                        .id = meta->id,
                        .offset = offset,
                        .size = part->size,
                        .rows = meta->rows,
                        .commit_min = meta->commit_min,
                        .commit_max = meta->commit_max,
                        .series_max = meta->series_max,
                        .width = meta->partition_width,
                        .start = meta->partition_start,
                        .policy = meta->policy,
                        .sources = (uint32_t)(collecting->sources.size / 8),
                        .source_count = meta->source_count};
  if (!collecting->has_shard) memcpy(collecting->repair->manifest.shard, meta->shard, 16);
  collecting->has_shard = true;
  for (uint32_t i = 0; i < meta->source_count; i++)
    buffer_append_u64(&collecting->sources, part->sources[i]);
  buffer_append(&collecting->parts, &found, sizeof found);
}

/* What cannot be opened leaves; everything in it is lost. */
static int leave(struct collecting *collecting, uint64_t epoch, struct err *finding) {
  struct repair *repair = collecting->repair;
  repair->figures->parts_lost++;
  finding->hint[0] = 0;
  repair__found(repair, finding);
  buffer_append_u64(&repair->leaving, epoch);
  return ERR_OK;
}

static void lose(struct repair *repair, uint64_t epoch, const char *what) {
  char name[64];
  repair__part_name(repair, epoch, name, sizeof name);
  repair__say(repair, STORE_FINDING_DAMAGE, name, -1, "restore it from a backup, if there is one",
              "%s", what);
}

static int walk_images(struct collecting *collecting, struct part_file *file, struct err *finding) {
  struct repair *repair = collecting->repair;
  struct part_walk walk;
  int code = ERR_OK;
  part_walk_begin(&walk, file);
  while (!code && walk.offset) {
    struct store_part *part;
    bool skipped;
    code = part_walk_next(&walk, repair->options->account, &part, &skipped, finding);
    if (part) add_part(collecting, walk.offset, part);
    part_release(part);
    if (skipped) code = leave(collecting, file->epoch, finding);
  }
  return code;
}

/* A directory without meta.bin is what is left of a part that was not written, or not removed, to
 * its end; or somebody has removed the file, so it is kept. */
static int open_directory(struct collecting *collecting, struct part_file *file,
                          struct err *finding) {
  struct store_part *part;
  int code = part_open_directory(file, collecting->repair->options->account, &part, finding);
  if (code) return code;
  add_part(collecting, 0, part);
  part_release(part);
  return ERR_OK;
}

static int look_into(struct collecting *collecting, uint64_t epoch) {
  struct repair *repair = collecting->repair;
  struct part_file *file = NULL;
  struct err finding;
  err_reset(&finding);
  int code = shard__file_open_in(repair->form, repair->handles, repair->options->account,
                                 repair->directory, epoch, &file, &finding);
  if (code == ERR_NO_FILE && repair->form->directories) {
    repair__found(repair, &finding);
    buffer_append_u64(&repair->leaving, epoch);
    return ERR_OK;
  }
  if (!code)
    code = repair->form->directories ? open_directory(collecting, file, &finding)
                                     : walk_images(collecting, file, &finding);
  part_file_release(file);
  if (code && err_info(code)->class == ERR_CLASS_CORRUPTION) {
    leave(collecting, epoch, &finding);
    lose(repair, epoch,
         repair->form->directories ? "the part could not be opened: its rows are lost"
                                   : "what it holds before this place could not be saved");
    return ERR_OK;
  }
  if (code) *collecting->err = finding;
  return code;
}

/* ---- which live ---- */

static struct found *find(struct found *parts, size_t count, uint64_t id) {
  for (size_t i = 0; i < count; i++)
    if (parts[i].id == id) return &parts[i];
  return NULL;
}

static uint64_t source(const struct collecting *collecting, const struct found *part, uint32_t i) {
  return load_u64(collecting->sources.data + ((size_t)part->sources + i) * 8);
}

static bool same_range(const struct found *a, const struct found *b) {
  return a->width == b->width && (!a->width || a->start == b->start);
}

static void find_pieces(struct collecting *collecting) {
  size_t count;
  struct found *parts = list(collecting, &count);
  for (size_t i = 0; i < count; i++)
    for (uint32_t j = 0; j < parts[i].source_count; j++) {
      const struct found *from = find(parts, count, source(collecting, &parts[i], j));
      if (from && !same_range(from, &parts[i])) parts[i].piece = true;
    }
}

/* Rule 2. A piece stays when one of its sources is gone, or is a source of a piece that stays. */
static void judge_pieces(struct collecting *collecting) {
  size_t count;
  struct found *parts = list(collecting, &count);
  for (size_t i = 0; i < count; i++) {
    parts[i].left_out = parts[i].piece;
    for (uint32_t j = 0; j < parts[i].source_count && parts[i].piece; j++)
      if (!find(parts, count, source(collecting, &parts[i], j))) parts[i].left_out = false;
  }
  for (bool again = true; again;) {
    again = false;
    for (size_t i = 0; i < count; i++)
      for (uint32_t j = 0; j < parts[i].source_count && parts[i].piece && !parts[i].left_out; j++) {
        struct found *from = find(parts, count, source(collecting, &parts[i], j));
        if (!from || from->left_out) continue;
        from->left_out = again = true;
        for (size_t k = 0; k < count; k++)
          for (uint32_t l = 0; l < parts[k].source_count && parts[k].piece; l++)
            if (source(collecting, &parts[k], l) == from->id) parts[k].left_out = false;
      }
  }
}

/* Rule 1. */
static void judge_covered(struct collecting *collecting) {
  size_t count;
  struct found *parts = list(collecting, &count);
  for (size_t i = 0; i < count; i++)
    for (size_t j = 0; j < count && !parts[i].left_out; j++) {
      const struct found *newer = &parts[j];
      bool covers = !newer->left_out && newer->store == parts[i].store && newer->id > parts[i].id &&
                    same_range(newer, &parts[i]) && newer->commit_min <= parts[i].commit_min &&
                    newer->commit_max >= parts[i].commit_max;
      if (covers) parts[i].left_out = true;
    }
}

/* ---- the state ---- */

static int by_store(const void *a, const void *b) {
  const struct found *x = a, *y = b;
  if (x->store != y->store) return x->store < y->store ? -1 : 1;
  return (x->commit_min > y->commit_min) - (x->commit_min < y->commit_min);
}

static int make_edits(struct collecting *collecting, struct buffer *edits) {
  size_t count;
  struct found *parts = list(collecting, &count);
  uint64_t commit = 0;
  if (count) qsort(parts, count, sizeof *parts, by_store);
  for (size_t i = 0; i < count; i++) {
    if (i == 0 || parts[i].store != parts[i - 1].store) {
      struct manifest_edit edit = {
          .kind = MANIFEST_STORE, .policy = parts[i].policy, .store = parts[i].store};
      for (size_t j = i; j < count && parts[j].store == parts[i].store; j++) {
        if (parts[j].commit_max > edit.flushed) edit.flushed = parts[j].commit_max;
        if (parts[j].series_max > edit.series_high) edit.series_high = parts[j].series_max;
      }
      if (edit.flushed > commit) commit = edit.flushed;
      buffer_append(edits, &edit, sizeof edit);
    }
    if (parts[i].left_out) continue;
    struct manifest_edit edit = {.kind = MANIFEST_ADD, .store = parts[i].store};
    edit.id = parts[i].id;
    edit.offset = parts[i].offset;
    edit.size = parts[i].size;
    edit.commit_min = parts[i].commit_min;
    edit.commit_max = parts[i].commit_max;
    edit.rows = parts[i].rows;
    buffer_append(edits, &edit, sizeof edit);
  }
  collecting->repair->manifest.commit = commit;
  return buffer_check(edits, collecting->err);
}

/* Files of which nothing lives. */
static void leave_files(struct collecting *collecting) {
  size_t count, lives = 0;
  const struct found *parts = list(collecting, &count);
  for (size_t e = 0; e < collecting->epochs.size; e += 8) {
    uint64_t epoch = load_u64(collecting->epochs.data + e);
    bool live = false, any = false;
    for (size_t i = 0; i < count; i++) {
      if (parts[i].id >> 20 != epoch) continue;
      any = true;
      live = live || !parts[i].left_out;
    }
    lives += live;
    if (any && !live) buffer_append_u64(&collecting->repair->leaving, epoch);
  }
  bool alone = collecting->repair->form->directories;
  repair__say(collecting->repair, STORE_FINDING_NOTE, alone ? "" : "manifest", -1, "",
              alone ? "a snapshot is made anew from %zu parts; %zu others are kept in quarantine/"
                    : "made anew from %zu files of parts; %zu others are kept in quarantine/",
              lives, collecting->repair->leaving.size / 8);
}

/* Without a part the log still says whose it is. */
static int visit_segment(void *context, const char *name, bool is_dir) {
  struct collecting *collecting = context;
  const struct repair *repair = collecting->repair;
  struct wal_segment_header header;
  struct os_file *file;
  char path[4096];
  if (is_dir || collecting->has_shard) return 0;
  snprintf(path, sizeof path, "%s/log/%s", repair->directory, name);
  if (os_file_open(repair->options->os, path, OS_READ, &file, NULL)) return 0;
  if (!os_file_read_exact(file, 0, &header, sizeof header, NULL) &&
      !memcmp(header.magic, WAL_SEGMENT_MAGIC, sizeof header.magic) &&
      header.checksum == checksum64(&header, offsetof(struct wal_segment_header, checksum))) {
    memcpy(collecting->repair->manifest.shard, header.shard, sizeof header.shard);
    collecting->has_shard = true;
  }
  os_file_close(file);
  return 0;
}

static void ask_log(struct collecting *collecting) {
  struct repair *repair = collecting->repair;
  char folder[4096];
  snprintf(folder, sizeof folder, "%s/log", repair->directory);
  if (os_path_exists(repair->options->os, folder))
    (void)os_dir_list(repair->options->os, folder, visit_segment, collecting, NULL);
}

/* The parts of an only store hold every commit, but those whose rows were all deleted. */
static void tell_gaps(struct collecting *collecting) {
  size_t count;
  const struct found *parts = list(collecting, &count);
  uint64_t covered = 0;
  for (size_t i = 0; i < count && collecting->repair->form->only_store; i++) {
    if (parts[i].left_out) continue;
    if (parts[i].commit_min > covered + 1)
      repair__say(collecting->repair, STORE_FINDING_DAMAGE, "", -1,
                  "restore them from a backup, if they were not deleted",
                  "commits %llu to %llu are in no part: a part is lost, or all their rows had been "
                  "deleted",
                  (unsigned long long)covered + 1, (unsigned long long)parts[i].commit_min - 1);
    if (parts[i].commit_max > covered) covered = parts[i].commit_max;
  }
}

static int collect(struct collecting *collecting) {
  struct repair *repair = collecting->repair;
  char folder[4096];
  int code = ERR_OK;
  shard__parts_folder_in(repair->form, repair->directory, folder, sizeof folder);
  if (os_path_exists(repair->options->os, folder))
    code = os_dir_list(repair->options->os, folder, visit_name, collecting, collecting->err);
  if (!code) code = buffer_check(&collecting->epochs, collecting->err);
  for (size_t at = 0; at < collecting->epochs.size && !code; at += 8)
    code = look_into(collecting, load_u64(collecting->epochs.data + at));
  if (!code) code = buffer_check(&collecting->parts, collecting->err);
  if (!code) code = buffer_check(&collecting->sources, collecting->err);
  if (!code && !collecting->has_shard) ask_log(collecting);
  if (!code && !collecting->has_shard) {
    code = err_set(collecting->err, ERR_CORRUPTION,
                   "no state, no part and no log tells what the directory was");
    err_hint(collecting->err, "restore the directory from a backup");
  }
  return code;
}

int repair__manifest(struct repair *repair, struct err *err) {
  struct collecting collecting = {.repair = repair, .err = err};
  struct buffer edits;
  buffer_init(&collecting.epochs, repair->options->account);
  buffer_init(&collecting.parts, repair->options->account);
  buffer_init(&collecting.sources, repair->options->account);
  buffer_init(&edits, repair->options->account);
  int code = collect(&collecting);
  if (!code) {
    find_pieces(&collecting);
    judge_pieces(&collecting);
    judge_covered(&collecting);
    code = make_edits(&collecting, &edits);
    tell_gaps(&collecting);
  }
  size_t count = edits.size / sizeof(struct manifest_edit);
  const struct manifest_edit *all = (const struct manifest_edit *)edits.data;
  if (!code) code = manifest__reserve(&repair->manifest, all, count, err);
  if (!code) {
    struct manifest_record record = {.epoch = 1,
                                     .commit = repair->manifest.commit,
                                     .wal_start = 1,
                                     .edit_count = (uint32_t)count};
    leave_files(&collecting);
    manifest__apply(&repair->manifest, &record, all);
  }
  buffer_deinit(&edits);
  buffer_deinit(&collecting.epochs);
  buffer_deinit(&collecting.parts);
  buffer_deinit(&collecting.sources);
  return code;
}
