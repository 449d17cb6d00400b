/* Payloads: rows <-> frames.
 *
 * A frame is closed before it passes 16 KiB; a larger payload has one of its own. Lengths stand in
 * front of the payloads and are left out where all are equal. Compression is tried frame by frame
 * and given up for a while where it does not pay, so that payloads that are compressed already, or
 * random, are written at the speed of copying. Now and then a frame is compressed with several
 * efforts, to see whether a smaller one does as well: with ids and numbers it does, at twice the
 * speed. */
#include "store/part_frames.h"

#include <stdatomic.h>
#include <string.h>
#include <zstd.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "base/err.h"
#include "base/memory.h"
#include "codec/codec.h"

enum {
  TRY_BYTES_MIN = 64,         /* fewer are not worth a try */
  COMPRESSOR_BYTES = 1 << 20, /* what one takes, about */
  DECOMPRESSOR_BYTES = 160 << 10,
  SKIP_LOG_MAX = 6,
  LEVEL_HOT = -1,
  LEVEL_COLD = 1, /* little slower, and it stays */
  TRIAL_FRAMES = 64,
  QUICK_LOSS = 50, /* a fiftieth more bytes are as well */
};
/* What a compressed frame may claim to hold: the largest value that a commit takes, and lengths. */
#define FRAME_PLAIN_MAX ((uint64_t)LIMIT_STRING_SIZE_MAX + (64 << 10))

/* ---- writing ---- */

void part_frames_hint_deinit(struct frames_hint *hint, struct mem_account *account) {
  if (!hint->compressor) return;
  ZSTD_freeCCtx(hint->compressor);
  mem_discharge(account, COMPRESSOR_BYTES);
  hint->compressor = NULL;
}

static uint32_t row_size(const struct column *column, uint32_t row) {
  return column_is_valid(column, row) ? (uint32_t)(column->offsets[row + 1] - column->offsets[row])
                                      : 0;
}

static uint8_t width_of(uint32_t shortest, uint32_t longest) {
  if (shortest >= longest) return 0;
  return longest < 256 ? 1 : longest < 65536 ? 2 : 4;
}

/* The frame that begins at `row`; returns its end. */
static uint32_t plan_frame(const struct column *column, uint32_t row, struct part_frame *frame) {
  uint32_t rows = (uint32_t)column->length, shortest = UINT32_MAX, longest = 0, present = 0;
  uint64_t bytes = 0;
  uint32_t at = row;
  for (; at < rows; at++) {
    if (!column_is_valid(column, at)) continue;
    uint32_t size = row_size(column, at);
    if (at > row && bytes + size > PART_FRAME_BYTES) break;
    bytes += size;
    present++;
    if (size < shortest) shortest = size;
    if (size > longest) longest = size;
  }
  *frame = (struct part_frame){.row = row, .width = width_of(shortest, longest)};
  frame->plain = (uint32_t)(bytes + (uint64_t)present * frame->width);
  return at;
}

static void write_length(uint8_t *at, uint8_t width, uint32_t length) {
  if (width == 1)
    *at = (uint8_t)length;
  else if (width == 2)
    store_u16(at, (uint16_t)length);
  else
    store_u32(at, length);
}

/* The plain bytes of a frame's rows [from, to): those of the column itself where they are the
 * same, else put together in the arena. NULL when memory is refused. */
static const uint8_t *gather(const struct column *column, const struct part_frame *frame,
                             uint32_t from, uint32_t to, struct arena *arena) {
  if (!column->validity && frame->width == 0)
    return (const uint8_t *)column->data + column->offsets[from];
  uint8_t *plain = arena_alloc(arena, (size_t)frame->plain + 1);
  if (!plain) return NULL;
  uint8_t *length = plain, *at = plain;
  for (uint32_t i = from; i < to; i++) {
    if (!frame->width || !column_is_valid(column, i)) continue;
    write_length(length, frame->width, row_size(column, i));
    length += frame->width;
  }
  at = length;
  if (!column->validity) {
    memcpy(at, column->data + column->offsets[from],
           (size_t)(column->offsets[to] - column->offsets[from]));
    return plain;
  }
  for (uint32_t i = from; i < to; i++) {
    uint32_t size = row_size(column, i);
    memcpy(at, column->data + column->offsets[i], size);
    at += size;
  }
  return plain;
}

