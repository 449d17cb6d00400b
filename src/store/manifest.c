/* The manifest's state: what records do to it, and the records themselves. */
#include "store/manifest.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/checksum.h"
#include "base/err.h"
#include "base/log.h"

void manifest_begin(const struct manifest_options *options, const uint8_t shard[16],
                    struct manifest *manifest) {
  memset(manifest, 0, sizeof *manifest);
  manifest->options = *options;
  if (!manifest->options.medium) manifest->options.medium = &manifest_log;
  os_mutex_init(&manifest->lock, options->os);
  u64_table_init(&manifest->index, options->account);
  buffer_init(&manifest->candidates, options->account);
  if (shard) memcpy(manifest->shard, shard, sizeof manifest->shard);
}

int manifest_open(const struct manifest_options *options, struct manifest *manifest, bool *exists,
                  struct err *err) {
  manifest_begin(options, NULL, manifest);
  int code = manifest->options.medium->load(manifest, exists, err);
  if (code) manifest_close(manifest);
  return code;
}

int manifest_step_back(struct manifest *manifest, struct err *err) {
  manifest_reset(manifest);
  manifest->doubtful = true;
  return manifest->options.medium->step_back(manifest, err);
}

void manifest_reset(struct manifest *manifest) {
  struct mem_account *account = manifest->options.account;
  for (size_t i = 0; i < manifest->store_count; i++)
    mem_free(account, manifest->stores[i].parts,
             manifest->stores[i].part_capacity * sizeof(struct manifest_part));
  mem_free(account, manifest->stores, manifest->store_capacity * sizeof *manifest->stores);
  u64_table_deinit(&manifest->index);
  u64_table_init(&manifest->index, account);
  manifest->stores = NULL;
  manifest->store_count = manifest->store_capacity = manifest->part_count = 0;
  manifest->epoch = manifest->commit = manifest->wal_start = 0;
  manifest->wal_begun = false;
}

void manifest_close(struct manifest *manifest) {
  manifest_reset(manifest);
  u64_table_deinit(&manifest->index);
  buffer_deinit(&manifest->candidates);
  os_file_close(manifest->file);
  manifest->file = NULL;
  os_mutex_deinit(&manifest->lock);
}

/* ---- the state ---- */

static struct manifest_store *find(const struct manifest *manifest, uint64_t store) {
  const uint64_t *place = u64_table_find(&manifest->index, store);
  return place ? &manifest->stores[*place] : NULL;
}

const struct manifest_store *manifest_find(const struct manifest *manifest, uint64_t store) {
  const struct manifest_store *entry = find(manifest, store);
  return entry && entry->policy ? entry : NULL;
}

static int reserve_store(struct manifest *manifest, uint64_t store, struct err *err) {
  struct mem_account *account = manifest->options.account;
  if (u64_table_find(&manifest->index, store)) return ERR_OK;
  if (manifest->store_count == manifest->store_capacity) {
    size_t capacity = manifest->store_capacity ? 2 * manifest->store_capacity : 16;
    struct manifest_store *grown =
        mem_resize(account, manifest->stores, manifest->store_capacity * sizeof *grown,
                   capacity * sizeof *grown);
    if (!grown) return mem_refused(account, capacity * sizeof *grown, err);
    manifest->stores = grown;
    manifest->store_capacity = capacity;
  }
  bool is_new;
  uint64_t *place = u64_table_insert(&manifest->index, store, &is_new);
  if (!place) return mem_refused(account, sizeof(struct u64_table_slot), err);
  *place = manifest->store_count;
  manifest->stores[manifest->store_count++] = (struct manifest_store){.store = store};
  return ERR_OK;
}

static int reserve_part(struct manifest *manifest, struct manifest_store *entry, struct err *err) {
  struct mem_account *account = manifest->options.account;
  size_t needed = (size_t)entry->part_count + ++entry->coming;
  if (needed <= entry->part_capacity) return ERR_OK;
  size_t capacity = needed < 4 ? 4 : needed + needed / 2;
  struct manifest_part *grown = mem_resize(
      account, entry->parts, entry->part_capacity * sizeof *grown, capacity * sizeof *grown);
  if (!grown) return mem_refused(account, capacity * sizeof *grown, err);
  entry->parts = grown;
  entry->part_capacity = (uint32_t)capacity;
  return ERR_OK;
}

