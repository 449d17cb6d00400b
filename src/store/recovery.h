/* What a start finds in the directory: shared by recovery.c and recovery_files.c. */
#ifndef NILO_STORE_RECOVERY_H
#define NILO_STORE_RECOVERY_H

#include "store/shard_private.h"

struct recovery {
  struct store_shard *shard;
  struct u64_table named; /* epoch -> parts of it that the state names */
  struct u64_table bytes; /* epoch -> their bytes */
  struct buffer unnamed;  /* epochs (uint64) of what the state does not name */
  uint64_t commit_in_log; /* a whole log holds every commit from its start to here */
  bool log_damaged;
};

/* Nothing is found yet. */
void recovery_init(struct recovery *recovery, struct store_shard *shard);
/* Frees the lists; files that were opened are the shard's. */
void recovery_deinit(struct recovery *recovery);
/* Opens every file that the state names, and lists the others. ERR_CORRUPTION: one is missing. */
int recovery_open_files(struct recovery *recovery, struct err *err);
/* Takes that back. */
void recovery_forget_files(struct recovery *recovery);
/* What is not named goes when named parts or the log hold its rows. What may be the only copy of
 * some is moved to the folder of quarantine, or stays while a named part cannot be read. */
int recovery_settle_unnamed(struct recovery *recovery, struct err *err);
/* ERR_CORRUPTION for something that is not there. */
int recovery_fail_missing(struct store_shard *shard, const char *what, const char *path,
                          struct err *err);

#endif
