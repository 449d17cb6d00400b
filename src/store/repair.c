/* Repairing a directory: find what is wrong, write anew what can be saved, then one new manifest
 * that says so, and only then put the damaged files into quarantine.
 *
 * Until the new manifest is synced nothing has changed but files that no manifest names; a crash
 * leaves the directory as it was, or repaired, with a damaged file or two still in parts/, which
 * the next start or repair moves away. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash_table.h"
#include "store/check_private.h"
#include "store/commit.h"
#include "store/part_private.h"
#include "store/repair_private.h"
#include "store/shard_private.h"

/* ---- telling ---- */

void repair__part_name(const struct repair *repair, uint64_t epoch, char *out, size_t size) {
  char path[4096];
  shard__part_path_in(repair->form, "", epoch, path, sizeof path);
  snprintf(out, size, "%.60s", path + 1);
}

void repair__say(struct repair *repair, enum store_finding_kind kind, const char *file,
                 int64_t offset, const char *remedy, const char *format, ...) {
  struct store_finding finding = {.kind = kind, .offset = offset};
  va_list arguments;
  snprintf(finding.file, sizeof finding.file, "%s", file);
  snprintf(finding.remedy, sizeof finding.remedy, "%s", remedy);
  va_start(arguments, format);
  vsnprintf(finding.what, sizeof finding.what, format, arguments);
  va_end(arguments);
  repair->options->found(repair->options->context, &finding);
}

void repair__found(struct repair *repair, const struct err *err) {
  struct store_finding finding;
  store_finding_of(err, repair->directory, &finding);
  /* What is told while looking for what to mend is no loss yet. */
  finding.kind = STORE_FINDING_NOTE;
  finding.remedy[0] = 0;
  repair->options->found(repair->options->context, &finding);
}

bool repair__is_damage(int code) {
  return code && (err_info(code)->class == ERR_CLASS_CORRUPTION || code == ERR_IO ||
                  code == ERR_END_OF_INPUT);
}

/* ---- looking for damage ---- */

struct looking {
  struct repair *repair;
  bool damaged;
};

static void on_finding(void *context, const struct err *finding) {
  struct looking *looking = context;
  looking->damaged = true;
  repair__found(looking->repair, finding);
}

static int open_named(struct repair *repair, const struct manifest_part *named,
                      struct store_part **part, struct err *err) {
  struct part_file *file = NULL;
  *part = NULL;
  int code = shard__file_open_in(repair->form, repair->handles, repair->options->account,
                                 repair->directory, named->id >> 20, &file, err);
  if (!code && !repair->form->directories && named->offset + named->size > file->bytes) {
    code = err_set(err, ERR_CORRUPTION, "a file of parts is shorter than its parts");
    err_detail(err, "%s", file->path);
  }
  if (!code)
    code = shard__part_open_in(repair->form, file, named->offset, named->size,
                               repair->options->account, part, err);
  part_file_release(file);
  return code;
}

static int look_at(struct repair *repair, uint64_t store, const struct manifest_part *named,
                   struct err *err) {
  const struct store_repair_options *options = repair->options;
  struct repair_suspect suspect = {.store = store, .named = *named};
  struct looking looking = {.repair = repair};
  struct part_verifier verifier = {&looking, on_finding, NULL};
  struct store_part *part;
  struct err finding;
  err_reset(&finding);
  repair->figures->parts++;
  int code = open_named(repair, named, &part, &finding);
  suspect.missing = code == ERR_NO_FILE;
  if (repair__is_damage(code) || suspect.missing) {
    repair__found(repair, &finding);
    looking.damaged = true;
    code = ERR_OK;
  } else if (!code) {
    code = part_verify_each(part, &verifier, &finding);
    if (!code && options->part)
      code = options->part(options->context, store, part, &suspect.series_wrong, &finding);
    if (repair__is_damage(code)) code = ERR_OK; /* blocks that cannot be read were told */
    part_release(part);
  }
  if (code) {
    if (err) *err = finding;
    return code;
  }
  bool wanted = options->index_only ? suspect.series_wrong || options->index_all
                                    : suspect.series_wrong || looking.damaged;
  if (looking.damaged || suspect.series_wrong) repair->figures->parts_damaged++;
  if (wanted) buffer_append(&repair->suspects, &suspect, sizeof suspect);
  return buffer_check(&repair->suspects, err);
}

static int look(struct repair *repair, struct err *err) {
  int code = ERR_OK;
  for (size_t i = 0; i < repair->manifest.store_count && !code; i++) {
    const struct manifest_store *store = &repair->manifest.stores[i];
    for (uint32_t j = 0; j < store->part_count && !code && !store->dropped; j++)
      code = look_at(repair, store->store, &store->parts[j], err);
  }
  return code;
}

