/* The manifest of a store opened alone: a pair of files for every publication.
 *
 * `<16 hex digits of its epoch>.snapshot` is the list of parts, a JSON array of their names and
 * nothing else; `<the same>.state` is what else a start needs, as a manifest file with one
 * checkpoint, and holds the checksum of the list (docs/format/snapshot.md). Both are written under
 * their final names and synced, then the directory; the newest pair and the one before stay.
 *
 * A start takes the newest pair if it is whole. If it is not, it was never finished or has been
 * damaged since, which nobody can tell: then the next state is only offered (manifest.doubtful),
 * and recovery takes it when every part that it names is whole and the log begins early enough. */
#include "store/snapshot_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/part_file.h"

enum { NAME_DIGITS = 16 };

/* ---- the list ---- */

void snapshot_list_write(const struct manifest *manifest, struct buffer *text) {
  bool first = true;
  buffer_append_byte(text, '[');
  for (size_t i = 0; i < manifest->store_count; i++)
    for (uint32_t j = 0; j < manifest->stores[i].part_count; j++) {
      buffer_printf(text, "%s\"%016llx\"", first ? "" : ",\n ",
                    (unsigned long long)(manifest->stores[i].parts[j].id >> 20));
      first = false;
    }
  buffer_append_text(text, "]\n");
}

static void skip_space(const char **at, const char *end) {
  while (*at < end && (**at == ' ' || **at == '\n' || **at == '\r' || **at == '\t'))
    ++*at;
}

/* One character, and the space before it. */
static bool take(const char **at, const char *end, char wanted) {
  skip_space(at, end);
  if (*at == end || **at != wanted) return false;
  ++*at;
  return true;
}

static bool take_name(const char **at, const char *end, uint64_t *epoch) {
  if (!take(at, end, '"') || end - *at < NAME_DIGITS + 1) return false;
  *epoch = 0;
  for (int i = 0; i < NAME_DIGITS; i++) {
    char c = *(*at)++;
    if (c >= '0' && c <= '9')
      *epoch = *epoch << 4 | (uint64_t)(c - '0');
    else if (c >= 'a' && c <= 'f')
      *epoch = *epoch << 4 | (uint64_t)(c - 'a' + 10);
    else
      return false;
  }
  return take(at, end, '"') && *epoch != 0;
}

bool snapshot_list_read(struct str text, struct buffer *epochs) {
  const char *at = text.data, *end = text.data + text.size;
  if (!text.size || !take(&at, end, '[')) return false;
  skip_space(&at, end);
  if (at < end && *at == ']') {
    at++;
  } else {
    bool more = true;
    while (more) {
      uint64_t epoch;
      skip_space(&at, end);
      if (!take_name(&at, end, &epoch) || !buffer_append(epochs, &epoch, sizeof epoch))
        return false;
      more = take(&at, end, ',');
    }
    if (!take(&at, end, ']')) return false;
  }
  skip_space(&at, end);
  return at == end;
}

/* Whether the list names the parts of the state, in their order. */
static bool list_fits(const struct manifest *manifest, struct str text) {
  struct buffer epochs;
  buffer_init(&epochs, manifest->options.account);
  bool fits = snapshot_list_read(text, &epochs);
  size_t count = epochs.size / sizeof(uint64_t), at = 0;
  for (size_t i = 0; i < manifest->store_count && fits; i++)
    for (uint32_t j = 0; j < manifest->stores[i].part_count && fits; j++, at++)
      fits = at < count &&
             load_u64(epochs.data + at * sizeof(uint64_t)) == manifest->stores[i].parts[j].id >> 20;
  buffer_deinit(&epochs);
  return fits && at == count;
}

int snapshot_read_bytes(struct manifest *manifest, uint64_t epoch, struct str state,
                        struct str list, const char *path, struct snapshot_wholeness *whole,
                        struct err *err) {
  size_t valid;
  *whole = (struct snapshot_wholeness){0};
  int code = manifest_read_bytes(manifest, (const uint8_t *)state.data, state.size, epoch, path,
                                 &valid, err);
  if (code && code != ERR_CORRUPTION) return code;
  /* One checkpoint and nothing else, of this very publication. */
  whole->state = code == ERR_OK && valid && valid == state.size &&
                 manifest->checkpoint_size == valid && manifest->epoch == epoch;
  if (!whole->state) {
    manifest_reset(manifest);
    return ERR_OK;
  }
  struct manifest_header header;
  memcpy(&header, state.data, sizeof header);
  whole->list = header.list == checksum64(list.data, list.size) && list_fits(manifest, list);
  return ERR_OK;
}

