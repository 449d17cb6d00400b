/* Looking into parts, log and manifest, for people. Nothing here changes anything. */
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "base/limits.h"
#include "store/manifest.h"
#include "store/part_private.h"
#include "store/shard_private.h"
#include "store/tools.h"
#include "store/wal.h"

/* ---- parts ---- */

bool store_part_partition(const struct store_part *part, int64_t *start, uint64_t *width) {
  *start = part->meta.partition_start;
  *width = part->meta.partition_width;
  return *width != 0;
}

void store_part_settings(const struct store_part *part, struct store_part_settings *settings) {
  *settings = (struct store_part_settings){.partition_width = part->meta.partition_width,
                                           .partition_start = part->meta.partition_start,
                                           .history = part_has_history(part),
                                           .columns = part->meta.column_count};
}

bool store_snapshot_policy(const struct store_snapshot *snapshot, uint64_t store,
                           enum store_policy *policy) {
  const struct store_version *version = root_map_find(&snapshot->map, store);
  if (version) *policy = version->policy;
  return version != NULL;
}

bool store_part_filtered(const struct store_part *part, uint32_t index) {
  return part->columns[index].filter.size > 0;
}

static int look_column(struct store_part *part, uint32_t index, struct store_column_look *look,
                       struct err *err) {
  const struct part_loaded_column *loaded;
  int code = part__load_column(part, index, &loaded, err);
  if (code) return code;
  *look = (struct store_column_look){.id = part->column_ids[index],
                                     .type = part->column_types[index],
                                     .bytes_metadata = part->columns[index].place.size};
  for (uint32_t block = 0; block < part->meta.blocks; block++) {
    const struct part_block *facts = &part_blocks(part)[block];
    const uint8_t *at = loaded->records + loaded->offsets[block];
    struct reader reader = reader_of(at, (size_t)(loaded->end - at));
    struct part_record_block said = {facts->rows, facts->key_min, facts->key_max};
    struct part_record record;
    if (!part_record_read(&reader, look->type, &said, true, &record))
      return part__damaged(part, PART_COLUMN, look->id, part->columns[index].place.offset,
                           "a column's metadata can't be read", err);
    if (!record.size) continue;
    look->blocks++;
    look->values += record.statistics.count;
    look->nulls += facts->rows - record.statistics.count;
    look->bytes += record.size;
    if (record.codec < STORE_LOOK_CODECS) look->codecs[record.codec]++;
  }
  return ERR_OK;
}

int store_part_look(struct store_part *part,
                    int (*block)(void *context, const struct store_block_look *look),
                    int (*column)(void *context, const struct store_column_look *look),
                    void *context, struct err *err) {
  int code = part_load_blocks(part, err);
  for (uint32_t i = 0; block && i < part->meta.blocks && !code; i++) {
    const struct part_block *facts = &part_blocks(part)[i];
    const struct part_block_place *place = &atomic_load(&part->blocks)->places[i];
    struct store_block_look look = {.block = i,
                                    .rows = facts->rows,
                                    .runs = facts->runs,
                                    .series_first = facts->series_first,
                                    .series_last = facts->series_last,
                                    .key_min = facts->key_min,
                                    .key_max = facts->key_max,
                                    .offset = part->offset + place->place,
                                    .bytes = place->size};
    code = block(context, &look);
  }
  for (uint32_t i = 0; column && i < part->meta.column_count && !code; i++) {
    struct store_column_look look;
    code = look_column(part, i, &look, err);
    if (!code) code = column(context, &look);
  }
  return code;
}

/* ---- the log ---- */

/* The record that says "closed in order" holds no commits and is not visited: so the last one is
 * told when it is known whether that one follows. */
struct log_look {
  const struct store_look *look;
  struct store_record_look last;
  bool any;
};

static void tell_last(const struct log_look *log) {
  if (log->any) log->look->record(log->look->context, &log->last);
}

static int visit_record(void *context, const struct wal_record_header *header,
                        const uint8_t *payload, struct err *err) {
  struct log_look *log = context;
  (void)payload;
  (void)err;
  tell_last(log);
  log->any = true;
  log->last = (struct store_record_look){.incarnation = header->incarnation,
                                         .sequence = header->sequence,
                                         .first_commit = header->first_commit,
                                         .commits = header->commit_count,
                                         .bytes = header->length,
                                         .wall_ns = header->wall_ns};
  return ERR_OK;
}

