/* Which parts live, told by the parts themselves.
 *
 * A part names its range of commits, and says whether it holds all of a store's keys or is a piece.
 * Merges put neighbours together, so a part that another one covers has been merged into it, or was
 * written by a flush that failed and was done again: what it holds, the other holds. The parts that
 * nobody covers must then be the whole list: their ranges begin with commit 1 and follow one
 * another without a gap or an overlap. If they do not, a part is missing, or rows went altogether,
 * which looks the same; and of pieces nobody knows how many there were. Then nothing is guessed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "store/part.h"
#include "store/part_file.h"
#include "store/part_private.h"
#include "store/snapshot_files.h"

struct found_part {
  uint64_t epoch;
  struct store_part_facts facts;
  uint64_t store;
  enum store_policy policy;
  uint8_t shard[16];
  bool piece; /* of a range of keys */
};

struct finding {
  struct manifest *manifest;
  struct part_handles *handles;
  struct buffer epochs; /* uint64 */
  struct buffer parts;  /* struct found_part, whole ones */
};

static int visit_part(void *context, const char *name, bool is_dir) {
  struct finding *finding = context;
  if (!is_dir || strspn(name, "0123456789abcdef") != 16 || name[16]) return 0;
  uint64_t epoch = strtoull(name, NULL, 16);
  if (epoch <= PART_EPOCH_MAX) buffer_append(&finding->epochs, &epoch, sizeof epoch);
  return 0;
}

static int is_damage(int code) {
  return code == ERR_NO_FILE || code == ERR_END_OF_INPUT || code == ERR_CORRUPTION;
}

/* Adds the part if all of it is whole. */
static int look_at(struct finding *finding, uint64_t epoch, struct err *err) {
  const struct manifest_options *options = &finding->manifest->options;
  struct part_file *file = NULL;
  struct store_part *part = NULL;
  int code = part_directory_open(finding->handles, options->account, options->directory, epoch,
                                 &file, err);
  if (code == ERR_OK) code = part_open_directory(file, options->account, &part, err);
  if (code == ERR_OK) code = part_verify(part, err);
  if (code == ERR_OK) {
    struct found_part found = {
        .epoch = epoch, .store = part_store(part), .policy = part_policy(part)};
    store_part_facts(part, &found.facts);
    memcpy(found.shard, part->meta.shard, sizeof found.shard);
    found.piece = part->meta.partition_width || part->meta.partition_start;
    if (found.facts.id >> 20 == epoch && !buffer_append(&finding->parts, &found, sizeof found))
      code = buffer_check(&finding->parts, err);
  }
  part_release(part);
  part_file_release(file);
  return is_damage(code) ? ERR_OK : code;
}

static int find_all(struct finding *finding, struct err *err) {
  const struct manifest_options *options = &finding->manifest->options;
  int code = os_dir_list(options->os, options->directory, visit_part, finding, err);
  if (code == ERR_OK) code = buffer_check(&finding->epochs, err);
  size_t count = finding->epochs.size / sizeof(uint64_t);
  for (size_t i = 0; i < count && code == ERR_OK; i++)
    code = look_at(finding, ((const uint64_t *)finding->epochs.data)[i], err);
  return code;
}

/* By the first commit; of those that begin together the longest first, then the newest. */
static int by_commits(const void *a, const void *b) {
  const struct found_part *x = a, *y = b;
  if (x->facts.commit_min != y->facts.commit_min)
    return x->facts.commit_min < y->facts.commit_min ? -1 : 1;
  if (x->facts.commit_max != y->facts.commit_max)
    return x->facts.commit_max > y->facts.commit_max ? -1 : 1;
  return (x->epoch < y->epoch) - (x->epoch > y->epoch);
}

/* Takes out the parts that others cover; false when the rest does not follow one another. */
static bool choose_parts(struct found_part *parts, size_t *count) {
  qsort(parts, *count, sizeof *parts, by_commits);
  size_t left = 0;
  uint64_t covered = 0;
  for (size_t i = 0; i < *count; i++) {
    const struct found_part *part = &parts[i];
    if (part->piece || part->store != parts[0].store || part->policy != parts[0].policy ||
        memcmp(part->shard, parts[0].shard, sizeof part->shard) != 0)
      return false;
    if (part->facts.commit_max <= covered) continue;
    if (part->facts.commit_min != covered + 1) return false;
    covered = part->facts.commit_max;
    parts[left++] = *part;
  }
  *count = left;
  return left > 0;
}

static int make_state(struct manifest *manifest, const struct found_part *parts, size_t count,
                      struct err *err) {
  struct buffer edits;
  buffer_init(&edits, manifest->options.account);
  struct manifest_edit edit = {
      .kind = MANIFEST_STORE, .policy = (uint32_t)parts[0].policy, .store = parts[0].store};
  edit.flushed = parts[count - 1].facts.commit_max;
  for (size_t i = 0; i < count; i++)
    if (parts[i].facts.series_max > edit.series_high) edit.series_high = parts[i].facts.series_max;
  buffer_append(&edits, &edit, sizeof edit);
  for (size_t i = 0; i < count; i++) {
    const struct store_part_facts *facts = &parts[i].facts;
    edit = (struct manifest_edit){.kind = MANIFEST_ADD, .store = parts[i].store};
    edit.id = facts->id;
    edit.size = facts->bytes;
    edit.commit_min = facts->commit_min;
    edit.commit_max = facts->commit_max;
    edit.rows = facts->rows;
    buffer_append(&edits, &edit, sizeof edit);
  }
  int code = buffer_check(&edits, err);
  const struct manifest_edit *list = (const struct manifest_edit *)edits.data;
  struct manifest_record record = {.epoch = manifest->epoch_seen,
                                   .commit = parts[count - 1].facts.commit_max,
                                   .edit_count = (uint32_t)(edits.size / sizeof edit)};
  if (code == ERR_OK) code = manifest__reserve(manifest, list, record.edit_count, err);
  if (code == ERR_OK) {
    manifest__apply(manifest, &record, list);
    memcpy(manifest->shard, parts[0].shard, sizeof manifest->shard);
  }
  buffer_deinit(&edits);
  return code;
}

int snapshot__rebuild(struct manifest *manifest, struct err *err) {
  struct mem_account *account = manifest->options.account;
  struct finding finding = {.manifest = manifest};
  buffer_init(&finding.epochs, account);
  buffer_init(&finding.parts, account);
  int code = part_handles_create(manifest->options.os, account, 8, &finding.handles, err);
  if (code == ERR_OK) code = find_all(&finding, err);
  if (code == ERR_OK) {
    struct found_part *parts = (struct found_part *)finding.parts.data;
    size_t count = finding.parts.size / sizeof *parts;
    if (count && choose_parts(parts, &count))
      code = make_state(manifest, parts, count, err);
    else
      code = err_set(err, ERR_CORRUPTION, "the parts do not follow one another from commit 1 on");
  }
  buffer_deinit(&finding.epochs);
  buffer_deinit(&finding.parts);
  part_handles_destroy(finding.handles);
  return code;
}
