/* Checking the log: the same reading as at a start, with nothing built on it. */
#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "store/check_private.h"
#include "store/commit.h"

static const char remedy[] = "start the server: it keeps the segments from there on in "
                             "quarantine/ and goes on with what is before";

struct log_check {
  struct check *check;
  const struct manifest *manifest;
  struct err memory; /* an error that ends the check */
};

/* ---- what records hold ---- */

static int check_image(struct log_check *log, const struct section_view *view, uint64_t commit,
                       struct err *err) {
  struct check *check = log->check;
  size_t size = (size_t)view->header.body_size;
  struct part_memory *memory = mem_alloc_zero(check->options->account, sizeof *memory);
  uint8_t *data = memory ? mem_alloc(check->options->account, size) : NULL;
  if (!data) {
    mem_free(check->options->account, memory, sizeof *memory);
    return mem_refused(check->options->account, size, err);
  }
  memcpy(data, view->body, size);
  *memory = (struct part_memory){.account = check->options->account, .data = data};
  memory->references = 1;
  memory->size = memory->capacity = size;
  struct store_part *part = NULL;
  int code = part_open_memory(memory, 0, size, check->options->account, commit, &part, err);
  if (!code) code = part_verify(part, err);
  part_release(part);
  part_memory_release(memory);
  return code;
}

static int check_section(struct log_check *log, const struct section_view *view, uint64_t commit,
                         struct err *err) {
  struct mem_account *account = log->check->options->account;
  if (view->header.kind == WAL_SECTION_IMAGE) return check_image(log, view, commit, err);
  if (view->header.kind != WAL_SECTION_PLAIN) return ERR_OK;
  size_t size = (view->header.column_count + 1) * sizeof(struct store_column);
  struct store_column *columns = mem_alloc(account, size);
  struct store_rows rows;
  if (!columns) return mem_refused(account, size, err);
  int code = section_rows(view, columns, &rows, err);
  mem_free(account, columns, size);
  return code;
}

static int check_commits(struct log_check *log, const struct wal_record_header *header,
                         const uint8_t *payload, struct err *err) {
  struct commit_reader reader;
  commit_reader_init(&reader, payload, header->length);
  for (uint32_t i = 0; i < header->commit_count; i++) {
    int code = commit_reader_enter(&reader, err);
    for (bool done = false; !code && !done;) {
      struct section_view view;
      code = commit_reader_section(&reader, &view, &done, err);
      if (!code && !done) code = check_section(log, &view, header->first_commit + i, err);
    }
    if (code) return code;
  }
  return ERR_OK;
}

static int visit_record(void *context, const struct wal_record_header *header,
                        const uint8_t *payload, struct err *err) {
  struct log_check *log = context;
  struct err finding;
  err_reset(&finding);
  log->check->figures->log_records++;
  int code = check_commits(log, header, payload, &finding);
  if (code && err_info(code)->class == ERR_CLASS_CORRUPTION) {
    char file[64];
    snprintf(file, sizeof file, "log/%016llx.log", (unsigned long long)header->incarnation);
    check__say(log->check, STORE_FINDING_DAMAGE, file, -1, "record",
               "the checksum holds, so a program wrote it so: keep the file and report it",
               "record %llu (commits from %llu): %s", (unsigned long long)header->sequence,
               (unsigned long long)header->first_commit, finding.message);
    code = ERR_OK;
  } else if (code && err) {
    *err = finding;
  }
  return code ? code : check__progress(log->check, wal_record_bytes(header->length), err);
}

/* ---- segments ---- */

