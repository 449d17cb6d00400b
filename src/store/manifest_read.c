/* Reading manifests: the newest whole state, or a reason why there is none. */
#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/manifest.h"

/* ---- one file's bytes ---- */

/* The record at `at`, if it is whole. */
static bool whole_record(const uint8_t *bytes, size_t size, size_t at,
                         struct manifest_record *record) {
  if (size - at < sizeof *record) return false;
  memcpy(record, bytes + at, sizeof *record);
  if (record->magic != MANIFEST_RECORD_MAGIC) return false;
  size_t rest = size - at - sizeof *record;
  if (record->edit_count > rest / sizeof(struct manifest_edit)) return false;
  size_t length = sizeof *record + record->edit_count * sizeof(struct manifest_edit);
  return checksum64(bytes + at + 8, length - 8) == record->checksum;
}

static int check_edits(const struct manifest_edit *edits, uint32_t count, const char *path,
                       size_t at, struct err *err) {
  for (uint32_t i = 0; i < count; i++) {
    const struct manifest_edit *edit = &edits[i];
    bool good = edit->store != 0 && edit->kind >= MANIFEST_STORE && edit->kind <= MANIFEST_REMOVE;
    if (edit->kind == MANIFEST_STORE)
      good = good && edit->policy >= STORE_KEEP_ALL && edit->policy <= STORE_NEWEST_ROW &&
             edit->horizon_known <= MANIFEST_NO_HORIZON;
    if (edit->kind == MANIFEST_ADD)
      good = good && edit->id >> 20 && edit->commit_min <= edit->commit_max &&
             (edit->offset & 7) == 0 && edit->offset + edit->size >= edit->offset;
    if (good) continue;
    int code = err_set(err, ERR_CORRUPTION, "manifest: an edit is out of range");
    err_detail(err, "%s, edit %u", path, i);
    err_position(err, 0, 0, (int64_t)at);
    return code;
  }
  return ERR_OK;
}

static int damaged(size_t at, const char *path, struct err *err) {
  int code = err_set(err, ERR_CORRUPTION,
                     "manifest is damaged at byte %zu: whole records follow one that is not", at);
  err_detail(err, "%s", path);
  err_hint(err, "nothing was changed; restore this file, or the whole directory, from a backup");
  err_position(err, 0, 0, (int64_t)at);
  return code;
}

static int check_header(struct manifest *manifest, const uint8_t *bytes, size_t size,
                        uint64_t number, const char *path, bool *good, struct err *err) {
  struct manifest_header header;
  *good = false;
  if (size < sizeof header) return ERR_OK;
  memcpy(&header, bytes, sizeof header);
  if (memcmp(header.magic, MANIFEST_MAGIC, sizeof header.magic) != 0 ||
      header.checksum != checksum64(&header, offsetof(struct manifest_header, checksum)) ||
      header.number != number)
    return ERR_OK;
  if (header.version != MANIFEST_VERSION || header.incompatible) {
    int code = err_set(err, ERR_BAD_VERSION, "manifest was written by a newer version");
    err_detail(err, "%s, version %u", path, header.version);
    err_hint(err, "open the directory with the version that wrote it, or a newer one");
    return code;
  }
  memcpy(manifest->shard, header.shard, sizeof header.shard);
  *good = true;
  return ERR_OK;
}

int manifest_read_bytes(struct manifest *manifest, const uint8_t *bytes, size_t size,
                        uint64_t number, const char *path, size_t *valid, struct err *err) {
  bool good;
  *valid = 0;
  int code = check_header(manifest, bytes, size, number, path, &good, err);
  if (code) return code;
  size_t at = sizeof(struct manifest_header);
  struct manifest_record record;
  while (good && whole_record(bytes, size, at, &record)) {
    bool checkpoint = record.flags & MANIFEST_CHECKPOINT;
    bool first = at == sizeof(struct manifest_header);
    if (checkpoint != first || (!first && record.epoch <= manifest->epoch)) break;
    const struct manifest_edit *edits = (const struct manifest_edit *)(bytes + at + sizeof record);
    code = check_edits(edits, record.edit_count, path, at, err);
    if (code == ERR_OK) code = manifest__reserve(manifest, edits, record.edit_count, err);
    if (code) return code;
    manifest__apply(manifest, &record, edits);
    if (first) manifest->checkpoint_size = at + sizeof record + record.edit_count * sizeof *edits;
    at += sizeof record + record.edit_count * sizeof *edits;
    *valid = at;
  }
  /* Does anything whole follow? Records begin at multiples of MANIFEST_UNIT. */
  for (size_t next = at + MANIFEST_UNIT; next < size; next += MANIFEST_UNIT)
    if (whole_record(bytes, size, next, &record)) return damaged(at, path, err);
  return ERR_OK;
}