/* ---- names ---- */

static void file_path(const struct manifest *manifest, uint64_t epoch, const char *suffix,
                      char *out, size_t size) {
  snprintf(out, size, "%s/%016llx%s", manifest->options.directory, (unsigned long long)epoch,
           suffix);
}

static const char *const suffixes[] = {".snapshot", ".state"};

struct names {
  struct manifest *manifest;
  bool parts; /* there are any */
};

static int visit_name(void *context, const char *name, bool is_dir) {
  struct names *names = context;
  struct manifest *manifest = names->manifest;
  if (strspn(name, "0123456789abcdef") != NAME_DIGITS) return 0;
  uint64_t epoch = strtoull(name, NULL, 16);
  bool part = is_dir && !name[NAME_DIGITS];
  bool ours = part || (!is_dir && (!strcmp(name + NAME_DIGITS, suffixes[0]) ||
                                   !strcmp(name + NAME_DIGITS, suffixes[1])));
  if (!ours || epoch > PART_EPOCH_MAX) return 0;
  if (epoch > manifest->epoch_seen) manifest->epoch_seen = epoch;
  names->parts = names->parts || part;
  if (part) return 0;
  /* Names come in ascending order, the two of a pair one after the other. */
  struct buffer *candidates = &manifest->candidates;
  if (!candidates->size || load_u64(candidates->data + candidates->size - 8) != epoch)
    buffer_append(candidates, &epoch, sizeof epoch);
  return 0;
}

static int list_names(struct names *names, struct err *err) {
  struct manifest *manifest = names->manifest;
  int code = os_dir_list(manifest->options.os, manifest->options.directory, visit_name, names, err);
  return code ? code : buffer_check(&manifest->candidates, err);
}

int snapshot__list_names(struct manifest *manifest, struct err *err) {
  struct names names = {.manifest = manifest};
  return list_names(&names, err);
}

static size_t candidate_count(const struct manifest *manifest) {
  return manifest->candidates.size / sizeof(uint64_t);
}

/* The newest is the last. */
static uint64_t candidate_at(const struct manifest *manifest, size_t i) {
  return load_u64(manifest->candidates.data + i * sizeof(uint64_t));
}

/* ---- reading ---- */

/* The bytes of a file; empty when it is missing or cannot be one of these. */
static int read_file(struct manifest *manifest, uint64_t epoch, const char *suffix,
                     struct buffer *bytes, struct err *err) {
  char path[4096];
  struct os_file *file;
  uint64_t size;
  file_path(manifest, epoch, suffix, path, sizeof path);
  int code = os_file_open(manifest->options.os, path, OS_READ, &file, err);
  if (code == ERR_NO_FILE) return ERR_OK;
  if (code) return code;
  code = os_file_size(file, &size, err);
  if (code == ERR_OK && size && size <= (uint64_t)LIMIT_UNIT_SIZE) {
    uint8_t *room = buffer_reserve(bytes, size);
    code = room ? os_file_read_exact(file, 0, room, size, err) : buffer_check(bytes, err);
    if (code == ERR_OK) buffer_advance(bytes, size);
  }
  os_file_close(file);
  return code;
}

int snapshot__read_pair(struct manifest *manifest, uint64_t epoch, struct snapshot_wholeness *whole,
                        struct err *err) {
  struct buffer bytes[2];
  char path[4096];
  int code = ERR_OK;
  for (int i = 0; i < 2; i++) {
    buffer_init(&bytes[i], manifest->options.account);
    if (code == ERR_OK) code = read_file(manifest, epoch, suffixes[i], &bytes[i], err);
  }
  file_path(manifest, epoch, suffixes[1], path, sizeof path);
  if (code == ERR_OK)
    code = snapshot_read_bytes(manifest, epoch, buffer_str(&bytes[1]), buffer_str(&bytes[0]), path,
                               whole, err);
  for (int i = 0; i < 2; i++)
    buffer_deinit(&bytes[i]);
  return code;
}

