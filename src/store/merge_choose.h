/* Which parts are merged. Private to the store; README.md has the rule. */
#ifndef NILO_STORE_MERGE_CHOOSE_H
#define NILO_STORE_MERGE_CHOOSE_H

#include "base/buffer.h"
#include "store/partition.h"
#include "store/root.h"

enum {
  MERGE_PARTS_MAX = 15, /* of a merge that is due by itself */
  MERGE_PARTS_MIN = 6,  /* fewer only where many parts lie above each other: */
  MERGE_PARTS_MANY = 15,
};
#define MERGE_RATIO 1.7

struct merge_rules {
  struct partitions partitions;
  struct mem_account *account;
  uint64_t split_bytes; /* see store_options.part_split_bytes */
  uint64_t bytes_max;   /* of a part that may be merged at all */
  uint64_t room;        /* bytes of all parts of a merge */
  uint64_t settled;     /* parts of epochs up to here were looked at before, without result */
  bool full;            /* whatever can be merged, the newest too */
};

struct merge_choice {
  struct buffer parts; /* struct store_part *, in the version's order; borrowed from it */
  uint64_t bytes;      /* of them; 0: nothing is due */
  bool oldest;         /* no older part says anything about their keys */
  uint64_t settled;    /* when nothing is due: what merge_rules.settled may say next time */
};

/* Chooses among the parts on disk. The choice must be initialized by merge_choice_init; its parts
 * may be any of the version's, but such that what they become neither comes between other parts'
 * commits nor others between its own. ERR_MEMORY_LIMIT. */
int merge_choose(const struct store_version *version, const struct merge_rules *rules,
                 struct merge_choice *choice, struct err *err);
void merge_choice_init(struct merge_choice *choice, struct mem_account *account);
void merge_choice_deinit(struct merge_choice *choice);
/* Whether a part on disk other than `parts` says something about keys of theirs, and is older. */
bool merge_has_older(const struct store_version *version, struct store_part *const *parts,
                     uint32_t count);

#endif
