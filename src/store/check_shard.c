/* Checking an open shard: the parts of one snapshot, and manifest and log as they lie on disk. What
 * is replaced meanwhile is read again. */
#include <stdio.h>
#include <string.h>

#include "store/check_private.h"
#include "store/damage.h"
#include "store/part_private.h"
#include "store/shard_private.h"

struct shard_check {
  struct check check;
  struct store_shard *shard;
  struct check_order order;
  struct err *err;
};

static int sum_version(void *context, struct store_version *version) {
  struct shard_check *shard = context;
  for (uint32_t i = 0; i < version->part_count; i++) {
    struct store_part_facts facts;
    store_part_facts(version->parts[i], &facts);
    shard->check.total += facts.bytes;
  }
  return 0;
}

static int check_version(void *context, struct store_version *version) {
  struct shard_check *shard = context;
  int code = ERR_OK;
  if (version->dropped) return ERR_OK;
  shard->check.figures->stores++;
  u64_table_init(&shard->order.ends, shard->check.options->account);
  for (uint32_t i = 0; i < version->part_count && !code; i++) {
    code = check__part_order(&shard->check, &shard->order, version->parts[i], shard->err);
    if (!code) code = check__part(&shard->check, version->parts[i], shard->err);
    /* Answers leave it out from now on, and say so. */
    if (i < version->disk_count && atomic_load(&version->parts[i]->damaged))
      damage__report(shard->shard, version->parts[i], &shard->check.last);
  }
  u64_table_deinit(&shard->order.ends);
  return code;
}

/* The newest manifest may be replaced between finding and reading it. */
static int read_manifest(struct shard_check *shard, struct manifest *manifest, bool *exists,
                         struct err *finding) {
  struct manifest_options options = {.os = shard->check.options->os,
                                     .account = shard->check.options->account,
                                     .directory = shard->check.directory,
                                     .read_only = true};
  int code = ERR_NO_FILE;
  for (int i = 0; i < 5 && code == ERR_NO_FILE; i++)
    code = manifest_open(&options, manifest, exists, finding);
  return code;
}

static int check_disk(struct shard_check *shard, struct err *err) {
  struct manifest manifest;
  struct err finding;
  bool exists = false;
  err_reset(&finding);
  int code = read_manifest(shard, &manifest, &exists, &finding);
  if (code == ERR_NO_FILE) return ERR_OK;
  if (code) return check__settle(&shard->check, code, &finding, err);
  if (exists)
    code = check__log(&shard->check, &manifest, true, err);
  else
    check__say(&shard->check, STORE_FINDING_DAMAGE, "manifest", -1, "",
               "flush or restart the server: it is written anew", "there is no manifest");
  manifest_close(&manifest);
  return code;
}

int store_check_shard(struct store_shard *shard, const struct store_check_options *options,
                      struct store_check_figures *figures, struct err *err) {
  struct err own;
  struct store_snapshot *snapshot;
  if (!err) err = &own;
  *figures = (struct store_check_figures){0};
  struct shard_check check = {
      .check = {.options = options, .directory = shard->options.path, .figures = figures},
      .shard = shard,
      .err = err};
  int code = store_snapshot_acquire(shard, &snapshot, err);
  if (code) return code;
  (void)root_map_visit(&snapshot->map, sum_version, &check);
  code = root_map_visit(&snapshot->map, check_version, &check);
  if (!code) code = check_disk(&check, err);
  store_snapshot_release(snapshot);
  return code;
}