/* Compresses into `at` with the effort that the column is worth; ZSTD_isError of the result when it
 * did not work. */
static size_t compress(const uint8_t *plain, size_t size, int level, struct frames_hint *hint,
                       uint8_t *at) {
  size_t bound = ZSTD_compressBound(size);
  if (hint->trial) {
    hint->trial--;
    return ZSTD_compressCCtx(hint->compressor, at, bound, plain, size, hint->effort);
  }
  static const int quick[] = {-15, -7}; /* the quickest first */
  enum { QUICK = sizeof quick / sizeof *quick };
  size_t sizes[QUICK];
  for (int i = 0; i < QUICK; i++)
    sizes[i] = ZSTD_compressCCtx(hint->compressor, at, bound, plain, size, quick[i]);
  hint->effort = level >= CODEC_COLD ? LEVEL_COLD : LEVEL_HOT;
  hint->trial = TRIAL_FRAMES;
  size_t stored = ZSTD_compressCCtx(hint->compressor, at, bound, plain, size, hint->effort);
  for (int i = QUICK; i-- > 0;)
    if (!ZSTD_isError(sizes[i]) && sizes[i] <= stored + stored / QUICK_LOSS)
      hint->effort = quick[i];
  return stored;
}

/* Appends the compressed bytes if that pays; returns their number, 0 if it does not. */
static size_t try_compress(const uint8_t *plain, size_t size, int level, struct frames_hint *hint,
                           struct mem_account *account, struct buffer *out) {
  if (level < CODEC_HOT || size < TRY_BYTES_MIN || size > FRAME_PLAIN_MAX) return 0;
  if (hint->skip) {
    hint->skip--;
    return 0;
  }
  if (!hint->compressor) {
    if (mem_charge(account, COMPRESSOR_BYTES)) return 0;
    hint->compressor = ZSTD_createCCtx();
    if (!hint->compressor) mem_discharge(account, COMPRESSOR_BYTES);
    if (!hint->compressor) return 0;
  }
  uint8_t *at = buffer_reserve(out, ZSTD_compressBound(size));
  if (!at) return 0;
  size_t stored = compress(plain, size, level, hint, at);
  if (!ZSTD_isError(stored) && stored < size - size / 8) {
    hint->failures = 0;
    buffer_advance(out, stored);
    return stored;
  }
  if (hint->failures < SKIP_LOG_MAX) hint->failures++;
  hint->skip = (UINT32_C(1) << hint->failures) - 1;
  return 0;
}

static int write_frame(const struct column *column, struct part_frame *frame, uint32_t to,
                       int level, struct frames_hint *hint, struct arena *arena,
                       struct mem_account *account, struct buffer *out, struct err *err) {
  size_t start = out->size;
  if (frame->plain) {
    const uint8_t *plain = gather(column, frame, frame->row, to, arena);
    if (!plain) return mem_refused(arena->account, frame->plain, err);
    if (try_compress(plain, frame->plain, level, hint, account, out))
      frame->kind = PART_FRAME_ZSTD;
    else
      buffer_append(out, plain, frame->plain);
  }
  size_t used = out->size - start;
  buffer_append_zero(out, (size_t)part_align(used) - used);
  int code = buffer_check(out, err);
  if (code) return code;
  frame->stored = (uint32_t)(out->size - start);
  frame->padding = (uint16_t)(frame->stored - used);
  frame->checksum = checksum64(out->data + start, frame->stored);
  return ERR_OK;
}

