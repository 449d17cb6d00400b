/* Content of simulated files.
 *
 * A file shows one content, `now`, to everybody. For each sector that was written and not synced,
 * the bytes that are on the disk are kept beside it (`old`): a sync forgets them, a power loss
 * chooses between the two, or tears. A sector that is written again while it is dirty may have
 * reached the disk in between, by the dice, as the kernel writes back when it likes.
 *
 *   durable:  AAAA BBBB CCCC          size 3 sectors
 *   now:      AAAA XXXX CCCC YYYY     size 4; dirty: 2nd (old BBBB), 4th (old zeros)
 *   power loss: 2nd is B, X or torn; the size 3 or 4; the 4th Y, zeros or torn
 *
 * A cut (truncate to less) is all or nothing, as journals make it: `cut_size` remembers it until
 * the next sync. */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "os/sim_private.h"

/* ---- life ---- */

struct sim_inode *sim__inode_create(struct sim *sim, bool is_dir) {
  struct sim_inode *inode = sim__alloc(sim, sizeof *inode);
  inode->number = ++sim->next_inode;
  inode->refs = 1;
  inode->is_dir = is_dir;
  inode->cut_size = UINT64_MAX;
  if (!sim->root) {
    inode->before = inode->behind = inode;
    return inode;
  }
  inode->behind = sim->root;
  inode->before = sim->root->before;
  inode->before->behind = inode;
  inode->behind->before = inode;
  return inode;
}

void sim__inode_retain(struct sim_inode *inode) { inode->refs++; }

static void drop_bytes(struct sim *sim, uint8_t **bytes) {
  sim__free(sim, *bytes, *bytes ? SIM_BLOCK : 0);
  *bytes = NULL;
}

static void drop_content(struct sim *sim, struct sim_inode *inode) {
  for (size_t i = 0; i < inode->block_count; i++) {
    drop_bytes(sim, &inode->blocks[i].now);
    drop_bytes(sim, &inode->blocks[i].old);
  }
  sim__free(sim, inode->blocks, inode->block_capacity * sizeof *inode->blocks);
}

void sim__inode_release(struct sim *sim, struct sim_inode *inode) {
  if (--inode->refs > 0) return;
  inode->before->behind = inode->behind;
  inode->behind->before = inode->before;
  sim__names_clear(sim, &inode->now);
  sim__names_clear(sim, &inode->durable);
  drop_content(sim, inode);
  sim__free(sim, inode, sizeof *inode);
}

uint64_t sim__inode_allocated(const struct sim_inode *inode) {
  uint64_t count = 0;
  for (size_t i = 0; i < inode->block_count; i++)
    count += inode->blocks[i].allocated;
  return count;
}

void sim__inode_unused(struct sim *sim, struct sim_inode *inode) {
  if (inode->links == 0 && inode->handles == 0) sim->blocks_used -= sim__inode_allocated(inode);
}

/* ---- blocks ---- */

static struct sim_block *block_at(struct sim *sim, struct sim_inode *inode, size_t index) {
  while (inode->block_count <= index) {
    inode->blocks = sim__grow(sim, inode->blocks, inode->block_count, &inode->block_capacity,
                              sizeof *inode->blocks);
    inode->block_count++;
  }
  return &inode->blocks[index];
}