/* Room for all that the edits add, in any order, so that applying them cannot fail. */
int manifest__reserve(struct manifest *manifest, const struct manifest_edit *edits, size_t count,
                      struct err *err) {
  for (size_t i = 0; i < count; i++) {
    int code = reserve_store(manifest, edits[i].store, err);
    if (code) return code;
    find(manifest, edits[i].store)->coming = 0;
  }
  for (size_t i = 0; i < count; i++) {
    if (edits[i].kind != MANIFEST_ADD) continue;
    int code = reserve_part(manifest, find(manifest, edits[i].store), err);
    if (code) return code;
  }
  return ERR_OK;
}

static void add_part(struct manifest *manifest, struct manifest_store *entry,
                     const struct manifest_edit *edit) {
  assert(entry->part_count < entry->part_capacity);
  uint32_t at = entry->part_count;
  while (at && entry->parts[at - 1].commit_min > edit->commit_min)
    at--;
  memmove(&entry->parts[at + 1], &entry->parts[at],
          (entry->part_count - at) * sizeof *entry->parts);
  entry->parts[at] = (struct manifest_part){edit->id,         edit->offset,     edit->size,
                                            edit->commit_min, edit->commit_max, edit->rows};
  entry->part_count++;
  manifest->part_count++;
}

static void remove_part(struct manifest *manifest, struct manifest_store *entry, uint64_t id) {
  for (uint32_t i = 0; i < entry->part_count; i++) {
    if (entry->parts[i].id != id) continue;
    memmove(&entry->parts[i], &entry->parts[i + 1],
            (entry->part_count - i - 1) * sizeof *entry->parts);
    entry->part_count--;
    manifest->part_count--;
    return;
  }
}

static void apply_edit(struct manifest *manifest, const struct manifest_edit *edit) {
  struct manifest_store *entry = find(manifest, edit->store);
  if (entry->dropped) return;
  switch (edit->kind) {
  case MANIFEST_STORE:
    entry->policy = edit->policy;
    if (edit->flushed > entry->flushed) entry->flushed = edit->flushed;
    if (edit->series_high > entry->series_high) entry->series_high = edit->series_high;
    if (edit->horizon_known == MANIFEST_HORIZON_AS_BEFORE) break;
    entry->has_horizon = edit->horizon_known == MANIFEST_HORIZON;
    entry->horizon = edit->horizon;
    entry->horizon_rule = edit->horizon_rule;
    break;
  case MANIFEST_DROP:
    if (!entry->policy) entry->policy = STORE_KEEP_ALL;
    entry->dropped = true;
    manifest->part_count -= entry->part_count;
    entry->part_count = 0;
    break;
  case MANIFEST_ADD:
    add_part(manifest, entry, edit);
    break;
  case MANIFEST_REMOVE:
    remove_part(manifest, entry, edit->id);
    break;
  }
}

void manifest__apply(struct manifest *manifest, const struct manifest_record *record,
                     const struct manifest_edit *edits) {
  manifest->epoch = record->epoch;
  if (record->commit > manifest->commit) manifest->commit = record->commit;
  if (record->wal_start > manifest->wal_start) {
    manifest->wal_start = record->wal_start;
    manifest->wal_begun = record->wal_begun;
  } else if (record->wal_start == manifest->wal_start && record->wal_begun) {
    manifest->wal_begun = true;
  }
  for (uint32_t i = 0; i < record->edit_count; i++)
    apply_edit(manifest, &edits[i]);
}

/* ---- records ---- */

void manifest__record(const struct manifest *manifest, uint32_t flags,
                      const struct manifest_facts *facts, size_t edit_count,
                      struct manifest_record *record) {
  *record = (struct manifest_record){
      .magic = MANIFEST_RECORD_MAGIC,
      .flags = flags,
      .epoch = facts->epoch,
      .commit = facts->commit > manifest->commit ? facts->commit : manifest->commit,
      .wal_start = facts->wal_start > manifest->wal_start ? facts->wal_start : manifest->wal_start,
      .wal_begun = facts->wal_start > manifest->wal_start ? facts->wal_begun : manifest->wal_begun,
      .wall_ns = os_wall_ns(manifest->options.os),
      .edit_count = (uint32_t)edit_count,
  };
}