/* The newest state that is whole among those below `candidate`, the list whole or not. */
static int step_back(struct manifest *manifest, struct err *err) {
  while (manifest->candidate) {
    uint64_t epoch = candidate_at(manifest, --manifest->candidate);
    struct snapshot_wholeness whole;
    int code = snapshot__read_pair(manifest, epoch, &whole, err);
    if (code) return code;
    if (!whole.state) continue;
    manifest->number = epoch;
    log_warn(manifest->options.logger, "store",
             "the newest snapshot is not whole; looking whether an older state holds every row "
             "snapshot=%016llx",
             (unsigned long long)epoch);
    return ERR_OK;
  }
  if (!manifest->rebuilt) {
    manifest->rebuilt = true;
    log_warn(manifest->options.logger, "store",
             "no snapshot can be used; looking whether the parts by themselves hold every row");
    int code = snapshot__rebuild(manifest, err);
    if (code != ERR_CORRUPTION) return code;
  }
  err_set(err, ERR_CORRUPTION, "no snapshot names parts that are all there and whole");
  err_detail(err, "%s", manifest->options.directory);
  err_hint(err, "nothing was changed; run `nilo repair %s`, or restore a backup",
           manifest->options.directory);
  return ERR_CORRUPTION;
}

static int load(struct manifest *manifest, bool *exists, struct err *err) {
  struct names names = {.manifest = manifest};
  struct snapshot_wholeness whole = {0};
  *exists = false;
  int code = list_names(&names, err);
  if (code) return code;
  manifest->candidate = candidate_count(manifest);
  if (!manifest->candidate && !names.parts) return ERR_OK;
  *exists = true;
  if (manifest->candidate) {
    uint64_t newest = candidate_at(manifest, manifest->candidate - 1);
    code = snapshot__read_pair(manifest, newest, &whole, err);
    if (code) return code;
    manifest->number = newest;
  }
  manifest->loaded = whole.list;
  if (whole.list) {
    manifest->candidate--;
    return ERR_OK;
  }
  code = manifest_step_back(manifest, err);
  /* The first pair of a directory was never finished; recovery looks for a log before it begins
   * anew. */
  if (code == ERR_CORRUPTION && !names.parts && manifest->candidate == 0) {
    manifest->doubtful = manifest->rebuilt = *exists = false;
    return ERR_OK;
  }
  return code;
}

/* ---- writing ---- */

/* `fresh`: the file is made; else its bytes are written over themselves. */
static int write_file(struct manifest *manifest, uint64_t epoch, const char *suffix, bool fresh,
                      const struct buffer *bytes, struct err *err) {
  char path[4096];
  struct os_file *file;
  file_path(manifest, epoch, suffix, path, sizeof path);
  unsigned flags = OS_READ | OS_WRITE | (fresh ? OS_CREATE | OS_TRUNCATE : 0);
  int code = os_file_open(manifest->options.os, path, flags, &file, err);
  if (code) return code;
  code = os_file_write(file, 0, bytes->data, bytes->size, err);
  if (code == ERR_OK) code = os_file_sync(file, err);
  os_file_close(file);
  return code;
}

/* Removes every pair but two; what cannot be removed is tried again the next time. */
static void remove_others(struct manifest *manifest, uint64_t newest, uint64_t before) {
  struct buffer *candidates = &manifest->candidates;
  size_t left = 0;
  for (size_t i = 0; i < candidate_count(manifest); i++) {
    uint64_t epoch = candidate_at(manifest, i);
    bool gone = epoch != newest && epoch != before;
    for (size_t j = 0; j < 2 && gone; j++) {
      char path[4096];
      struct err err;
      file_path(manifest, epoch, suffixes[j], path, sizeof path);
      int code = os_file_remove(manifest->options.os, path, &err);
      gone = code == ERR_OK || code == ERR_NO_FILE;
      if (!gone)
        log_warn(manifest->options.logger, "store", "could not remove an old snapshot file=%s",
                 path);
    }
    if (!gone) memmove(candidates->data + left++ * 8, candidates->data + i * 8, 8);
  }
  candidates->size = left * 8;
}

/* Writes the pair of a state; its epoch is the name. */
static int write_pair(struct manifest *manifest, const struct manifest *state, struct err *err) {
  struct buffer list, bytes;
  uint64_t epoch = state->epoch;
  buffer_init(&list, manifest->options.account);
  buffer_init(&bytes, manifest->options.account);
  snapshot_list_write(state, &list);
  int code = buffer_check(&list, err);
  if (code == ERR_OK)
    code = manifest__checkpoint(state, epoch, checksum64(list.data, list.size), &bytes, err);
  /* Known before it is there, so that a failed one is removed some day. */
  if (code == ERR_OK && !buffer_append(&manifest->candidates, &epoch, sizeof epoch))
    code = buffer_check(&manifest->candidates, err);
  if (code == ERR_OK) code = write_file(manifest, epoch, suffixes[1], true, &bytes, err);
  if (code == ERR_OK) code = write_file(manifest, epoch, suffixes[0], true, &list, err);
  if (code == ERR_OK) code = os_dir_sync(manifest->options.os, manifest->options.directory, err);
  buffer_deinit(&list);
  buffer_deinit(&bytes);
  return code;
}