int part_frames_write(const struct column *column, int level, struct frames_hint *hint,
                      struct arena *arena, struct mem_account *account, struct buffer *out,
                      uint32_t *head_size, uint64_t *head_checksum, struct err *err) {
  uint32_t rows = (uint32_t)column->length;
  struct part_frame *frames = arena_alloc(arena, (size_t)rows * sizeof *frames);
  if (!frames) return mem_refused(arena->account, rows * sizeof *frames, err);
  uint32_t count = 0;
  for (uint32_t row = 0; row < rows;)
    row = plan_frame(column, row, &frames[count++]);
  bool nulls = column->null_count > 0;
  struct part_frames head = {.count = count, .rows = rows, .flags = nulls ? PART_FRAMES_NULLS : 0};
  size_t bits = nulls ? bit_words(rows) * 8 : 0;
  head.size = (uint32_t)(sizeof head + count * sizeof *frames + bits);
  size_t start = out->size;
  uint8_t *room = buffer_reserve(out, head.size);
  if (!room) return buffer_check(out, err);
  buffer_advance(out, head.size);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t to = i + 1 < count ? frames[i + 1].row : rows;
    int code = write_frame(column, &frames[i], to, level, hint, arena, account, out, err);
    if (code) return code;
  }
  uint8_t *at = out->data + start;
  memcpy(at, &head, sizeof head);
  memcpy(at + sizeof head, frames, count * sizeof *frames);
  if (nulls) {
    uint8_t *validity = at + sizeof head + count * sizeof *frames;
    memcpy(validity, column->validity, bits);
    if (rows % 64) {
      uint64_t last = load_u64(validity + bits - 8) & ((UINT64_C(1) << rows % 64) - 1);
      store_u64(validity + bits - 8, last);
    }
  }
  *head_size = head.size;
  *head_checksum = checksum64(at, head.size);
  return ERR_OK;
}

/* ---- decompressors ---- */

static ZSTD_DCtx *pool_take(struct frames_pool *pool) {
  for (int i = 0; pool && i < FRAMES_POOL_SLOTS; i++) {
    void *idle = atomic_load_explicit(&pool->idle[i], memory_order_relaxed);
    if (!idle || !(idle = atomic_exchange(&pool->idle[i], NULL))) continue;
    mem_discharge(pool->account, DECOMPRESSOR_BYTES);
    return idle;
  }
  return ZSTD_createDCtx();
}

static void pool_give(struct frames_pool *pool, ZSTD_DCtx *decompressor) {
  if (decompressor && pool && !mem_charge(pool->account, DECOMPRESSOR_BYTES)) {
    for (int i = 0; i < FRAMES_POOL_SLOTS; i++) {
      void *none = NULL;
      if (atomic_compare_exchange_strong(&pool->idle[i], &none, decompressor)) return;
    }
    mem_discharge(pool->account, DECOMPRESSOR_BYTES);
  }
  ZSTD_freeDCtx(decompressor);
}

void part_frames_pool_deinit(struct frames_pool *pool) {
  for (int i = 0; i < FRAMES_POOL_SLOTS; i++) {
    ZSTD_DCtx *idle = atomic_exchange(&pool->idle[i], NULL);
    if (idle) mem_discharge(pool->account, DECOMPRESSOR_BYTES);
    ZSTD_freeDCtx(idle);
  }
}

/* ---- reading ---- */

static const struct part_frame *frames_of(const uint8_t *head) {
  return (const struct part_frame *)(const void *)(head + sizeof(struct part_frames));
}

static struct part_frames head_of(const uint8_t *bytes) {
  struct part_frames head;
  memcpy(&head, bytes, sizeof head);
  return head;
}

static const uint64_t *validity_of(const uint8_t *bytes) {
  struct part_frames head = head_of(bytes);
  return head.flags & PART_FRAMES_NULLS
             ? (const uint64_t *)(const void *)(frames_of(bytes) + head.count)
             : NULL;
}

bool part_frames_check(const uint8_t *bytes, uint32_t head_size, uint32_t rows,
                       uint32_t unit_size) {
  if (head_size < sizeof(struct part_frames)) return false;
  struct part_frames head = head_of(bytes);
  uint64_t bits = head.flags & PART_FRAMES_NULLS ? bit_words(rows) * 8 : 0;
  uint64_t size = sizeof head + (uint64_t)head.count * sizeof(struct part_frame) + bits;
  if (head.size != head_size || size != head_size || head.rows != rows || head.count == 0 ||
      head.count > rows || head.flags & ~(uint32_t)PART_FRAMES_NULLS)
    return false;
  const struct part_frame *frames = frames_of(bytes);
  uint64_t at = head_size;
  for (uint32_t i = 0; i < head.count; i++) {
    const struct part_frame *frame = &frames[i];
    bool row = i ? frame->row > frames[i - 1].row && frame->row < rows : frame->row == 0;
    bool width = frame->width <= 2 || frame->width == 4;
    bool raw = frame->kind == PART_FRAME_RAW;
    if (!row || !width || frame->stored % PART_ALIGNMENT || frame->padding >= PART_ALIGNMENT ||
        frame->padding > frame->stored || frame->stored > unit_size - at ||
        frame->kind > PART_FRAME_ZSTD ||
        (raw ? frame->plain != frame->stored - frame->padding : frame->plain > FRAME_PLAIN_MAX))
      return false;
    at += frame->stored;
  }
  return at == unit_size;
}