void manifest__append_record(struct buffer *buffer, struct manifest_record *record,
                             const struct manifest_edit *edits) {
  size_t at = buffer->size;
  buffer_append(buffer, record, sizeof *record);
  if (record->edit_count)
    buffer_append(buffer, edits, record->edit_count * sizeof(struct manifest_edit));
  if (buffer->failed) return;
  record->checksum = checksum64(buffer->data + at + 8, buffer->size - at - 8);
  memcpy(buffer->data + at, &record->checksum, sizeof record->checksum);
}

void manifest__append_state(const struct manifest *manifest, struct buffer *edits) {
  for (size_t i = 0; i < manifest->store_count; i++) {
    const struct manifest_store *entry = &manifest->stores[i];
    if (!entry->policy) continue;
    struct manifest_edit edit = {.kind = MANIFEST_STORE, .policy = entry->policy};
    edit.store = entry->store;
    edit.flushed = entry->flushed;
    edit.series_high = entry->series_high;
    if (entry->has_horizon) {
      edit.horizon_known = MANIFEST_HORIZON;
      edit.horizon = entry->horizon;
      edit.horizon_rule = entry->horizon_rule;
    }
    buffer_append(edits, &edit, sizeof edit);
    if (entry->dropped) {
      edit = (struct manifest_edit){.kind = MANIFEST_DROP, .store = entry->store};
      buffer_append(edits, &edit, sizeof edit);
    }
    for (uint32_t j = 0; j < entry->part_count; j++) {
      const struct manifest_part *part = &entry->parts[j];
      edit = (struct manifest_edit){.kind = MANIFEST_ADD, .store = entry->store};
      edit.id = part->id;
      edit.offset = part->offset;
      edit.size = part->size;
      edit.commit_min = part->commit_min;
      edit.commit_max = part->commit_max;
      edit.rows = part->rows;
      buffer_append(edits, &edit, sizeof edit);
    }
  }
}

int manifest__checkpoint(const struct manifest *manifest, uint64_t number, uint64_t list,
                         struct buffer *bytes, struct err *err) {
  struct buffer edits;
  buffer_init(&edits, manifest->options.account);
  manifest__append_state(manifest, &edits);
  int code = buffer_check(&edits, err);
  if (code == ERR_OK) {
    struct manifest_header header = {
        .version = MANIFEST_VERSION, .header_size = sizeof header, .number = number, .list = list};
    memcpy(header.magic, MANIFEST_MAGIC, sizeof header.magic);
    memcpy(header.shard, manifest->shard, sizeof header.shard);
    header.checksum = checksum64(&header, offsetof(struct manifest_header, checksum));
    buffer_append(bytes, &header, sizeof header);
    struct manifest_facts facts = {.epoch = manifest->epoch};
    struct manifest_record record;
    manifest__record(manifest, MANIFEST_CHECKPOINT, &facts,
                     edits.size / sizeof(struct manifest_edit), &record);
    manifest__append_record(bytes, &record, (const struct manifest_edit *)edits.data);
    code = buffer_check(bytes, err);
  }
  buffer_deinit(&edits);
  return code;
}

/* ---- on disk ---- */

int manifest_renew(struct manifest *manifest, struct err *err) {
  os_mutex_lock(&manifest->lock);
  int code = manifest->options.medium->renew(manifest, err);
  os_mutex_unlock(&manifest->lock);
  return code;
}

int manifest_append(struct manifest *manifest, const struct manifest_facts *facts,
                    const struct manifest_edit *edits, size_t edit_count, struct err *err) {
  os_mutex_lock(&manifest->lock);
  assert(!manifest->options.read_only);
  struct manifest_facts adjusted = *facts;
  if (adjusted.epoch <= manifest->epoch) adjusted.epoch = manifest->epoch + 1;
  int code = manifest->options.medium->append(manifest, &adjusted, edits, edit_count, err);
  os_mutex_unlock(&manifest->lock);
  return code;
}
