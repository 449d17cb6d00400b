/* Checking parts: each by itself, against the manifest, and against its neighbours. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash_table.h"
#include "store/check_private.h"
#include "store/part_private.h"

/* ---- findings ---- */

static void copy_cut(char *out, size_t size, const char *text, size_t length) {
  if (length >= size) {
    text += length - (size - 1); /* the end of a path says more than its beginning */
    length = size - 1;
  }
  memcpy(out, text, length);
  out[length] = 0;
}

/* "FILE, store N, section NAME, offset O" is how parts tell a place; other details are one path, or
 * none. */
void store_finding_of(const struct err *err, const char *directory, struct store_finding *finding) {
  *finding = (struct store_finding){.kind = STORE_FINDING_DAMAGE, .offset = err->offset};
  const char *detail = err->detail, *section = strstr(detail, ", section ");
  size_t length = strcspn(detail, ",");
  size_t own = strlen(directory);
  if (detail[0] && length > own && !strncmp(detail, directory, own) && detail[own] == '/') {
    copy_cut(finding->file, sizeof finding->file, detail + own + 1, length - own - 1);
  } else if (detail[0]) {
    copy_cut(finding->file, sizeof finding->file, detail, length);
  }
  if (section) {
    section += strlen(", section ");
    copy_cut(finding->section, sizeof finding->section, section, strcspn(section, ","));
  }
  snprintf(finding->what, sizeof finding->what, "%s", err->message);
  snprintf(finding->remedy, sizeof finding->remedy, "%s", err->hint);
}

static void tell(struct check *check, const struct store_finding *finding) {
  if (finding->kind == STORE_FINDING_DAMAGE)
    check->figures->damages++;
  else
    check->figures->notes++;
  check->options->found(check->options->context, finding);
}

void check__found(struct check *check, const struct err *err) {
  struct store_finding finding;
  check->last = *err;
  store_finding_of(err, check->directory, &finding);
  tell(check, &finding);
}

void check__say(struct check *check, enum store_finding_kind kind, const char *file, int64_t offset,
                const char *section, const char *remedy, const char *format, ...) {
  struct store_finding finding = {.kind = kind, .offset = offset};
  va_list arguments;
  copy_cut(finding.file, sizeof finding.file, file, strlen(file));
  snprintf(finding.section, sizeof finding.section, "%s", section);
  snprintf(finding.remedy, sizeof finding.remedy, "%s", remedy);
  va_start(arguments, format);
  vsnprintf(finding.what, sizeof finding.what, format, arguments);
  va_end(arguments);
  tell(check, &finding);
}

int check__settle(struct check *check, int code, const struct err *finding, struct err *err) {
  if (!code) return ERR_OK;
  enum err_class class = err_info(code)->class;
  if (class == ERR_CLASS_CORRUPTION || code == ERR_IO || code == ERR_END_OF_INPUT) {
    check__found(check, finding);
    return ERR_OK;
  }
  if (err) *err = *finding;
  return code;
}

int check__progress(struct check *check, uint64_t bytes, struct err *err) {
  check->figures->bytes += bytes;
  if (!check->options->progress) return ERR_OK;
  return check->options->progress(check->options->context, check->figures->bytes, check->total,
                                  err);
}

/* ---- one part ---- */

static void on_finding(void *context, const struct err *finding) { check__found(context, finding); }

static int on_progress(void *context, uint64_t bytes, struct err *err) {
  return check__progress(context, bytes, err);
}

int check__part(struct check *check, struct store_part *part, struct err *err) {
  struct part_verifier verifier = {check, on_finding, on_progress};
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  check->figures->parts++;
  check->figures->blocks += facts.blocks;
  check->figures->rows += facts.rows;
  int code = part_verify_each(part, &verifier, err);
  if (!code && check->options->part)
    code = check->options->part(check->options->context, part_store(part), part, err);
  return code;
}

/* ---- against the manifest ---- */

__attribute__((format(printf, 3, 4))) static void
part_said(struct check *check, const struct store_part *part, const char *format, ...) {
  struct err err;
  char what[160];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  part__damaged(part, PART_META, 0, 0, what, &err);
  err_hint(&err, "run `nilo repair` on a copy of the directory, or restore it from a backup");
  check__found(check, &err);
}

static unsigned long long number(uint64_t value) { return value; }

void check__part_facts(struct check *check, const struct manifest_store *store,
                       const struct manifest_part *named, struct store_part *part) {
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  if (facts.id != named->id)
    part_said(check, part, "the manifest names part %llx, the file holds part %llx",
              number(named->id), number(facts.id));
  if (part_store(part) != store->store)
    part_said(check, part, "the manifest names a part of store %llu, the file holds one of %llu",
              number(store->store), number(part_store(part)));
  if ((uint32_t)part_policy(part) != store->policy)
    part_said(check, part, "the store has policy %llu, the part has %llu", number(store->policy),
              number(part_policy(part)));
  if (facts.rows != named->rows)
    part_said(check, part, "the manifest says %llu rows, the part %llu", number(named->rows),
              number(facts.rows));
  if (facts.commit_min != named->commit_min)
    part_said(check, part, "the manifest says first commit %llu, the part %llu",
              number(named->commit_min), number(facts.commit_min));
  if (facts.commit_max != named->commit_max)
    part_said(check, part, "the manifest says last commit %llu, the part %llu",
              number(named->commit_max), number(facts.commit_max));
  if (facts.commit_max > store->flushed)
    part_said(check, part, "the store is flushed up to commit %llu, the part goes up to %llu",
              number(store->flushed), number(facts.commit_max));
  if (facts.series_max > store->series_high)
    part_said(check, part, "the store's highest series is %llu, the part has %llu",
              number(store->series_high), number(facts.series_max));
}

int check__part_order(struct check *check, struct check_order *order, struct store_part *part,
                      struct err *err) {
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  uint64_t partition = part->meta.partition_width ? (uint64_t)part->meta.partition_start : 0;
  uint64_t *end =
      u64_table_insert(&order->ends, hash_mix(partition) ^ part->meta.partition_width, NULL);
  if (!end) return mem_refused(check->options->account, sizeof *end, err);
  if (*end >= facts.commit_min && *end)
    part_said(check, part, "the part before goes up to commit %llu, this one begins with %llu",
              number(*end), number(facts.commit_min));
  if (facts.commit_max > *end) *end = facts.commit_max;
  return ERR_OK;
}

/* ---- places, for the layer above ---- */

void store_part_locate(const struct store_part *part, struct store_part_location *location) {
  *location = (struct store_part_location){.path = part->file ? part->file->path : NULL,
                                           .offset = part->offset,
                                           .size = part->size,
                                           .series_offset = part->offset + part->series.offset};
}

int store_part_series_ids(struct store_part *part, struct buffer *ids, struct err *err) {
  struct arena arena;
  uint64_t last = 0;
  int code = part_load_blocks(part, err);
  if (code) return code;
  arena_init(&arena, part->account, 64 << 10);
  for (uint32_t block = 0; block < part->meta.blocks && !code; block++) {
    const struct store_run *runs;
    arena_reset(&arena);
    code = part_read_runs(part, block, &arena, &runs, NULL, err);
    for (uint32_t i = 0; !code && i < part_blocks(part)[block].runs; i++) {
      if (runs[i].series != last) buffer_append_u64(ids, runs[i].series);
      last = runs[i].series;
    }
  }
  arena_deinit(&arena);
  return code ? code : buffer_check(ids, err);
}
