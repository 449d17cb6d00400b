/* What is to be mended begins with a state: which parts there are. The newest one that is whole is
 * taken, if nothing has happened since that only a newer one knew; else it is put together from the
 * parts (repair_manifest.c). */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "store/repair_private.h"
#include "store/snapshot_files.h"

static int from_parts(struct repair *repair, const struct manifest_options *options,
                      struct err *err) {
  manifest_begin(options, NULL, &repair->manifest);
  int code = repair__manifest(repair, err);
  repair->figures->manifest_rebuilt = true;
  if (code) manifest_close(&repair->manifest);
  return code;
}

static void add_file(struct repair *repair, const char *name) {
  buffer_append(&repair->files, name, strlen(name) + 1);
}

/* ---- a manifest ---- */

struct names {
  uint64_t highest_part, highest_manifest;
  struct repair *repair;
};

static int note_part(void *context, const char *name, bool is_dir) {
  struct names *names = context;
  uint64_t epoch;
  if (shard__part_name(names->repair->form, name, is_dir, &epoch) && epoch > names->highest_part)
    names->highest_part = epoch;
  return 0;
}

static int note_manifest(void *context, const char *name, bool is_dir) {
  struct names *names = context;
  unsigned long long value;
  char file[64];
  if (is_dir || strlen(name) != 25 || sscanf(name, "%16llx.manifest", &value) != 1) return 0;
  if (value > names->highest_manifest) names->highest_manifest = value;
  snprintf(file, sizeof file, "manifest/%s", name);
  add_file(names->repair, file);
  return 0;
}

static int list_names(struct repair *repair, struct names *names, struct err *err) {
  struct os *os = repair->options->os;
  char folder[4096];
  int code = ERR_OK;
  snprintf(folder, sizeof folder, "%s/parts", repair->directory);
  if (os_path_exists(os, folder)) code = os_dir_list(os, folder, note_part, names, err);
  snprintf(folder, sizeof folder, "%s/manifest", repair->directory);
  if (!code && os_path_exists(os, folder))
    code = os_dir_list(os, folder, note_manifest, names, err);
  return code ? code : buffer_check(&repair->files, err);
}

int repair__find_manifest(struct repair *repair, bool *rebuilt, struct err *err) {
  struct manifest_options options = {.os = repair->options->os,
                                     .account = repair->options->account,
                                     .directory = repair->directory};
  struct names names = {.repair = repair};
  struct err finding;
  bool exists = false;
  err_reset(&finding);
  int code = list_names(repair, &names, err);
  if (code) return code;
  code = manifest_open(&options, &repair->manifest, &exists, &finding);
  if (code && !repair__is_damage(code)) {
    if (err) *err = finding;
    return code;
  }
  *rebuilt = code || !exists;
  if (!code && !exists) manifest_close(&repair->manifest);
  if (*rebuilt) {
    if (finding.code) repair__found(repair, &finding);
    code = from_parts(repair, &options, err);
    if (code) return code;
    repair->manifest.number = names.highest_manifest;
  } else {
    repair->files.size = 0;
  }
  if (repair->manifest.epoch < names.highest_part) repair->manifest.epoch = names.highest_part;
  return ERR_OK;
}

/* ---- pairs of snapshots ---- */

static int skip_record(void *context, const struct wal_record_header *header,
                       const uint8_t *payload, struct err *err) {
  (void)context, (void)header, (void)payload, (void)err;
  return ERR_OK;
}

/* Whether the log holds all that came after the state. */
static int log_follows(const struct repair *repair, bool *follows, struct err *err) {
  const struct manifest *state = &repair->manifest;
  struct wal_options options = {.os = repair->options->os,
                                .account = repair->options->account,
                                .directory = repair->directory,
                                .shard = state->shard,
                                .segment_bytes = WAL_BLOCK,
                                .read_only = true};
  struct wal wal;
  struct wal_replay_figures figures;
  *follows = false;
  int code = wal_open(&options, state->wal_start, &wal, err);
  if (code) return repair__is_damage(code) ? ERR_OK : code;
  if (wal_is_complete(&wal, state->wal_begun)) {
    code = wal_replay(&wal, state->commit, skip_record, NULL, &figures, err);
    *follows = !code && !figures.damaged_incarnation;
  }
  wal_close(&wal);
  return repair__is_damage(code) ? ERR_OK : code;
}

/* An older state will do where its parts are still there and the log holds what came later: then
 * whatever the newer one said is in these, too. */
static int still_holds(const struct repair *repair, bool *holds, struct err *err) {
  const struct manifest *state = &repair->manifest;
  char path[4096];
  *holds = true;
  for (size_t i = 0; i < state->store_count; i++)
    for (uint32_t j = 0; j < state->stores[i].part_count; j++) {
      shard__part_path_in(repair->form, repair->directory, state->stores[i].parts[j].id >> 20, path,
                          sizeof path);
      *holds = *holds && os_path_exists(repair->options->os, path);
    }
  return *holds ? log_follows(repair, holds, err) : ERR_OK;
}

static void leave_pair(struct repair *repair, uint64_t epoch,
                       const struct snapshot_wholeness *whole) {
  char name[64];
  snprintf(name, sizeof name, "%016llx.state", (unsigned long long)epoch);
  add_file(repair, name);
  if (!whole->state)
    repair__say(repair, STORE_FINDING_NOTE, name, 0, "",
                "the state of a snapshot is missing or does not match its checksums");
  snprintf(name, sizeof name, "%016llx.snapshot", (unsigned long long)epoch);
  add_file(repair, name);
  if (whole->state)
    repair__say(repair, STORE_FINDING_NOTE, name, 0, "",
                "the list of a snapshot is missing or does not name what its state names");
}

/* Tells every pair that is not whole; *found when the manifest has a state that will do. */
static int take_pair(struct repair *repair, bool *found, struct err *err) {
  struct manifest *manifest = &repair->manifest;
  size_t count = manifest->candidates.size / sizeof(uint64_t);
  for (size_t i = count; i-- > 0;) {
    struct snapshot_wholeness whole;
    struct manifest other;
    uint64_t epoch = load_u64(manifest->candidates.data + i * sizeof(uint64_t));
    if (*found) manifest_begin(&manifest->options, NULL, &other);
    int code = snapshot__read_pair(*found ? &other : manifest, epoch, &whole, err);
    if (*found) manifest_close(&other);
    if (code) return code;
    if (!whole.state || !whole.list) {
      leave_pair(repair, epoch, &whole);
      repair->figures->manifest_rebuilt = true;
    }
    if (*found || !whole.state) continue;
    *found = i + 1 == count;
    if (!*found) code = still_holds(repair, found, err);
    if (code) return code;
    manifest->number = epoch;
    if (!*found) manifest_reset(manifest);
  }
  return buffer_check(&repair->files, err);
}

int repair__find_snapshot(struct repair *repair, bool *rebuilt, struct err *err) {
  struct manifest_options options = {.medium = repair->form->medium,
                                     .os = repair->options->os,
                                     .account = repair->options->account,
                                     .directory = repair->directory};
  struct manifest *manifest = &repair->manifest;
  bool found = false;
  manifest_begin(&options, NULL, manifest);
  int code = snapshot__list_names(manifest, err);
  if (!code) code = take_pair(repair, &found, err);
  *rebuilt = !found;
  if (!code && !found) {
    code = repair__manifest(repair, err);
    repair->figures->manifest_rebuilt = true;
  }
  if (manifest->epoch < manifest->epoch_seen) manifest->epoch = manifest->epoch_seen;
  if (code) manifest_close(manifest);
  return code;
}
