/* Accounts are charged before the system is asked, from the account up to the root; a refusal half
 * way up is undone, so a failed charge leaves no trace (but possibly a peak that is too high by
 * it). The heap itself is whatever malloc is linked. */
#include "base/memory.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

enum {
  BLOCK_ALIGNMENT = 16,
  ZERO_BY_PAGES_MIN = 8 << 10, /* smaller blocks are never zeroed by pages */
  ZERO_BY_HAND_MAX = 2 << 20,
  MARGIN = 64, /* an arena takes so much more than a block, at most */
  ARENA_CHUNK_MIN = 256,
  ARENA_CHUNK_GROWTH_MAX = 1 << 20, /* chunks double up to here */
};

void mem_account_init(struct mem_account *account, const char *name, struct mem_account *parent,
                      int64_t limit) {
  account->name = name;
  account->parent = parent;
  account->limit = limit;
  atomic_init(&account->used, 0);
  atomic_init(&account->peak, 0);
  atomic_init(&account->fail_countdown, 0);
}

void mem_account_deinit(struct mem_account *account) {
  int64_t used = mem_account_used(account);
  assert(used == 0);
  (void)used;
}

int64_t mem_account_used(const struct mem_account *account) {
  return atomic_load_explicit(&account->used, memory_order_relaxed);
}

static void discharge_up_to(struct mem_account *account, const struct mem_account *end,
                            int64_t size) {
  for (; account != end; account = account->parent)
    atomic_fetch_sub_explicit(&account->used, size, memory_order_relaxed);
}

int mem_charge(struct mem_account *account, size_t size) {
  if (size > INT64_MAX / 2) return -1;
  int64_t amount = (int64_t)size;
  for (struct mem_account *at = account; at; at = at->parent) {
    int64_t used = atomic_fetch_add_explicit(&at->used, amount, memory_order_relaxed) + amount;
    if (at->limit > 0 && used > at->limit) {
      discharge_up_to(account, at->parent, amount);
      return -1;
    }
    if (used > atomic_load_explicit(&at->peak, memory_order_relaxed))
      atomic_store_explicit(&at->peak, used, memory_order_relaxed);
  }
  return 0;
}

void mem_discharge(struct mem_account *account, size_t size) {
  discharge_up_to(account, NULL, (int64_t)size);
}

/* Counts one allocation in every account of the chain that injects faults. */
static bool fault_strikes(struct mem_account *account) {
  bool strikes = false;
  for (struct mem_account *at = account; at; at = at->parent)
    if (atomic_load_explicit(&at->fail_countdown, memory_order_relaxed) > 0 &&
        atomic_fetch_sub_explicit(&at->fail_countdown, 1, memory_order_relaxed) == 1)
      strikes = true;
  return strikes;
}

/* Some allocators align small blocks to 8 only. */
static size_t block_size(size_t size) { return size < BLOCK_ALIGNMENT ? BLOCK_ALIGNMENT : size; }

static void *allocate(struct mem_account *account, size_t size, bool zero) {
  if (size == 0 || fault_strikes(account) || mem_charge(account, size) != 0) return NULL;
  /* Some allocators zero a large block by giving its pages back to the system and taking them
   * anew, page fault by page fault; up to a size it is cheaper to write the zeros. */
  bool by_hand = zero && size > ZERO_BY_PAGES_MIN && size <= ZERO_BY_HAND_MAX;
  void *block = zero && !by_hand ? calloc(1, block_size(size)) : malloc(block_size(size));
  if (block && by_hand) memset(block, 0, size);
  if (!block) mem_discharge(account, size);
  return block;
}

void *mem_alloc(struct mem_account *account, size_t size) { return allocate(account, size, false); }

void *mem_alloc_zero(struct mem_account *account, size_t size) {
  return allocate(account, size, true);
}

void *mem_resize(struct mem_account *account, void *old, size_t old_size, size_t size) {
  if (size <= old_size && old) { /* never refused */
    void *block = realloc(old, block_size(size));
    mem_discharge(account, old_size - size);
    return block ? block : old;
  }
  if (fault_strikes(account) || mem_charge(account, size - old_size) != 0) return NULL;
  void *block = realloc(old, block_size(size));
  if (!block) mem_discharge(account, size - old_size);
  return block;
}

void mem_free(struct mem_account *account, void *block, size_t size) {
  if (!block) return;
  free(block);
  mem_discharge(account, size);
}

