/* Payloads of a block: opaque bytes per row in frames of about 16 KiB, each compressed and checked
 * by itself, so that reading a few rows reads a few frames. docs/format/part.md, "Payloads".
 * Private to the part files. */
#ifndef NILO_STORE_PART_FRAMES_H
#define NILO_STORE_PART_FRAMES_H

#include "columnar/column.h"
#include "store/part_format.h"

struct buffer;
struct err;

/* What the writer learnt from the frames before, and its compressor. Zeroed at first. */
struct frames_hint {
  void *compressor; /* ZSTD_CCtx; charged to the account */
  uint32_t skip;    /* frames that are stored as they are, without a try */
  uint32_t failures;
  uint32_t trial; /* frames until efforts are compared again */
  int effort;     /* until then */
};
void part_frames_hint_deinit(struct frames_hint *hint, struct mem_account *account);

/* Decompressors that nobody uses just now, for any thread: making one asks the processor what it
 * can do, which on a virtual machine takes longer than reading a frame. Zeroed but for the account,
 * which the kept ones are charged to. */
enum { FRAMES_POOL_SLOTS = 8 };
struct frames_pool {
  struct mem_account *account;
  _Atomic(void *) idle[FRAMES_POOL_SLOTS]; /* ZSTD_DCtx */
};
void part_frames_pool_deinit(struct frames_pool *pool);

/* Appends head and frames of all rows of a column of BYTES (some of them present); `level` as for
 * codec_encode: CODEC_FAST stores bytes as they are. */
int part_frames_write(const struct column *column, int level, struct frames_hint *hint,
                      struct arena *arena, struct mem_account *account, struct buffer *out,
                      uint32_t *head_size, uint64_t *head_checksum, struct err *err);

/* A head in memory, its checksum has been found to hold: checks it against the block's rows and the
 * bytes of the unit. */
bool part_frames_check(const uint8_t *head, uint32_t head_size, uint32_t rows, uint32_t unit_size);
/* The frames that rows [from, from + count) lie in: [*first, *last], and their bytes in the unit.
 */
void part_frames_range(const uint8_t *head, uint32_t from, uint32_t count, uint32_t *first,
                       uint32_t *last, uint64_t *offset, uint64_t *size);
/* Decodes those rows from the bytes of those frames, which are checked here: into the arena, or
 * borrowed where one frame holds them as they are. `pool` may be NULL. ERR_CORRUPTION without
 * place, ERR_NO_MEMORY. */
int part_frames_read(const uint8_t *head, const uint8_t *frames, uint32_t first, uint32_t last,
                     uint32_t from, uint32_t count, struct frames_pool *pool, struct arena *arena,
                     struct column *column, struct err *err);

#endif
