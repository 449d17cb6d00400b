/* Checking the pairs of files that say which parts a store opened alone has
 * (docs/format/snapshot.md). Unlike a start it looks at every pair, and at nothing else: a start
 * that finds a pair damaged may still find its way, and nobody would hear of the damage. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "store/check_private.h"
#include "store/snapshot_files.h"

struct pairs {
  struct check *check;
  struct manifest_options options;
  struct manifest names; /* its candidates and nothing else */
  struct buffer wholes;  /* struct snapshot_wholeness, per candidate */
  bool older_whole;      /* there is a whole pair below the newest */
};

static size_t pair_count(const struct pairs *pairs) {
  return pairs->names.candidates.size / sizeof(uint64_t);
}

static uint64_t pair_epoch(const struct pairs *pairs, size_t i) {
  return load_u64(pairs->names.candidates.data + i * sizeof(uint64_t));
}

static struct snapshot_wholeness pair_whole(const struct pairs *pairs, size_t i) {
  struct snapshot_wholeness whole;
  memcpy(&whole, pairs->wholes.data + i * sizeof whole, sizeof whole);
  return whole;
}

/* ---- telling ---- */

static const char *name_of(uint64_t epoch, const char *suffix, char out[64]) {
  snprintf(out, 64, "%016llx%s", (unsigned long long)epoch, suffix);
  return out;
}

/* The file's bytes; empty when it is missing. */
static int read_file(const struct pairs *pairs, const char *name, struct buffer *bytes, bool *there,
                     struct err *err) {
  char path[4096];
  struct os_file *file;
  uint64_t size;
  snprintf(path, sizeof path, "%s/%s", pairs->check->directory, name);
  int code = os_file_open(pairs->options.os, path, OS_READ, &file, err);
  *there = code == ERR_OK;
  if (code) return code == ERR_NO_FILE ? ERR_OK : code;
  code = os_file_size(file, &size, err);
  if (!code && size && size <= (uint64_t)UINT32_MAX) {
    uint8_t *room = buffer_reserve(bytes, size);
    code = room ? os_file_read_exact(file, 0, room, size, err) : buffer_check(bytes, err);
    if (!code) buffer_advance(bytes, size);
  }
  os_file_close(file);
  return code;
}

/* Where a list stops being what its state says. */
static int list_difference(const struct pairs *pairs, uint64_t epoch, const struct buffer *list,
                           size_t *at, struct err *err) {
  struct manifest state;
  struct snapshot_wholeness whole;
  struct buffer text;
  buffer_init(&text, pairs->options.account);
  manifest_begin(&pairs->options, NULL, &state);
  int code = snapshot__read_pair(&state, epoch, &whole, err);
  if (!code) snapshot_list_write(&state, &text);
  if (!code) code = buffer_check(&text, err);
  for (*at = 0; *at < list->size && *at < text.size && list->data[*at] == text.data[*at];)
    ++*at;
  manifest_close(&state);
  buffer_deinit(&text);
  return code;
}

static const char *const unfinished =
    "nothing to do: the next opening goes on with the one before, and the log";
static const char *const mend = "run `nilo repair` on the directory: it makes a new pair";

static int tell_list(struct pairs *pairs, uint64_t epoch, bool last, struct err *err) {
  struct buffer list;
  char name[64];
  bool there;
  size_t at = 0;
  buffer_init(&list, pairs->options.account);
  name_of(epoch, ".snapshot", name);
  int code = read_file(pairs, name, &list, &there, err);
  if (!code && there) code = list_difference(pairs, epoch, &list, &at, err);
  bool cut = at == list.size; /* what is there is right: a write that did not come to its end */
  if (!code && cut && last && pairs->older_whole)
    check__say(pairs->check, STORE_FINDING_NOTE, name, -1, "", unfinished,
               "a publication that was not finished: its list is %s",
               there ? "cut off" : "not there");
  else if (!code && !there)
    check__say(pairs->check, STORE_FINDING_DAMAGE, name, -1, "", mend,
               "the list of a snapshot is missing; its state is there");
  else if (!code)
    check__say(pairs->check, STORE_FINDING_DAMAGE, name, (int64_t)at, "list", mend,
               "the list of a snapshot does not name what its state names");
  buffer_deinit(&list);
  return code;
}