int mem_refused(const struct mem_account *account, size_t size, struct err *err) {
  for (const struct mem_account *at = account; at; at = at->parent) {
    int64_t used = mem_account_used(at);
    if (at->limit <= 0 || (size <= INT64_MAX / 2 && used + (int64_t)size + MARGIN <= at->limit))
      continue;
    err_set(err, ERR_MEMORY_LIMIT, "the memory limit of \"%s\" is reached", at->name);
    err_detail(err, "%zu bytes more were asked for, %lld of %lld are in use", size, (long long)used,
               (long long)at->limit);
    return ERR_MEMORY_LIMIT;
  }
  err_set(err, ERR_NO_MEMORY, "out of memory");
  err_detail(err, "%zu bytes for \"%s\"", size, account ? account->name : "");
  return ERR_NO_MEMORY;
}

/* A chunk's bytes follow its header. The newest chunk is filled; a block too large for it gets a
 * chunk of its own behind it, so that the rest of the newest stays usable. */
struct arena_chunk {
  struct arena_chunk *older;
  size_t size; /* usable bytes */
};
static_assert(sizeof(struct arena_chunk) % BLOCK_ALIGNMENT == 0, "the first block is aligned");

void arena_init(struct arena *arena, struct mem_account *account, size_t chunk_size) {
  arena->account = account;
  arena->chunk = NULL;
  arena->position = 0;
  arena->chunk_size = chunk_size < ARENA_CHUNK_MIN ? ARENA_CHUNK_MIN : chunk_size;
}

static void chunks_free(struct mem_account *account, struct arena_chunk *chunk) {
  while (chunk) {
    struct arena_chunk *older = chunk->older;
    mem_free(account, chunk, sizeof *chunk + chunk->size);
    chunk = older;
  }
}

void arena_deinit(struct arena *arena) {
  chunks_free(arena->account, arena->chunk);
  arena->chunk = NULL;
  arena->position = 0;
}

void arena_reset(struct arena *arena) {
  struct arena_chunk *kept = arena->chunk;
  if (!kept) return;
  size_t kept_max =
      arena->chunk_size > ARENA_CHUNK_GROWTH_MAX ? arena->chunk_size : ARENA_CHUNK_GROWTH_MAX;
  if (kept->size > kept_max) { /* one huge block must not stay for ever */
    arena_deinit(arena);
    return;
  }
  chunks_free(arena->account, kept->older);
  kept->older = NULL;
  arena->position = 0;
}

static char *chunk_data(struct arena_chunk *chunk) { return (char *)(chunk + 1); }

static void *alloc_in_new_chunk(struct arena *arena, size_t size) {
  bool alone = size > arena->chunk_size / 2;
  size_t chunk_size = alone ? size : arena->chunk_size;
  struct arena_chunk *chunk = mem_alloc(arena->account, sizeof *chunk + chunk_size);
  if (!chunk && !alone && mem_refused(arena->account, chunk_size, NULL) == ERR_MEMORY_LIMIT) {
    /* there is room for this block, maybe */
    chunk_size = size;
    chunk = mem_alloc(arena->account, sizeof *chunk + chunk_size);
  }
  if (!chunk) return NULL;
  chunk->size = chunk_size;
  if (alone && arena->chunk) {
    chunk->older = arena->chunk->older;
    arena->chunk->older = chunk;
    return chunk_data(chunk);
  }
  chunk->older = arena->chunk;
  arena->chunk = chunk;
  arena->position = size;
  if (!alone && arena->chunk_size * 2 <= ARENA_CHUNK_GROWTH_MAX) arena->chunk_size *= 2;
  return chunk_data(chunk);
}

void *arena_alloc(struct arena *arena, size_t size) {
  if (size > SIZE_MAX / 4) return NULL;
  size = ((size ? size : 1) + BLOCK_ALIGNMENT - 1) & ~(size_t)(BLOCK_ALIGNMENT - 1);
  if (!arena->chunk || size > arena->chunk->size - arena->position)
    return alloc_in_new_chunk(arena, size);
  void *block = chunk_data(arena->chunk) + arena->position;
  arena->position += size;
  return block;
}

void *arena_alloc_zero(struct arena *arena, size_t size) {
  void *block = arena_alloc(arena, size);
  if (block) memset(block, 0, size);
  return block;
}

struct str arena_copy(struct arena *arena, struct str bytes) {
  char *copy = arena_alloc(arena, bytes.size);
  if (!copy) return (struct str){NULL, 0};
  if (bytes.size) memcpy(copy, bytes.data, bytes.size);
  return (struct str){copy, bytes.size};
}

struct str arena_format(struct arena *arena, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int length = vsnprintf(NULL, 0, format, args);
  va_end(args);
  char *text = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1);
  if (!text) return (struct str){NULL, 0};
  va_start(args, format);
  vsnprintf(text, (size_t)length + 1, format, args);
  va_end(args);
  return (struct str){text, (size_t)length};
}