/* A header that does not hold, of a segment that was begun: its records say so. */
static int check_headers(struct check *check, struct wal *wal, struct err *err) {
  for (size_t i = 0; i < wal->segment_count; i++) {
    const struct wal_segment *segment = &wal->segments[i];
    char path[4096];
    struct os_file *file;
    struct wal_segment_header header;
    size_t got = 0;
    if (segment->incarnation < wal->start || !segment->begun) continue;
    check->figures->log_segments++;
    wal__path(wal, "log", segment->incarnation, path, sizeof path);
    int code = os_file_open(check->options->os, path, OS_READ, &file, err);
    if (code) return code;
    code = os_file_read(file, 0, &header, sizeof header, &got, err);
    os_file_close(file);
    if (code) return code;
    if (got == sizeof header && !memcmp(header.magic, WAL_SEGMENT_MAGIC, sizeof header.magic) &&
        header.checksum == checksum64(&header, offsetof(struct wal_segment_header, checksum)))
      continue;
    check__say(check, STORE_FINDING_DAMAGE, path + strlen(check->directory) + 1, 0, "header",
               "nothing is lost: the records tell what it said; it goes with the next flush",
               "the header of a log segment does not match its checksum");
  }
  return ERR_OK;
}

struct log_outcome {
  struct wal_replay_figures figures;
  struct store_check_figures counted; /* as they were before */
};

static int read_log(struct log_check *log, bool quiet, struct log_outcome *outcome,
                    struct err *err) {
  struct check *check = log->check;
  struct wal_options options = {.os = check->options->os,
                                .account = check->options->account,
                                .directory = check->directory,
                                .shard = log->manifest->shard,
                                .segment_bytes = WAL_BLOCK,
                                .read_only = true};
  struct wal wal;
  int code = wal_open(&options, log->manifest->wal_start, &wal, err);
  if (code) return code;
  if (!wal_is_complete(&wal, log->manifest->wal_begun)) {
    char path[4096];
    wal__path(&wal, "log", wal.start, path, sizeof path);
    if (!quiet)
      check__say(check, STORE_FINDING_DAMAGE, path + strlen(check->directory) + 1, -1, "",
                 "put it back; `nilo repair` opens the directory without the rows that only it has",
                 "the oldest log segment that is needed is missing");
  } else {
    code = quiet ? ERR_OK : check_headers(check, &wal, err);
    if (!code)
      code = wal_replay(&wal, log->manifest->commit, visit_record, log, &outcome->figures, err);
  }
  wal_close(&wal);
  return code;
}

static bool same_damage(const struct log_outcome *a, const struct log_outcome *b) {
  return a->figures.damaged_incarnation == b->figures.damaged_incarnation &&
         a->figures.damaged_offset == b->figures.damaged_offset;
}

static void tell_end(struct check *check, const struct log_outcome *outcome, bool live) {
  const struct wal_replay_figures *figures = &outcome->figures;
  char file[64];
  if (figures->damaged_incarnation) {
    snprintf(file, sizeof file, "log/%016llx.log",
             (unsigned long long)figures->damaged_incarnation);
    check__say(check, STORE_FINDING_DAMAGE, file, (int64_t)figures->damaged_offset, "record",
               remedy, "a record that had been synced is not whole; %llu whole ones follow it",
               (unsigned long long)figures->void_records);
  } else if (figures->tail_bytes && !live) {
    check__say(check, STORE_FINDING_NOTE, "log", -1, "",
               "nothing to do: the next start cuts it off",
               "the log ends in %llu bytes that are no whole record: a write that nobody was told "
               "of",
               (unsigned long long)figures->tail_bytes);
  }
}

int check__log(struct check *check, const struct manifest *manifest, bool live, struct err *err) {
  struct log_check log = {.check = check, .manifest = manifest};
  struct log_outcome first = {0}, again = {0};
  struct err finding;
  err_reset(&finding);
  int code = read_log(&log, false, &first, &finding);
  /* While it is written, what is read last is newer than what is read first: a record may look
   * missing though it is there by now. Damage stays where it is. */
  for (int i = 0; live && i < 5 && (code == ERR_NO_FILE || first.figures.damaged_incarnation);
       i++) {
    struct store_check_figures kept = *check->figures;
    again = (struct log_outcome){0};
    code = read_log(&log, true, &again, &finding);
    *check->figures = kept;
    if (!code && same_damage(&first, &again)) break;
    first = again;
  }
  if (live && code == ERR_NO_FILE) return ERR_OK; /* it moves on faster than it can be read */
  code = check__settle(check, code, &finding, err);
  if (!code) tell_end(check, &first, live);
  return code;
}