static bool all_zero(const uint8_t *bytes, size_t size) {
  return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* Sets bytes of a block, one side of it; content of zeros needs no memory. */
static void put_bytes(struct sim *sim, uint8_t **side, size_t at, const uint8_t *bytes,
                      size_t size) {
  static const uint8_t zeros[SIM_BLOCK];
  if (!bytes) bytes = zeros;
  if (!*side) {
    if (all_zero(bytes, size)) return;
    *side = sim__alloc(sim, SIM_BLOCK);
  }
  memcpy(*side + at, bytes, size);
}

static const uint8_t *sector_of(const uint8_t *side, unsigned sector) {
  return side ? side + sector * SIM_SECTOR : NULL;
}

/* Called before a sector changes: keeps its durable bytes. */
static void mark_dirty(struct sim *sim, struct sim_block *block, unsigned sector) {
  uint8_t bit = (uint8_t)(1u << sector);
  bool written_back = false;
  if (block->dirty & bit) written_back = sim__draw_below(&sim->disk_random, 4) == 0;
  if (!(block->dirty & bit) || written_back)
    put_bytes(sim, &block->old, sector * SIM_SECTOR, sector_of(block->now, sector), SIM_SECTOR);
  block->dirty |= bit;
  block->forsaken &= (uint8_t)~bit;
}

static void mark_range(struct sim_inode *inode, size_t index) {
  if (inode->dirty_begin == inode->dirty_end) inode->dirty_begin = inode->dirty_end = index;
  if (index < inode->dirty_begin) inode->dirty_begin = index;
  if (index >= inode->dirty_end) inode->dirty_end = index + 1;
}

/* Changes part of one block. */
static void change_block(struct sim *sim, struct sim_inode *inode, size_t index, size_t at,
                         const uint8_t *bytes, size_t size) {
  struct sim_block *block = block_at(sim, inode, index);
  for (size_t sector = at / SIM_SECTOR; sector <= (at + size - 1) / SIM_SECTOR; sector++)
    mark_dirty(sim, block, (unsigned)sector);
  mark_range(inode, index);
  put_bytes(sim, &block->now, at, bytes, size);
}

static void clean_sector(struct sim *sim, struct sim_block *block, unsigned sector) {
  uint8_t bit = (uint8_t)(1u << sector);
  block->dirty &= (uint8_t)~bit;
  block->forsaken &= (uint8_t)~bit;
  if (block->dirty == 0) drop_bytes(sim, &block->old);
}

/* ---- sizes ---- */

/* A cut becomes durable: behind it the disk holds zeros. */
static void resolve_cut(struct sim_inode *inode) {
  uint64_t cut = inode->cut_size;
  if (cut == UINT64_MAX) return;
  for (size_t i = (size_t)(cut / SIM_BLOCK); i < inode->block_count; i++) {
    struct sim_block *block = &inode->blocks[i];
    size_t at = i == cut / SIM_BLOCK ? (size_t)(cut % SIM_BLOCK) : 0;
    if (block->old) memset(block->old + at, 0, SIM_BLOCK - at);
  }
  inode->durable_size = cut;
  inode->cut_size = UINT64_MAX;
}

/* Takes a cut back: the disk's bytes return. */
static void undo_cut(struct sim *sim, struct sim_inode *inode) {
  uint64_t cut = inode->cut_size;
  for (size_t i = (size_t)(cut / SIM_BLOCK); i < inode->block_count; i++) {
    struct sim_block *block = &inode->blocks[i];
    for (unsigned sector = 0; sector < SIM_BLOCK_SECTORS; sector++) {
      uint64_t end = (uint64_t)i * SIM_BLOCK + (sector + 1) * SIM_SECTOR;
      if (end <= cut || !(block->dirty & (1u << sector))) continue;
      put_bytes(sim, &block->now, sector * SIM_SECTOR, sector_of(block->old, sector), SIM_SECTOR);
      clean_sector(sim, block, sector);
      sim->outcome.sectors_lost++;
    }
    block->allocated = block->allocated || block->now;
  }
  inode->size = inode->durable_size;
  inode->cut_size = UINT64_MAX;
}

void sim__inode_truncate(struct sim *sim, struct sim_inode *inode, uint64_t size) {
  uint64_t end = (uint64_t)inode->block_count * SIM_BLOCK;
  if (end > inode->size) end = inode->size;
  for (uint64_t at = size; at < end;) {
    size_t inside = (size_t)(at % SIM_BLOCK), count = SIM_BLOCK - inside;
    if (count > end - at) count = (size_t)(end - at);
    change_block(sim, inode, (size_t)(at / SIM_BLOCK), inside, NULL, count);
    at += count;
  }
  for (size_t i = (size_t)((size + SIM_BLOCK - 1) / SIM_BLOCK); i < inode->block_count; i++) {
    sim->blocks_used -= inode->blocks[i].allocated;
    inode->blocks[i].allocated = false;
  }
  if (size < inode->durable_size && size < inode->cut_size) inode->cut_size = size;
  inode->size = size;
}

/* ---- syncs ---- */

/* True when nothing in the range stayed dirty. */
static bool sync_blocks(struct sim *sim, struct sim_inode *inode, size_t begin, size_t end) {
  bool clean = true;
  for (size_t i = begin; i < end && i < inode->block_count; i++) {
    struct sim_block *block = &inode->blocks[i];
    block->dirty &= block->forsaken;
    if (block->dirty == 0)
      drop_bytes(sim, &block->old);
    else
      clean = false;
  }
  return clean;
}

static void sync_all(struct sim *sim, struct sim_inode *inode) {
  resolve_cut(inode);
  if (sync_blocks(sim, inode, inode->dirty_begin, inode->dirty_end))
    inode->dirty_begin = inode->dirty_end = 0;
  inode->durable_size = inode->size;
}

/* What a write through OS_DSYNC makes durable: its own sectors, and the size that shows them. */
static void sync_write(struct sim *sim, struct sim_inode *inode, uint64_t offset, size_t size) {
  resolve_cut(inode);
  uint64_t end = offset + size;
  for (uint64_t at = offset / SIM_SECTOR * SIM_SECTOR; at < end; at += SIM_SECTOR)
    clean_sector(sim, &inode->blocks[at / SIM_BLOCK], (unsigned)(at % SIM_BLOCK / SIM_SECTOR));
  if (inode->durable_size < end) inode->durable_size = end;
}

/* After a sync that failed the kernel holds the pages for clean. */
static void forsake(struct sim_inode *inode) {
  for (size_t i = inode->dirty_begin; i < inode->dirty_end && i < inode->block_count; i++)
    inode->blocks[i].forsaken = inode->blocks[i].dirty;
}

/* ---- power loss ---- */

enum pattern { KEEP_ALL, KEEP_NONE, KEEP_PREFIX, KEEP_SOME, PATTERNS };

struct settlement {
  enum pattern pattern;
  uint64_t prefix;   /* sectors below are kept */
  uint64_t of_eight; /* KEEP_SOME: how many of eight are kept */
};

static struct settlement draw_settlement(struct sim *sim, const struct sim_inode *inode,
                                         enum os_sim_loss loss) {
  if (loss == OS_SIM_LOSS_ALL) return (struct settlement){.pattern = KEEP_NONE};
  if (loss == OS_SIM_LOSS_NONE) return (struct settlement){.pattern = KEEP_ALL};
  struct sim_random *random = &sim->disk_random;
  uint64_t begin = (uint64_t)inode->dirty_begin * SIM_BLOCK_SECTORS;
  uint64_t span = (uint64_t)(inode->dirty_end - inode->dirty_begin) * SIM_BLOCK_SECTORS;
  return (struct settlement){
      .pattern = (enum pattern)sim__draw_below(random, PATTERNS),
      .prefix = begin + sim__draw_below(random, span + 1),
      .of_eight = 1 + sim__draw_below(random, 7),
  };
}

/* The first bytes from one side, the rest from the other. */
static void tear_sector(struct sim *sim, struct sim_block *block, unsigned sector) {
  uint8_t bytes[SIM_SECTOR] = {0};
  const uint8_t *now = sector_of(block->now, sector), *old = sector_of(block->old, sector);
  size_t cut = 1 + sim__draw_below(&sim->disk_random, SIM_SECTOR - 1);
  bool new_first = sim__draw_below(&sim->disk_random, 4) != 0;
  const uint8_t *first = new_first ? now : old, *second = new_first ? old : now;
  if (first) memcpy(bytes, first, cut);
  if (second) memcpy(bytes + cut, second + cut, SIM_SECTOR - cut);
  put_bytes(sim, &block->now, sector * SIM_SECTOR, bytes, SIM_SECTOR);
  sim->outcome.sectors_torn++;
}

static void settle_sector(struct sim *sim, struct sim_block *block, unsigned sector,
                          uint64_t number, const struct settlement *how) {
  uint64_t dice = sim__draw_below(&sim->disk_random, 64);
  bool keep = how->pattern == KEEP_ALL;
  if (how->pattern == KEEP_PREFIX) keep = number < how->prefix;
  if (how->pattern == KEEP_SOME) keep = dice / 8 < how->of_eight;
  bool tear = (how->pattern == KEEP_SOME && dice % 8 == 0) ||
              (how->pattern == KEEP_PREFIX && number == how->prefix);
  if (tear) {
    tear_sector(sim, block, sector);
  } else if (keep) {
    sim->outcome.sectors_kept++;
  } else {
    put_bytes(sim, &block->now, sector * SIM_SECTOR, sector_of(block->old, sector), SIM_SECTOR);
    sim->outcome.sectors_lost++;
  }
  clean_sector(sim, block, sector);
}

/* The size on disk is the old one, the new one, or one the file had on the way. */
static uint64_t draw_size(struct sim *sim, const struct sim_inode *inode,
                          const struct settlement *how) {
  uint64_t old = inode->durable_size, now = inode->size;
  if (how->pattern == KEEP_ALL || old >= now) return now;
  if (how->pattern == KEEP_NONE) return old;
  switch (sim__draw_below(&sim->disk_random, 3)) {
  case 0:
    return old;
  case 1:
    return now;
  default:
    return old + sim__draw_below(&sim->disk_random, now - old + 1);
  }
}

void sim__inode_settle(struct sim *sim, struct sim_inode *inode, enum os_sim_loss loss) {
  struct settlement how = draw_settlement(sim, inode, loss);
  if (inode->cut_size != UINT64_MAX) {
    bool happened = how.pattern == KEEP_ALL || sim__draw_below(&sim->disk_random, 2) == 0;
    if (happened && how.pattern != KEEP_NONE)
      resolve_cut(inode);
    else
      undo_cut(sim, inode);
  }
  uint64_t size = draw_size(sim, inode, &how);
  for (size_t i = inode->dirty_begin; i < inode->dirty_end && i < inode->block_count; i++) {
    struct sim_block *block = &inode->blocks[i];
    for (unsigned sector = 0; sector < SIM_BLOCK_SECTORS; sector++)
      if (block->dirty & (1u << sector))
        settle_sector(sim, block, sector, (uint64_t)i * SIM_BLOCK_SECTORS + sector, &how);
  }
  if (size < inode->size) sim__inode_truncate(sim, inode, size);
  for (size_t i = 0; i < inode->block_count; i++)
    inode->blocks[i].forsaken = 0;
  sync_blocks(sim, inode, 0, inode->block_count);
  inode->dirty_begin = inode->dirty_end = 0;
  inode->size = inode->durable_size = size;
  inode->cut_size = UINT64_MAX;
}

void sim__inode_flip(struct sim *sim, struct sim_inode *inode, uint64_t bit) {
  struct sim_block *block = block_at(sim, inode, (size_t)(bit / 8 / SIM_BLOCK));
  size_t at = (size_t)(bit / 8 % SIM_BLOCK);
  uint8_t mask = (uint8_t)(1u << bit % 8);
  uint8_t byte = (uint8_t)((block->now ? block->now[at] : 0) ^ mask);
  put_bytes(sim, &block->now, at, &byte, 1);
  if (!(block->dirty & (1u << at / SIM_SECTOR))) return;
  byte = (uint8_t)((block->old ? block->old[at] : 0) ^ mask);
  put_bytes(sim, &block->old, at, &byte, 1);
}

/* ---- calls ---- */

static struct sim_file *sim_file_of(struct os_file *file) { return (struct sim_file *)file; }

/* The gate for calls on a handle: handles of before a reboot are dead. */
static enum sim_fate enter(struct os_file *file, struct sim_call call, int *code, struct err *err) {
  struct sim *sim = sim_of(file->os);
  call.path = file->path;
  if (sim_file_of(file)->boot != sim->boot) {
    *code = sim__lost(err, file->path);
    return SIM_FAIL;
  }
  return sim__enter(sim, &call, code, err);
}

int sim__file_read(struct os_file *file, uint64_t offset, void *buffer, size_t size, size_t *got,
                   struct err *err) {
  int code;
  if (enter(file, (struct sim_call){.name = "read", .a = offset, .b = size}, &code, err))
    return code;
  struct sim_inode *inode = sim_file_of(file)->inode;
  if (offset >= inode->size) return ERR_OK;
  if (size > inode->size - offset) size = (size_t)(inode->size - offset);
  for (size_t done = 0; done < size;) {
    size_t index = (size_t)((offset + done) / SIM_BLOCK);
    size_t inside = (size_t)((offset + done) % SIM_BLOCK), count = SIM_BLOCK - inside;
    if (count > size - done) count = size - done;
    const uint8_t *now = index < inode->block_count ? inode->blocks[index].now : NULL;
    if (now)
      memcpy((char *)buffer + done, now + inside, count);
    else
      memset((char *)buffer + done, 0, count);
    done += count;
  }
  *got = size;
  return ERR_OK;
}

/* Writes until the disk is full; the number of bytes that found room. */
static size_t write_content(struct sim *sim, struct sim_inode *inode, uint64_t offset,
                            const uint8_t *bytes, size_t size) {
  size_t done = 0;
  while (done < size) {
    size_t index = (size_t)((offset + done) / SIM_BLOCK);
    size_t inside = (size_t)((offset + done) % SIM_BLOCK), count = SIM_BLOCK - inside;
    if (count > size - done) count = size - done;
    struct sim_block *block = block_at(sim, inode, index);
    if (!block->allocated) {
      if (sim->blocks_used >= sim->blocks_total) break;
      block->allocated = true;
      sim->blocks_used++;
    }
    change_block(sim, inode, index, inside, bytes + done, count);
    done += count;
  }
  if (done > 0 && offset + done > inode->size) inode->size = offset + done;
  return done;
}

/* The power is on, and the handle of this boot. */
static bool is_alive(const struct os_file *file) {
  const struct sim *sim = sim_of(file->os);
  return !sim->crashed && ((const struct sim_file *)file)->boot == sim->boot;
}

/* How much of a write that failed is there: nothing half of the time. */
static size_t draw_part(struct sim *sim, size_t size) {
  uint64_t part = sim__draw_below(&sim->disk_random, 2 * (uint64_t)size + 1);
  return part > size ? 0 : (size_t)part;
}

int sim__file_write(struct os_file *file, uint64_t offset, const void *buffer, size_t size,
                    struct err *err) {
  struct sim *sim = sim_of(file->os);
  int code;
  bool durable = (file->flags & OS_DSYNC) && size > 0;
  struct sim_call call = {
      .name = "write", .a = offset, .b = size, .changes = true, .makes_durable = durable};
  enum sim_fate fate = enter(file, call, &code, err);
  struct sim_inode *inode = sim_file_of(file)->inode;
  if (fate == SIM_FAIL) {
    if (is_alive(file)) write_content(sim, inode, offset, buffer, draw_part(sim, size));
    return code;
  }
  size_t done = write_content(sim, inode, offset, buffer, size);
  if (fate == SIM_CRASH) return code; /* the reboot decides sector by sector */
  if (done < size) return os__fail(err, "cannot write the file", file->path, ENOSPC);
  if (durable && fate == SIM_GO) sync_write(sim, inode, offset, size);
  sim__leave(sim);
  return ERR_OK;
}

int sim__file_sync(struct os_file *file, struct err *err) {
  struct sim *sim = sim_of(file->os);
  struct sim_inode *inode = sim_file_of(file)->inode;
  int code;
  struct sim_call call = {.name = "sync", .changes = true, .makes_durable = true};
  enum sim_fate fate = enter(file, call, &code, err);
  if (fate == SIM_FAIL) {
    if (is_alive(file)) forsake(inode);
    return code;
  }
  if (fate == SIM_GO || (fate == SIM_CRASH && sim__crash_took_effect(sim))) sync_all(sim, inode);
  if (fate != SIM_CRASH) sim__leave(sim);
  return code;
}

int sim__file_truncate(struct os_file *file, uint64_t size, struct err *err) {
  struct sim *sim = sim_of(file->os);
  int code;
  struct sim_call call = {.name = "truncate", .a = size, .changes = true};
  enum sim_fate fate = enter(file, call, &code, err);
  if (fate == SIM_FAIL) return code;
  sim__inode_truncate(sim, sim_file_of(file)->inode, size);
  if (fate == SIM_GO) sim__leave(sim);
  return code;
}

int sim__file_size(struct os_file *file, uint64_t *size, struct err *err) {
  int code;
  if (enter(file, (struct sim_call){.name = "size"}, &code, err)) return code;
  *size = sim_file_of(file)->inode->size;
  return ERR_OK;
}

int sim__file_disk_size(struct os_file *file, uint64_t *size, struct err *err) {
  int code;
  if (enter(file, (struct sim_call){.name = "disk size"}, &code, err)) return code;
  *size = sim__inode_allocated(sim_file_of(file)->inode) * SIM_BLOCK;
  return ERR_OK;
}

int sim__file_lock(struct os_file *file, struct err *err) {
  int code;
  if (enter(file, (struct sim_call){.name = "lock"}, &code, err)) return code;
  struct sim_file *simulated = sim_file_of(file);
  struct sim_inode *inode = simulated->inode;
  if (inode->locked_by && inode->locked_by != simulated)
    return os__fail(err, "cannot lock the file", file->path, EWOULDBLOCK);
  inode->locked_by = simulated;
  return ERR_OK;
}