void part_frames_range(const uint8_t *bytes, uint32_t from, uint32_t count, uint32_t *first,
                       uint32_t *last, uint64_t *offset, uint64_t *size) {
  struct part_frames head = head_of(bytes);
  const struct part_frame *frames = frames_of(bytes);
  uint64_t at = head.size;
  uint32_t i = 0;
  for (; i + 1 < head.count && frames[i + 1].row <= from; i++)
    at += frames[i].stored;
  *first = i;
  *offset = at;
  *size = frames[i].stored;
  for (; i + 1 < head.count && frames[i + 1].row < from + count; i++)
    *size += frames[i + 1].stored;
  *last = i;
}

/* Rows in the making. */
struct frames_reader {
  const struct part_frame *frames;
  const uint64_t *validity; /* of the block; NULL: all present */
  uint32_t from, to;        /* rows of the block that are wanted */
  struct arena *arena;
  struct frames_pool *pool;
  ZSTD_DCtx *decompressor;
  int32_t *offsets; /* of the wanted rows */
  uint8_t *data;    /* NULL: the one frame's own bytes are taken */
  const uint8_t *borrowed;
  uint64_t used; /* bytes of data */
};

static int bad_frame(const char *what, struct err *err) {
  return err_set(err, ERR_CORRUPTION, "%s", what);
}

/* The plain bytes of a frame; into `place` if that is not NULL. */
static int plain_bytes(struct frames_reader *reader, const struct part_frame *frame,
                       const uint8_t *stored, uint8_t *place, const uint8_t **plain,
                       struct err *err) {
  if (frame->kind == PART_FRAME_RAW) {
    *plain = stored;
    return ERR_OK;
  }
  if (!place) place = arena_alloc(reader->arena, (size_t)frame->plain + 1);
  if (!place) return mem_refused(reader->arena->account, frame->plain, err);
  if (!reader->decompressor) reader->decompressor = pool_take(reader->pool);
  if (!reader->decompressor) return err_set(err, ERR_NO_MEMORY, "no memory to decompress");
  size_t size = ZSTD_decompressDCtx(reader->decompressor, place, frame->plain, stored,
                                    frame->stored - frame->padding);
  if (ZSTD_isError(size) || size != frame->plain)
    return bad_frame("a frame of payloads can't be decompressed", err);
  *plain = place;
  return ERR_OK;
}

static uint32_t present_rows(const uint64_t *validity, uint32_t from, uint32_t to) {
  if (!validity) return to - from;
  uint32_t count = 0;
  for (uint32_t i = from; i < to; i++)
    count += bit_get(validity, i);
  return count;
}

static uint32_t read_length(const uint8_t *at, uint8_t width) {
  return width == 1 ? *at : width == 2 ? load_u16(at) : load_u32(at);
}

/* Offsets of the wanted rows of a frame [first, end), counted from `base`; *skipped are the bytes
 * of the rows in front of them, *taken their own. False when lengths contradict the frame. */
static bool make_offsets(const struct frames_reader *reader, const struct part_frame *frame,
                         uint32_t first, uint32_t end, const uint8_t *plain, uint64_t base,
                         uint64_t *skipped, uint64_t *taken) {
  uint32_t present = present_rows(reader->validity, first, end);
  uint64_t lengths = (uint64_t)present * frame->width;
  if (lengths > frame->plain || (present == 0 && frame->plain)) return false;
  uint64_t bytes = frame->plain - lengths, at = 0;
  uint32_t low = first > reader->from ? first : reader->from;
  uint32_t high = end < reader->to ? end : reader->to;
  int32_t *offsets = reader->offsets + (low - reader->from);
  uint64_t equal = present ? bytes / present : 0;
  if (!frame->width && equal * present != bytes) return false;
  *skipped = 0;
  if (!frame->width && !reader->validity) {
    *skipped = (low - first) * equal;
    *taken = (high - low) * equal;
    for (uint32_t i = 0; i < high - low; i++)
      offsets[i] = (int32_t)(base + i * equal);
    return true;
  }
  for (uint32_t i = first; i < end; i++) {
    if (i == low) *skipped = at;
    if (i >= low && i < high) offsets[i - low] = (int32_t)(base + at - *skipped);
    if (i == high) *taken = at - *skipped;
    if (reader->validity && !bit_get(reader->validity, i)) continue;
    at += frame->width ? read_length(plain, frame->width) : equal;
    plain += frame->width;
  }
  if (high == end) *taken = at - *skipped;
  return at == bytes;
}