static int look_log(struct os *os, struct mem_account *account, const char *path,
                    const struct store_look *look, const struct manifest *manifest,
                    struct err *err) {
  struct wal_options options = {.os = os,
                                .account = account,
                                .directory = path,
                                .shard = manifest->shard,
                                .segment_bytes = WAL_BLOCK,
                                .read_only = true};
  struct wal wal;
  struct wal_replay_figures figures;
  int code = wal_open(&options, manifest->wal_start, &wal, err);
  if (code) return code;
  for (size_t i = 0; look->segment && i < wal.segment_count; i++) {
    const struct wal_segment *from = &wal.segments[i];
    struct store_segment_look segment = {from->incarnation, from->file_bytes, from->first_sequence,
                                         from->first_commit};
    if (from->begun && from->incarnation >= wal.start) look->segment(look->context, &segment);
  }
  struct log_look log = {.look = look};
  if (look->record) code = wal_replay(&wal, manifest->commit, visit_record, &log, &figures, err);
  if (look->record && !code) {
    log.last.closed = figures.closed;
    tell_last(&log);
  }
  wal_close(&wal);
  return code;
}

/* ---- the manifest ---- */

static void tell_publication(const struct store_look *look, uint64_t file,
                             const struct manifest_record *record,
                             const struct manifest_edit *edits) {
  struct store_publication_look publication = {.file = file,
                                               .epoch = record->epoch,
                                               .commit = record->commit,
                                               .log_start = record->wal_start,
                                               .wall_ns = record->wall_ns,
                                               .checkpoint = record->flags & MANIFEST_CHECKPOINT};
  for (uint32_t i = 0; i < record->edit_count; i++) {
    struct manifest_edit edit;
    memcpy(&edit, &edits[i], sizeof edit);
    publication.stores += edit.kind == MANIFEST_STORE;
    publication.drops += edit.kind == MANIFEST_DROP;
    publication.adds += edit.kind == MANIFEST_ADD;
    publication.removes += edit.kind == MANIFEST_REMOVE;
  }
  look->publication(look->context, &publication);
}

/* A file of the state, which `number` names; what follows the last whole record is not looked at.
 */
static int look_state(struct os *os, struct mem_account *account, const char *name, uint64_t number,
                      const struct store_look *look, struct err *err) {
  struct os_file *file = NULL;
  uint64_t size = 0;
  int code = os_file_open(os, name, OS_READ, &file, err);
  if (code == ERR_NO_FILE) return ERR_OK; /* replaced meanwhile */
  if (code) return code;
  code = os_file_size(file, &size, err);
  if (!code && size > LIMIT_UNIT_SIZE) size = LIMIT_UNIT_SIZE;
  uint8_t *bytes = code ? NULL : mem_alloc(account, (size_t)size + 1);
  if (!code && !bytes) code = mem_refused(account, (size_t)size, err);
  if (!code) code = os_file_read_exact(file, 0, bytes, (size_t)size, err);
  os_file_close(file);
  for (uint64_t at = sizeof(struct manifest_header);
       !code && at + sizeof(struct manifest_record) <= size;) {
    struct manifest_record record;
    memcpy(&record, bytes + at, sizeof record);
    uint64_t length = sizeof record + (uint64_t)record.edit_count * sizeof(struct manifest_edit);
    if (record.magic != MANIFEST_RECORD_MAGIC || length > size - at ||
        checksum64(bytes + at + 8, length - 8) != record.checksum)
      break;
    tell_publication(look, number, &record,
                     (const struct manifest_edit *)(const void *)(bytes + at + sizeof record));
    at += length;
  }
  mem_free(account, bytes, bytes ? (size_t)size + 1 : 0);
  return code;
}

/* The current manifest, or every state of a store opened alone. */
static int look_states(struct os *os, struct mem_account *account, const char *path,
                       const struct store_look *look, const struct manifest *manifest,
                       struct err *err) {
  char name[4096];
  int code = ERR_OK;
  if (manifest->options.medium == &manifest_log) {
    manifest__path(manifest, manifest->number, name, sizeof name);
    return look_state(os, account, name, manifest->number, look, err);
  }
  for (size_t at = 0; at < manifest->candidates.size && !code; at += sizeof(uint64_t)) {
    uint64_t epoch = load_u64(manifest->candidates.data + at);
    snprintf(name, sizeof name, "%s/%016llx.state", path, (unsigned long long)epoch);
    code = look_state(os, account, name, epoch, look, err);
  }
  return code;
}

int store_look(struct os *os, struct mem_account *account, const char *path,
               const struct store_look *look, struct err *err) {
  struct manifest_options options = {
      .os = os, .account = account, .directory = path, .read_only = true};
  struct manifest manifest;
  enum store_form form;
  bool exists = false;
  int code = store_form_of(os, path, &form, err);
  if (code) return code;
  options.medium = shard__form(form)->medium;
  code = manifest_open(&options, &manifest, &exists, err);
  if (code) return code;
  if (exists && look->publication) code = look_states(os, account, path, look, &manifest, err);
  if (exists && !code && (look->segment || look->record))
    code = look_log(os, account, path, look, &manifest, err);
  manifest_close(&manifest);
  return code;
}