/* ---- what is known of series ---- */

static size_t suspect_count(const struct repair *repair) {
  return repair->suspects.size / sizeof(struct repair_suspect);
}

static struct repair_suspect suspect_at(const struct repair *repair, size_t i) {
  struct repair_suspect suspect;
  memcpy(&suspect, repair->suspects.data + i * sizeof suspect, sizeof suspect);
  return suspect;
}

static bool is_suspect_store(const struct repair *repair, uint64_t store) {
  for (size_t i = 0; i < suspect_count(repair); i++)
    if (suspect_at(repair, i).store == store) return true;
  return false;
}

static int learn_record(void *context, const struct wal_record_header *header,
                        const uint8_t *payload, struct err *err) {
  const struct repair *repair = context;
  const struct store_repair_options *options = repair->options;
  struct commit_reader reader;
  commit_reader_init(&reader, payload, header->length);
  for (uint32_t i = 0; i < header->commit_count; i++) {
    int code = commit_reader_enter(&reader, err);
    for (bool done = false; !code && !done;) {
      struct section_view view;
      code = commit_reader_section(&reader, &view, &done, err);
      if (!code && !done && view.note.size && is_suspect_store(repair, view.header.store))
        code = options->learn_note(options->context, view.header.store, view.note, err);
    }
    if (repair__is_damage(code)) return ERR_OK;
    if (code) return code;
  }
  return ERR_OK;
}

static int learn_log(struct repair *repair, struct err *err) {
  struct wal_options options = {.os = repair->options->os,
                                .account = repair->options->account,
                                .directory = repair->directory,
                                .shard = repair->manifest.shard,
                                .segment_bytes = WAL_BLOCK,
                                .read_only = true};
  struct wal wal;
  struct wal_replay_figures figures;
  int code = wal_open(&options, 1, &wal, err);
  if (repair__is_damage(code)) return ERR_OK;
  if (code) return code;
  code = wal_replay(&wal, repair->manifest.commit, learn_record, repair, &figures, err);
  wal_close(&wal);
  return repair__is_damage(code) ? ERR_OK : code;
}

static int learn(struct repair *repair, struct err *err) {
  const struct store_repair_options *options = repair->options;
  int code = ERR_OK;
  if (!options->learn || !suspect_count(repair)) return ERR_OK;
  for (size_t i = 0; i < repair->manifest.store_count && !code; i++) {
    const struct manifest_store *store = &repair->manifest.stores[i];
    if (store->dropped || !is_suspect_store(repair, store->store)) continue;
    for (uint32_t j = 0; j < store->part_count && !code; j++) {
      struct store_part *part;
      struct err finding;
      err_reset(&finding);
      if (open_named(repair, &store->parts[j], &part, &finding)) continue;
      code = options->learn(options->context, store->store, part, err);
      part_release(part);
    }
  }
  return code || !options->learn_note ? code : learn_log(repair, err);
}

/* ---- the new manifest ---- */

/* The log must begin where the manifest says; where it does not, what only it had is gone. */
static int settle_log(struct repair *repair, bool rebuilt, struct err *err) {
  struct wal_options options = {.os = repair->options->os,
                                .account = repair->options->account,
                                .directory = repair->directory,
                                .shard = repair->manifest.shard,
                                .segment_bytes = WAL_BLOCK,
                                .read_only = true};
  struct manifest *manifest = &repair->manifest;
  struct wal wal;
  int code = wal_open(&options, manifest->wal_start, &wal, err);
  if (code) return code;
  bool complete = wal_is_complete(&wal, manifest->wal_begun);
  if (rebuilt || !complete) {
    uint64_t first = 0;
    for (size_t i = 0; i < wal.segment_count && !first; i++)
      if (wal.segments[i].begun && (rebuilt || wal.segments[i].incarnation >= manifest->wal_start))
        first = wal.segments[i].incarnation;
    if (!rebuilt)
      repair__say(
          repair, STORE_FINDING_DAMAGE, "log", -1, "restore them from a backup, if there is one",
          "the oldest log segment that is needed is missing: rows that only it had are lost");
    manifest->wal_start = first ? first : wal.next_incarnation;
    manifest->wal_begun = first != 0;
    repair->figures->manifest_rebuilt = true;
  }
  wal_close(&wal);
  return ERR_OK;
}

