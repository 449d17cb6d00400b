/* The manifest of many stores: one file that grows by a record for each publication, so that a
 * flush of thousands of stores is one sync. */
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "store/manifest.h"

/* A new file is begun when the old one is larger than this and a multiple of its checkpoint. */
enum { REWRITE_BYTES = 256 << 10, REWRITE_RATIO = 4 };

void manifest__path(const struct manifest *manifest, uint64_t number, char *out, size_t size) {
  snprintf(out, size, "%s/manifest/%016llx.manifest", manifest->options.directory,
           (unsigned long long)number);
}

static void remove_file(struct manifest *manifest, uint64_t number) {
  char path[4096];
  struct err err;
  manifest__path(manifest, number, path, sizeof path);
  if (number && os_path_exists(manifest->options.os, path) &&
      os_file_remove(manifest->options.os, path, &err))
    log_warn(manifest->options.logger, "store", "could not remove an old manifest file=%s", path);
}

/* Begins a new file with the state as it is, and removes the one before. */
static int begin_file(struct manifest *manifest, struct err *err) {
  struct os *os = manifest->options.os;
  uint64_t old = manifest->number, number = old + 1;
  char path[4096], folder[4096];
  struct buffer bytes;
  struct os_file *file = NULL;
  buffer_init(&bytes, manifest->options.account);
  manifest__path(manifest, number, path, sizeof path);
  snprintf(folder, sizeof folder, "%s/manifest", manifest->options.directory);
  int code = manifest__checkpoint(manifest, number, 0, &bytes, err);
  if (code == ERR_OK)
    code = os_file_open(os, path, OS_READ | OS_WRITE | OS_CREATE | OS_TRUNCATE, &file, err);
  if (code == ERR_OK) {
    /* From here on the new file may be found whole at the next start and win over the old one,
     * which therefore takes no more records, even if this fails. */
    os_file_close(manifest->file);
    manifest->file = NULL;
  }
  if (code == ERR_OK) code = os_file_write(file, 0, bytes.data, bytes.size, err);
  if (code == ERR_OK) code = os_file_sync(file, err);
  if (code == ERR_OK) code = os_dir_sync(os, folder, err);
  if (code) {
    os_file_close(file);
  } else {
    manifest->file = file;
    manifest->number = number;
    manifest->size = manifest->checkpoint_size = bytes.size;
    remove_file(manifest, manifest->older);
    remove_file(manifest, old);
    manifest->older = 0;
  }
  buffer_deinit(&bytes);
  return code;
}

static int append_locked(struct manifest *manifest, const struct manifest_facts *facts,
                         const struct manifest_edit *edits, size_t edit_count, struct err *err) {
  int code = manifest__reserve(manifest, edits, edit_count, err);
  if (code) return code;
  if (!manifest->file || (manifest->size > REWRITE_BYTES &&
                          manifest->size > REWRITE_RATIO * manifest->checkpoint_size)) {
    code = begin_file(manifest, err);
    if (code && manifest->file) code = ERR_OK; /* not even begun: the old one still serves */
    if (code) return code;
  }
  struct buffer bytes;
  struct manifest_record record;
  buffer_init(&bytes, manifest->options.account);
  manifest__record(manifest, 0, facts, edit_count, &record);
  manifest__append_record(&bytes, &record, edits);
  code = buffer_check(&bytes, err);
  if (code == ERR_OK) {
    code = os_file_write(manifest->file, manifest->size, bytes.data, bytes.size, err);
    if (code == ERR_OK) code = os_file_sync(manifest->file, err);
    if (code) {
      os_file_close(manifest->file);
      manifest->file = NULL;
    }
  }
  if (code == ERR_OK) {
    manifest->size += bytes.size;
    manifest__apply(manifest, &record, edits);
  }
  buffer_deinit(&bytes);
  return code;
}

/* Records that follow damage may have removed what an older state names. */
static int step_back(struct manifest *manifest, struct err *err) {
  (void)manifest;
  return err_set(err, ERR_CORRUPTION, "there is no other manifest to go by");
}

const struct manifest_medium manifest_log = {
    .load = manifest__load, .step_back = step_back, .renew = begin_file, .append = append_locked};
