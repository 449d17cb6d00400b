/* Accounts: every byte the engine holds is charged to one, and an account has a limit.
 *
 * Accounts form a tree (process -> engine -> store, query, cache …): a charge counts in the account
 * and in all above it and is refused when any of them would pass its limit. Blocks are freed with
 * the size they were allocated with, so an account needs no table of blocks. At the end of its life
 * an account must be back at zero; mem_account_deinit asserts it.
 *
 * Threads: charging and releasing are atomic; one account may be used from any thread. */
#ifndef NILO_BASE_MEMORY_H
#define NILO_BASE_MEMORY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct mem_account {
  const char *name; /* borrowed, static */
  struct mem_account *parent;
  int64_t limit;        /* bytes; 0: none of its own */
  _Atomic int64_t used; /* bytes */
  _Atomic int64_t peak; /* bytes, approximate under contention */
  /* Fault injection for tests: when > 0, counts down on each allocation in this account or one
   * below it, and the allocation that brings it to 0 fails. 0: off. */
  _Atomic int64_t fail_countdown;
};

/* Prepares an account in the caller's storage. `parent` may be NULL. */
void mem_account_init(struct mem_account *account, const char *name, struct mem_account *parent,
                      int64_t limit);
/* Asserts that nothing is held any more. */
void mem_account_deinit(struct mem_account *account);
int64_t mem_account_used(const struct mem_account *account);

/* Charges bytes that are held elsewhere (a library, a map). Returns 0, or -1 when a limit refuses.
 */
int mem_charge(struct mem_account *account, size_t size);
void mem_discharge(struct mem_account *account, size_t size);

/* Allocates `size` bytes aligned to 16; NULL when a limit, an injected fault or the system refuses,
 * or size is 0 (the caller then sets ERR_NO_MEMORY or ERR_MEMORY_LIMIT through mem_refused). */
void *mem_alloc(struct mem_account *account, size_t size);
/* The same, zeroed. */
void *mem_alloc_zero(struct mem_account *account, size_t size);
/* Grows or shrinks; on failure NULL and the old block is untouched. old NULL with old_size 0
 * allocates. */
void *mem_resize(struct mem_account *account, void *old, size_t old_size, size_t size);
/* Frees a block with the size it was allocated or last resized with. NULL is allowed. */
void mem_free(struct mem_account *account, void *block, size_t size);

struct err;
/* Fills `err` for an allocation of `size` that was refused and returns its code: ERR_MEMORY_LIMIT
 * with the name of the account that is full, or ERR_NO_MEMORY. */
int mem_refused(const struct mem_account *account, size_t size, struct err *err);

/* An arena: memory of one lifetime, given back at once. Chunks are charged to an account. One
 * thread at a time. */
struct arena_chunk;
struct arena {
  struct mem_account *account;
  struct arena_chunk *chunk; /* the newest one; older ones are chained behind it */
  size_t position;           /* bytes used of the newest chunk */
  size_t chunk_size;         /* bytes of the next chunk */
};

/* An empty arena in the caller's storage; allocates nothing. Chunks begin at chunk_size bytes and
 * double up to 1 MiB; a block too large for one gets a chunk of its own. */
void arena_init(struct arena *arena, struct mem_account *account, size_t chunk_size);
/* Frees everything. The arena may be used again after arena_init only. */
void arena_deinit(struct arena *arena);
/* Forgets everything, keeps one chunk for reuse. */
void arena_reset(struct arena *arena);
/* Bytes aligned to 16, not zeroed; NULL when refused. size 0 gives a non-NULL pointer. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_alloc_zero(struct arena *arena, size_t size);
/* Copies bytes; data is NULL when refused (and size 0). */
struct str arena_copy(struct arena *arena, struct str bytes);
/* printf into the arena, terminated; data is NULL when refused. */
struct str arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(arena, type) ((type *)arena_alloc_zero((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count)                                                            \
  ((type *)arena_alloc_zero((arena), sizeof(type) * (size_t)(count)))

#endif