/* The pair before the newest one, or that itself where there is no other. */
static uint64_t pair_before(const struct manifest *manifest) {
  size_t count = candidate_count(manifest);
  return candidate_at(manifest, count > 1 ? count - 2 : count - 1);
}

/* Also removes what a crash has brought back. */
static int rewrite_pair(struct manifest *manifest, struct err *err) {
  int code = ERR_OK;
  for (int i = 1; i >= 0 && code == ERR_OK; i--) {
    struct buffer bytes;
    buffer_init(&bytes, manifest->options.account);
    code = read_file(manifest, manifest->number, suffixes[i], &bytes, err);
    if (code == ERR_OK)
      code = write_file(manifest, manifest->number, suffixes[i], false, &bytes, err);
    buffer_deinit(&bytes);
  }
  if (code == ERR_OK) code = os_dir_sync(manifest->options.os, manifest->options.directory, err);
  if (code == ERR_OK) remove_others(manifest, manifest->number, pair_before(manifest));
  return code;
}

/* A state that was found whole keeps its name; another one gets a new one. */
static int renew(struct manifest *manifest, struct err *err) {
  if (manifest->loaded && !manifest->doubtful) return rewrite_pair(manifest, err);
  uint64_t before = manifest->number;
  bool keeps = manifest->doubtful && !manifest->rebuilt; /* the pair that the state is from */
  if (manifest->doubtful || manifest->candidates.size) manifest->epoch = manifest->epoch_seen + 1;
  int code = write_pair(manifest, manifest, err);
  if (code) return code;
  manifest->number = manifest->epoch;
  manifest->loaded = true;
  remove_others(manifest, manifest->number, keeps ? before : manifest->number);
  return ERR_OK;
}

/* ---- publications ---- */

/* `next` becomes what `manifest` is, with the record applied. */
static int copy_applied(const struct manifest *manifest, const struct manifest_facts *facts,
                        const struct manifest_edit *edits, size_t edit_count, struct manifest *next,
                        struct err *err) {
  struct buffer state;
  buffer_init(&state, manifest->options.account);
  manifest__append_state(manifest, &state);
  int code = buffer_check(&state, err);
  const struct manifest_edit *old = (const struct manifest_edit *)state.data;
  struct manifest_record record = {.epoch = manifest->epoch,
                                   .commit = manifest->commit,
                                   .wal_start = manifest->wal_start,
                                   .wal_begun = manifest->wal_begun,
                                   .edit_count = (uint32_t)(state.size / sizeof *old)};
  if (code == ERR_OK) code = manifest__reserve(next, old, record.edit_count, err);
  if (code == ERR_OK) {
    manifest__apply(next, &record, old);
    code = manifest__reserve(next, edits, edit_count, err);
  }
  if (code == ERR_OK) {
    manifest__record(manifest, 0, facts, edit_count, &record);
    manifest__apply(next, &record, edits);
  }
  buffer_deinit(&state);
  return code;
}

/* Puts the state of `next` in place of that of `manifest`; `next` is empty then. */
static void adopt(struct manifest *manifest, struct manifest *next) {
  struct manifest old = *manifest;
  manifest->epoch = next->epoch;
  manifest->commit = next->commit;
  manifest->wal_start = next->wal_start;
  manifest->wal_begun = next->wal_begun;
  manifest->stores = next->stores;
  manifest->store_count = next->store_count;
  manifest->store_capacity = next->store_capacity;
  manifest->part_count = next->part_count;
  manifest->index = next->index;
  next->stores = old.stores;
  next->store_count = old.store_count;
  next->store_capacity = old.store_capacity;
  next->index = old.index;
}

static int append(struct manifest *manifest, const struct manifest_facts *facts,
                  const struct manifest_edit *edits, size_t edit_count, struct err *err) {
  struct manifest next = {.options = manifest->options};
  memcpy(next.shard, manifest->shard, sizeof next.shard);
  u64_table_init(&next.index, manifest->options.account);
  int code = copy_applied(manifest, facts, edits, edit_count, &next, err);
  if (code == ERR_OK) code = write_pair(manifest, &next, err);
  if (code == ERR_OK) {
    uint64_t before = manifest->number;
    manifest->number = next.epoch;
    adopt(manifest, &next);
    remove_others(manifest, manifest->number, before);
  }
  manifest_reset(&next);
  u64_table_deinit(&next.index);
  return code;
}

const struct manifest_medium snapshot_files = {
    .load = load, .step_back = step_back, .renew = renew, .append = append};