/* The state with the edits applied. */
static int apply_edits(struct repair *repair, struct err *err) {
  const struct manifest_edit *edits = (const struct manifest_edit *)repair->edits.data;
  size_t count = repair->edits.size / sizeof *edits;
  int code = buffer_check(&repair->edits, err);
  if (!code) code = manifest__reserve(&repair->manifest, edits, count, err);
  if (code) return code;
  struct manifest_record record = {.epoch = repair->manifest.epoch,
                                   .commit = repair->manifest.commit,
                                   .wal_start = repair->manifest.wal_start,
                                   .wal_begun = repair->manifest.wal_begun,
                                   .edit_count = (uint32_t)count};
  manifest__apply(&repair->manifest, &record, edits);
  return ERR_OK;
}

/* ---- quarantine: a second name first, the first name goes when the new manifest is there ---- */

static bool still_named(const struct repair *repair, uint64_t epoch) {
  for (size_t i = 0; i < repair->manifest.store_count; i++)
    for (uint32_t j = 0; j < repair->manifest.stores[i].part_count; j++)
      if (repair->manifest.stores[i].parts[j].id >> 20 == epoch) return true;
  return false;
}

struct comparing {
  struct repair *repair;
  const char *from, *to;
  bool same; /* so far */
  struct err *err;
};

/* Two files: two names of one have the same bytes, too. */
static int compare(struct comparing *comparing, const char *from, const char *to) {
  enum { PIECE = 64 << 10 };
  const struct store_repair_options *options = comparing->repair->options;
  struct os_file *files[2] = {NULL, NULL};
  size_t got[2] = {1, 1};
  uint8_t *bytes = mem_alloc(options->account, 2 * PIECE);
  if (!bytes) return mem_refused(options->account, 2 * PIECE, comparing->err);
  int code = os_file_open(options->os, from, OS_READ, &files[0], comparing->err);
  if (!code) code = os_file_open(options->os, to, OS_READ, &files[1], comparing->err);
  for (uint64_t at = 0; !code && comparing->same && got[0]; at += PIECE) {
    for (int i = 0; i < 2 && !code; i++)
      code = os_file_read(files[i], at, bytes + (size_t)i * PIECE, PIECE, &got[i], comparing->err);
    comparing->same = !code && got[0] == got[1] && !memcmp(bytes, bytes + PIECE, got[0]);
  }
  os_file_close(files[0]);
  os_file_close(files[1]);
  mem_free(options->account, bytes, 2 * PIECE);
  if (code != ERR_IO) return code;
  comparing->same = false; /* a place that cannot be read is damage, too */
  return ERR_OK;
}

static int compare_entry(void *context, const char *name, bool is_dir) {
  struct comparing *comparing = context;
  char from[4096], to[4096];
  snprintf(from, sizeof from, "%s/%s", comparing->from, name);
  snprintf(to, sizeof to, "%s/%s", comparing->to, name);
  if (is_dir || !os_path_exists(comparing->repair->options->os, to)) return ERR_OK;
  return compare(comparing, from, to);
}

/* A second name in quarantine/. What a server, or a repair that was interrupted, has kept there
 * already is only completed; but it may be another one, damaged before its part was put back: then
 * the name is <name>.1, and so on. */
static int keep(struct repair *repair, bool part, const char *from, const char *name,
                struct err *err) {
  struct os *os = repair->options->os;
  bool folder = part && repair->form->directories;
  char to[4096], suffix[16] = "";
  struct comparing comparing = {repair, from, to, false, err};
  int code = ERR_OK;
  for (unsigned n = 0; !code && !comparing.same; n++) {
    if (n) snprintf(suffix, sizeof suffix, ".%u", n);
    snprintf(to, sizeof to, "%s/quarantine/%s%s", repair->directory, name, suffix);
    comparing.same = true;
    if (!os_path_exists(os, to)) continue;
    code = folder ? os_dir_list(os, from, compare_entry, &comparing, err)
                  : compare(&comparing, from, to);
  }
  if (!code)
    code =
        part ? shard__link_parts(repair->form, os, from, to, err) : os_file_link(os, from, to, err);
  return code == ERR_FILE_EXISTS ? ERR_OK : code;
}

/* `remove` false: keeps the file under a second name; true: takes the first one away. */
static int settle_file(struct repair *repair, const char *name, bool remove, struct err *err) {
  struct os *os = repair->options->os;
  const char *base = strrchr(name, '/');
  char from[4096];
  snprintf(from, sizeof from, "%s/%s", repair->directory, name);
  if (!os_path_exists(os, from)) return ERR_OK;
  if (remove) return os_file_remove(os, from, err);
  return keep(repair, false, from, base ? base + 1 : name, err);
}