static int read_frame(struct frames_reader *reader, const struct part_frame *frame, uint32_t end,
                      const uint8_t *stored, struct err *err) {
  if (checksum64(stored, frame->stored) != frame->checksum)
    return bad_frame("a frame of payloads does not match its checksum", err);
  uint32_t present = present_rows(reader->validity, frame->row, end);
  bool whole = frame->row >= reader->from && end <= reader->to && frame->width == 0;
  uint8_t *place = reader->data && whole ? reader->data + reader->used : NULL;
  const uint8_t *plain = NULL;
  int code = plain_bytes(reader, frame, stored, place, &plain, err);
  if (code) return code;
  uint64_t skipped, taken = 0;
  if (!make_offsets(reader, frame, frame->row, end, plain, reader->used, &skipped, &taken))
    return bad_frame("lengths of payloads contradict their frame", err);
  const uint8_t *bytes = plain + (uint64_t)present * frame->width + skipped;
  if (!reader->data)
    reader->borrowed = bytes;
  else if (bytes != reader->data + reader->used)
    memcpy(reader->data + reader->used, bytes, taken);
  reader->used += taken;
  return ERR_OK;
}

/* Bits [from, from + count) of the block's. */
static int slice_validity(const uint64_t *validity, uint32_t from, uint32_t count,
                          struct arena *arena, struct column *column, struct err *err) {
  uint32_t present = present_rows(validity, from, from + count);
  if (present == count) return ERR_OK;
  size_t size = bit_words(count) * 8;
  uint64_t *bits = arena_alloc_zero(arena, size);
  if (!bits) return mem_refused(arena->account, size, err);
  for (uint32_t i = 0; i < count; i++)
    if (bit_get(validity, from + i)) bit_set(bits, i);
  column->validity = bits;
  column->null_count = count - present;
  return ERR_OK;
}

/* Room for the rows: offsets, and bytes unless one frame's own can be taken. */
static int make_room(struct frames_reader *reader, uint32_t first, uint32_t last, struct err *err) {
  uint64_t bytes = 0;
  for (uint32_t i = first; i <= last; i++)
    bytes += reader->frames[i].plain;
  if (bytes > INT32_MAX) return bad_frame("payloads of a block are too long", err);
  size_t size = ((size_t)(reader->to - reader->from) + 1) * sizeof(int32_t);
  reader->offsets = arena_alloc(reader->arena, size);
  if (!reader->offsets) return mem_refused(reader->arena->account, size, err);
  if (first == last) return ERR_OK;
  reader->data = arena_alloc(reader->arena, (size_t)bytes + 1);
  return reader->data ? ERR_OK : mem_refused(reader->arena->account, (size_t)bytes, err);
}

int part_frames_read(const uint8_t *bytes, const uint8_t *frames, uint32_t first, uint32_t last,
                     uint32_t from, uint32_t count, struct frames_pool *pool, struct arena *arena,
                     struct column *column, struct err *err) {
  struct part_frames head = head_of(bytes);
  struct frames_reader reader = {.frames = frames_of(bytes),
                                 .validity = validity_of(bytes),
                                 .from = from,
                                 .to = from + count,
                                 .arena = arena,
                                 .pool = pool};
  *column = (struct column){.type = TYPE_BYTES, .length = count};
  int code = make_room(&reader, first, last, err);
  for (uint32_t i = first; i <= last && !code; i++) {
    uint32_t end = i + 1 < head.count ? reader.frames[i + 1].row : head.rows;
    code = read_frame(&reader, &reader.frames[i], end, frames, err);
    frames += reader.frames[i].stored;
  }
  if (!code && reader.validity)
    code = slice_validity(reader.validity, from, count, arena, column, err);
  pool_give(pool, reader.decompressor);
  if (code) return code;
  reader.offsets[count] = (int32_t)reader.used;
  column->offsets = reader.offsets;
  column->data = (const char *)(reader.data ? reader.data : reader.borrowed);
  return ERR_OK;
}