/* ---- the directory ---- */

struct numbers {
  uint64_t highest, second; /* 0: none */
};

static int visit_name(void *context, const char *name, bool is_dir) {
  struct numbers *numbers = context;
  unsigned long long value;
  int end = 0;
  if (is_dir || strlen(name) != 25 || sscanf(name, "%16llx.manifest%n", &value, &end) != 1 ||
      end != 25 || !value)
    return 0;
  if (value > numbers->highest) {
    numbers->second = numbers->highest;
    numbers->highest = value;
  } else if (value > numbers->second) {
    numbers->second = value;
  }
  return 0;
}

/* Reads one file into an empty state. *valid 0: it has no whole checkpoint. */
static int load_file(struct manifest *manifest, uint64_t number, uint64_t *size, size_t *valid,
                     struct err *err) {
  struct mem_account *account = manifest->options.account;
  char path[4096];
  struct os_file *file;
  uint8_t *bytes = NULL;
  manifest__path(manifest, number, path, sizeof path);
  int code = os_file_open(manifest->options.os, path, OS_READ, &file, err);
  if (code) return code;
  code = os_file_size(file, size, err);
  if (code == ERR_OK && *size > LIMIT_UNIT_SIZE)
    code = err_set(err, ERR_CORRUPTION, "manifest %s is %llu bytes long", path,
                   (unsigned long long)*size);
  *valid = 0;
  if (code == ERR_OK && *size) {
    bytes = mem_alloc(account, *size);
    code =
        bytes ? os_file_read_exact(file, 0, bytes, *size, err) : mem_refused(account, *size, err);
  }
  if (code == ERR_OK && *size)
    code = manifest_read_bytes(manifest, bytes, *size, number, path, valid, err);
  if (bytes) mem_free(account, bytes, *size);
  os_file_close(file);
  return code;
}

int manifest__load(struct manifest *manifest, bool *exists, struct err *err) {
  char folder[4096];
  struct numbers numbers = {0};
  *exists = false;
  snprintf(folder, sizeof folder, "%s/manifest", manifest->options.directory);
  if (!os_path_exists(manifest->options.os, folder)) return ERR_OK;
  int code = os_dir_list(manifest->options.os, folder, visit_name, &numbers, err);
  if (code || !numbers.highest) return code;
  uint64_t size;
  size_t valid;
  code = load_file(manifest, numbers.highest, &size, &valid, err);
  if (code) return code;
  if (valid) {
    *exists = true;
    manifest->number = numbers.highest;
    if (size != valid)
      log_info(manifest->options.logger, "store",
               "manifest ends in an unfinished record manifest=%016llx bytes=%llu",
               (unsigned long long)numbers.highest, (unsigned long long)(size - valid));
    manifest->older = numbers.second; /* goes once this state is written anew */
    return ERR_OK;
  }
  /* Never finished: the one before is still the manifest, if there is one. */
  manifest->number = numbers.highest - 1;
  if (!numbers.second) return ERR_OK;
  manifest_reset(manifest);
  code = load_file(manifest, numbers.second, &size, &valid, err);
  if (code) return code;
  if (!valid) {
    code = err_set(err, ERR_CORRUPTION, "no manifest has a whole checkpoint");
    err_detail(err, "%s", folder);
    err_hint(err, "restore the directory from a backup");
    return code;
  }
  *exists = true;
  log_info(manifest->options.logger, "store",
           "the newest manifest was never finished, the one before serves manifest=%016llx",
           (unsigned long long)numbers.second);
  /* The next append writes the unfinished one again. */
  manifest->number = numbers.highest - 1;
  return ERR_OK;
}