static int settle_part(struct repair *repair, uint64_t epoch, bool remove, struct err *err) {
  struct os *os = repair->options->os;
  char from[4096], name[64];
  if (remove && still_named(repair, epoch)) return ERR_OK; /* other parts of it live */
  shard__part_path_in(repair->form, repair->directory, epoch, from, sizeof from);
  snprintf(name, sizeof name, "%016llx%s", (unsigned long long)epoch, repair->form->suffix);
  if (!os_path_exists(os, from)) return ERR_OK;
  return remove ? shard__remove_parts(repair->form, os, from, err)
                : keep(repair, true, from, name, err);
}

static int settle_files(struct repair *repair, bool remove, struct err *err) {
  char name[4096];
  int code = ERR_OK;
  for (size_t i = 0; i < suspect_count(repair) && !code; i++) {
    struct repair_suspect suspect = suspect_at(repair, i);
    code = settle_part(repair, suspect.named.id >> 20, remove, err);
    if (!remove) continue;
    snprintf(name, sizeof name, "%s/quarantine/%016llx.damaged", repair->directory,
             (unsigned long long)suspect.named.id);
    if (os_path_exists(repair->options->os, name))
      (void)os_file_remove(repair->options->os, name, NULL);
  }
  for (size_t at = 0; at < repair->leaving.size && !code; at += 8)
    code = settle_part(repair, load_u64(repair->leaving.data + at), remove, err);
  for (size_t at = 0; at < repair->files.size && !code;) {
    const char *file = (const char *)repair->files.data + at;
    code = settle_file(repair, file, remove, err);
    at += strlen(file) + 1;
  }
  snprintf(name, sizeof name, "%s/quarantine", repair->directory);
  return code ? code : os_dir_sync(repair->options->os, name, err);
}

/* ---- all of it ---- */

static int make_folders(struct repair *repair, struct err *err) {
  const char *const *folders = repair->form->folders;
  int code = ERR_OK;
  for (size_t i = 0; folders[i] && !code; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", repair->directory, folders[i]);
    if (!os_path_exists(repair->options->os, path))
      code = os_dir_create(repair->options->os, path, err);
  }
  return code ? code : os_dir_sync(repair->options->os, repair->directory, err);
}

static int write_all(struct repair *repair, struct err *err) {
  char folder[4096];
  shard__parts_folder_in(repair->form, repair->directory, folder, sizeof folder);
  int code = os_dir_sync(repair->options->os, folder, err);
  if (!code) code = settle_files(repair, false, err);
  /* It is another state than the one that was read: it gets a name of its own. */
  repair->manifest.loaded = repair->manifest.doubtful = false;
  repair->manifest.epoch_seen = repair->manifest.epoch++;
  if (!code) code = manifest_renew(&repair->manifest, err);
  return code ? code : settle_files(repair, true, err);
}

static int run(struct repair *repair, struct err *err) {
  bool dry = repair->options->dry_run, rebuilt = false;
  int code = dry ? ERR_OK : make_folders(repair, err);
  if (!code) code = repair->form->find_state(repair, &rebuilt, err);
  if (code) return code;
  code = settle_log(repair, rebuilt, err);
  if (!code) code = look(repair, err);
  if (!code) code = learn(repair, err);
  for (size_t i = 0; i < suspect_count(repair) && !code; i++) {
    struct repair_suspect suspect = suspect_at(repair, i);
    code = repair__part(repair, &suspect, err);
  }
  if (!code) code = apply_edits(repair, err);
  bool change = suspect_count(repair) || repair->figures->manifest_rebuilt;
  if (!code && change && !dry) code = write_all(repair, err);
  manifest_close(&repair->manifest);
  return code;
}

int store_repair_directory(const char *path, const struct store_repair_options *options,
                           struct store_repair_figures *figures, struct err *err) {
  struct err own;
  struct os_file *lock = NULL;
  if (!err) err = &own;
  *figures = (struct store_repair_figures){0};
  enum store_form form;
  int code = store_form_of(options->os, path, &form, err);
  if (!code) code = shard__lock_directory(options->os, path, options->dry_run, &lock, err);
  if (code) return code;
  struct repair repair = {
      .options = options, .directory = path, .form = shard__form(form), .figures = figures};
  buffer_init(&repair.suspects, options->account);
  buffer_init(&repair.edits, options->account);
  buffer_init(&repair.leaving, options->account);
  buffer_init(&repair.files, options->account);
  code = part_handles_create(options->os, options->account, 0, &repair.handles, err);
  if (!code) code = run(&repair, err);
  part_handles_destroy(repair.handles);
  buffer_deinit(&repair.suspects);
  buffer_deinit(&repair.edits);
  buffer_deinit(&repair.leaving);
  buffer_deinit(&repair.files);
  os_file_close(lock);
  return code;
}