static int tell_state(struct pairs *pairs, uint64_t epoch, bool last, struct err *err) {
  struct buffer bytes;
  char name[64];
  bool there, list_there;
  buffer_init(&bytes, pairs->options.account);
  int code = read_file(pairs, name_of(epoch, ".snapshot", name), &bytes, &list_there, err);
  bool list = list_there && bytes.size;
  buffer_reset(&bytes);
  if (!code) code = read_file(pairs, name_of(epoch, ".state", name), &bytes, &there, err);
  bool begun = last && !list && (pairs->older_whole || epoch == 0);
  if (!code && begun)
    check__say(pairs->check, STORE_FINDING_NOTE, name, -1, "", unfinished,
               "a publication that was not finished");
  else if (!code)
    check__say(pairs->check, STORE_FINDING_DAMAGE, name, there ? 0 : -1, "checkpoint", mend,
               there ? "the state of a snapshot does not match its checksums"
                     : "the state of a snapshot is missing; its list is there");
  buffer_deinit(&bytes);
  return code;
}

/* ---- reading ---- */

static int look_at_all(struct pairs *pairs, struct err *err) {
  size_t count = pair_count(pairs);
  for (size_t i = 0; i < count; i++) {
    struct manifest state;
    struct snapshot_wholeness whole;
    manifest_begin(&pairs->options, NULL, &state);
    int code = snapshot__read_pair(&state, pair_epoch(pairs, i), &whole, err);
    manifest_close(&state);
    if (code) return code;
    buffer_append(&pairs->wholes, &whole, sizeof whole);
    if (i + 1 < count) pairs->older_whole = pairs->older_whole || (whole.state && whole.list);
  }
  return buffer_check(&pairs->wholes, err);
}

static int tell_all(struct pairs *pairs, struct err *err) {
  size_t count = pair_count(pairs);
  int code = ERR_OK;
  for (size_t i = 0; i < count && !code; i++) {
    struct snapshot_wholeness whole = pair_whole(pairs, i);
    if (!whole.state)
      code = tell_state(pairs, pair_epoch(pairs, i), i + 1 == count, err);
    else if (!whole.list)
      code = tell_list(pairs, pair_epoch(pairs, i), i + 1 == count, err);
  }
  return code;
}

/* Parts of an older state may have gone since: then it says nothing about what is missing. */
static bool parts_there(const struct pairs *pairs, const struct manifest *state) {
  char path[4096];
  for (size_t i = 0; i < state->store_count; i++)
    for (uint32_t j = 0; j < state->stores[i].part_count; j++) {
      snprintf(path, sizeof path, "%s/%016llx", pairs->check->directory,
               (unsigned long long)(state->stores[i].parts[j].id >> 20));
      if (!os_path_exists(pairs->options.os, path)) return false;
    }
  return true;
}

/* The newest state that is whole, with its list or without. */
static int choose(struct pairs *pairs, struct manifest *manifest, bool *exists, struct err *err) {
  size_t count = pair_count(pairs);
  for (size_t i = count; i-- > 0;) {
    struct snapshot_wholeness whole = pair_whole(pairs, i);
    if (!whole.state) continue;
    manifest_begin(&pairs->options, NULL, manifest);
    int code = snapshot__read_pair(manifest, pair_epoch(pairs, i), &whole, err);
    *exists = !code && (i + 1 == count || parts_there(pairs, manifest));
    if (!*exists) manifest_close(manifest);
    return code;
  }
  return ERR_OK;
}

int check__snapshots(struct check *check, struct manifest *manifest, bool *exists,
                     struct err *err) {
  struct pairs pairs = {.check = check,
                        .options = {.medium = &snapshot_files,
                                    .os = check->options->os,
                                    .account = check->options->account,
                                    .directory = check->directory,
                                    .read_only = true}};
  struct err finding;
  err_reset(&finding);
  *exists = false;
  buffer_init(&pairs.wholes, check->options->account);
  manifest_begin(&pairs.options, NULL, &pairs.names);
  int code = snapshot__list_names(&pairs.names, &finding);
  if (!code) code = look_at_all(&pairs, &finding);
  if (!code) code = tell_all(&pairs, &finding);
  if (!code) code = choose(&pairs, manifest, exists, &finding);
  code = check__settle(check, code, &finding, err);
  if (!code && !*exists)
    check__say(check, STORE_FINDING_DAMAGE, "", -1, "",
               "run `nilo repair` on the directory: it makes a snapshot from the parts",
               "there is no whole snapshot");
  manifest_close(&pairs.names);
  buffer_deinit(&pairs.wholes);
  return code;
}
