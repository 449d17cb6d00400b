/* Numbers through zstd, where a table's policy asks for the smallest: zstd finds what repeats over
 * a distance, which residuals of a few bits do not show.
 *
 * Three forms are tried: the values' bytes as they are; and the integers that the values are, or
 * the decimals' (as CODEC_DECIMAL_FOR has them), above a multiple of 256 or as differences, cut
 * into planes: all lowest bytes, then all second bytes and so on, so that what hardly changes lies
 * together. A frame is decoded from its beginning whatever is asked for; nothing is kept of it but
 * what is. */
#include "codec/planes.h"

#include <zstd.h>

#include "base/err.h"
#include "base/memory.h"

enum {
  FORM_VALUES = 0,
  FORM_INTEGERS = 1,
  FORM_DIFFERENCES = 2,
  FORMS = 3,
  NO_EXPONENT = 255,            /* the integers are the values */
  ZSTD_LEVEL = 3,               /* higher ones gain less than a hundredth here */
  ZSTD_WORKSPACE = 1024 * 1024, /* what a compression of this size takes, about */
  WINDOW_LOG_MAX = 17,          /* a frame holds 64 KiB at most */
  SAVING_MIN = 64,              /* a 64th of the bytes: zstd is decoded more slowly */
  CHUNK = 4096,
};

struct planes_frame {
  uint8_t form, exponent;
  uint16_t exceptions;
  uint32_t stored; /* bytes of the zstd frame */
  uint8_t planes;
  uint8_t zero[7];
};
_Static_assert(sizeof(struct planes_frame) == 16, "stored");

static size_t vectors_of(size_t count) { return (count + CODEC_VECTOR - 1) / CODEC_VECTOR; }

static size_t bases_of(unsigned form, size_t count) {
  return form == FORM_VALUES ? 0 : form == FORM_INTEGERS ? 1 : vectors_of(count);
}

/* ---- writing ---- */

/* What is tried, in memory of its own. */
struct trial {
  const struct codec_loops *loops;
  size_t count;
  const uint64_t *values;   /* as they are */
  const uint64_t *integers; /* NULL: none */
  uint64_t flip;            /* makes integers compare as unsigned ones */
  struct planes_frame frame;
  uint64_t bases[VECTORS_MAX];
  uint64_t *fields;
  uint8_t *planes, *compressed;
  size_t bound;
};

static void make_fields(struct trial *trial) {
  const uint64_t *x = trial->integers;
  uint64_t min, max;
  if (trial->frame.form == FORM_INTEGERS) {
    trial->loops->range(x, trial->count, trial->flip, &min, &max);
    trial->bases[0] = (min ^ trial->flip) & ~UINT64_C(0xff); /* low bytes stay what they are */
    for (size_t i = 0; i < trial->count; i++)
      trial->fields[i] = x[i] - trial->bases[0];
    return;
  }
  for (size_t i = 0; i < trial->count; i++) {
    bool first = i % CODEC_VECTOR == 0;
    int64_t difference = first ? 0 : (int64_t)(x[i] - x[i - 1]);
    if (first) trial->bases[i / CODEC_VECTOR] = x[i];
    trial->fields[i] = (uint64_t)difference << 1 ^ (uint64_t)(difference >> 63);
  }
}

static void make_planes(struct trial *trial) {
  uint64_t all = 0;
  for (size_t i = 0; i < trial->count; i++)
    all |= trial->fields[i];
  trial->frame.planes = (uint8_t)((codec__width(all) + 7) / 8);
  if (!trial->frame.planes) trial->frame.planes = 1;
  for (unsigned p = 0; p < trial->frame.planes; p++)
    for (size_t i = 0; i < trial->count; i++)
      trial->planes[p * trial->count + i] = (uint8_t)(trial->fields[i] >> 8 * p);
}

/* Compresses a form; false when zstd can't. */
static bool compress(struct trial *trial, unsigned form) {
  const void *bytes = trial->values;
  size_t size = trial->count * 8;
  trial->frame.form = (uint8_t)form;
  trial->frame.planes = 8;
  if (form != FORM_VALUES) {
    make_fields(trial);
    make_planes(trial);
    bytes = trial->planes;
    size = trial->count * trial->frame.planes;
  }
  size_t stored = ZSTD_compress(trial->compressed, trial->bound, bytes, size, ZSTD_LEVEL);
  if (ZSTD_isError(stored)) return false;
  trial->frame.stored = (uint32_t)stored;
  return true;
}

static size_t size_of(const struct trial *trial) {
  const struct planes_frame *frame = &trial->frame;
  size_t exceptions = frame->form == FORM_VALUES ? 0 : frame->exceptions;
  return sizeof *frame + bases_of(frame->form, trial->count) * 8 + codec__align(frame->stored) +
         codec__align(exceptions * 10);
}

static void put_trial(const struct trial *trial, const uint16_t *positions,
                      struct codec_writer *writer) {
  struct planes_frame frame = trial->frame;
  if (frame.form == FORM_VALUES) {
    frame.exponent = NO_EXPONENT;
    frame.exceptions = 0;
  }
  codec__put(writer, &frame, sizeof frame);
  codec__put(writer, trial->bases, bases_of(frame.form, trial->count) * 8);
  codec__put(writer, trial->compressed, frame.stored);
  codec__put_padding(writer);
  for (size_t i = 0; i < frame.exceptions; i++)
    codec__put(writer, &trial->values[positions[i]], 8);
  codec__put(writer, positions, frame.exceptions * sizeof *positions);
  codec__put_padding(writer);
}

/* The forms, one after another, and the best of them again. */
static bool put_best(struct trial *trial, const uint16_t *positions, size_t limit,
                     struct codec_writer *writer) {
  unsigned best = FORMS, last = FORMS;
  for (unsigned form = 0; form < FORMS; form++) {
    if (form != FORM_VALUES && !trial->integers) continue;
    if (!compress(trial, last = form)) return false;
    if (size_of(trial) > limit) continue;
    limit = size_of(trial) - 1;
    best = form;
  }
  if (best == FORMS || (best != last && !compress(trial, best))) return false;
  put_trial(trial, positions, writer);
  return true;
}

bool codec__put_planes(const struct codec_loops *loops, struct type type, const uint64_t *values,
                       size_t count, size_t limit, struct mem_account *account,
                       struct codec_writer *writer) {
  size_t bound = ZSTD_compressBound(count * 8);
  size_t size = count * (8 + 8 + 8 + 2) + bound;
  bool real = type.physical == PHYSICAL_FLOAT64;
  limit -= limit / SAVING_MIN;
  if (mem_charge(account, ZSTD_WORKSPACE)) return false;
  uint64_t *memory = mem_alloc(account, size);
  bool taken = false;
  if (memory) {
    uint8_t *planes = (uint8_t *)(memory + 2 * count);
    uint16_t *positions = (uint16_t *)(void *)(planes + 8 * count);
    struct trial trial = {.loops = loops,
                          .count = count,
                          .values = values,
                          .flip =
                              real || type.physical == PHYSICAL_INT64 ? FLIP_SIGNED : FLIP_UNSIGNED,
                          .frame = {.exponent = NO_EXPONENT},
                          .fields = memory + count,
                          .planes = planes,
                          .compressed = (uint8_t *)(positions + count),
                          .bound = bound};
    unsigned exponent;
    size_t exceptions;
    if (!real) {
      trial.integers = values;
    } else if (codec__decimals_of(loops, values, count, memory, positions, &exponent,
                                  &exceptions)) {
      trial.integers = memory;
      trial.frame.exponent = (uint8_t)exponent;
      trial.frame.exceptions = (uint16_t)exceptions;
    }
    taken = put_best(&trial, positions, limit, writer);
    mem_free(account, memory, size);
  }
  mem_discharge(account, ZSTD_WORKSPACE);
  return taken;
}

/* ---- reading ---- */

struct planes_image {
  struct planes_frame frame;
  const uint8_t *bases, *stored, *exceptions;
};

static int open_planes(const struct codec_image *image, struct planes_image *planes,
                       struct err *err) {
  struct codec_bytes bytes = {image->payload, image->payload_size};
  struct planes_frame *frame = &planes->frame;
  const uint8_t *taken;
  if (!codec__take(&bytes, sizeof *frame, &taken))
    return codec__damaged(image, "no room for the frame", err);
  memcpy(frame, taken, sizeof *frame);
  bool real = image->type.physical == PHYSICAL_FLOAT64;
  if (frame->form >= FORMS || frame->planes == 0 || frame->planes > 8 ||
      (frame->form == FORM_VALUES && frame->planes != 8))
    return codec__damaged(image, "an impossible form", err);
  if (frame->exponent != NO_EXPONENT &&
      (!real || frame->form == FORM_VALUES || frame->exponent > EXPONENT_MAX))
    return codec__damaged(image, "an impossible exponent", err);
  if (!codec__take(&bytes, bases_of(frame->form, image->values) * 8, &planes->bases) ||
      !codec__take(&bytes, frame->stored, &planes->stored))
    return codec__damaged(image, "no room for the values", err);
  size_t padding = codec__align(frame->stored) - frame->stored;
  if (!codec__take(&bytes, padding, &taken) ||
      !codec__take(&bytes, frame->exceptions * (size_t)10, &planes->exceptions))
    return codec__damaged(image, "no room for the exceptions", err);
  if (ZSTD_getFrameContentSize(planes->stored, frame->stored) !=
      (unsigned long long)image->values * frame->planes)
    return codec__damaged(image, "a frame of another size", err);
  return ERR_OK;
}

int codec__open_planes(const struct codec_image *image, struct err *err) {
  struct planes_image planes;
  return open_planes(image, &planes, err);
}

/* Values [from, to) that are gathered from a frame, and those before `from` in its vector. */
struct gathering {
  uint32_t from, to, count, begin; /* begin: where `head` begins */
  uint64_t *head, *values;
};

static uint64_t *place_of(const struct gathering *gathering, size_t i) {
  return i < gathering->from ? &gathering->head[i - gathering->begin]
                             : &gathering->values[i - gathering->from];
}

/* Bytes [at, at + size) of values that are stored whole. */
static void gather_values(const struct gathering *gathering, size_t at, const uint8_t *bytes,
                          size_t size) {
  size_t first = (size_t)gathering->from * 8, end = (size_t)gathering->to * 8;
  if (at < first) {
    size_t before = first - at < size ? first - at : size;
    at += before;
    bytes += before;
    size -= before;
  }
  if (at >= end || size == 0) return;
  memcpy((uint8_t *)gathering->values + (at - first), bytes, size < end - at ? size : end - at);
}

/* The same of planes. */
static void gather_planes(const struct gathering *gathering, size_t at, const uint8_t *bytes,
                          size_t size) {
  for (size_t done = 0, run; done < size; done += run, at += run) {
    size_t plane = at / gathering->count, i = at % gathering->count;
    run = gathering->count - i < size - done ? gathering->count - i : size - done;
    size_t first = i < gathering->begin ? gathering->begin : i;
    size_t end = i + run < gathering->to ? i + run : gathering->to;
    for (size_t j = first; j < end; j++)
      *place_of(gathering, j) |= (uint64_t)bytes[done + (j - i)] << 8 * plane;
  }
}

static bool inflate(const struct planes_image *planes, const struct gathering *gathering,
                    ZSTD_DCtx *context) {
  uint8_t chunk[CHUNK];
  bool whole = planes->frame.form == FORM_VALUES;
  size_t total = (size_t)gathering->count * planes->frame.planes, at = 0;
  size_t needed = whole ? (size_t)gathering->to * 8 : total;
  ZSTD_inBuffer in = {planes->stored, planes->frame.stored, 0};
  while (at < needed) {
    ZSTD_outBuffer out = {chunk, sizeof chunk, 0};
    size_t before = in.pos, left = ZSTD_decompressStream(context, &out, &in);
    bool stands_still = out.pos == 0 && in.pos == before;
    if (ZSTD_isError(left) || stands_still || out.pos > total - at) return false;
    if (whole)
      gather_values(gathering, at, chunk, out.pos);
    else
      gather_planes(gathering, at, chunk, out.pos);
    at += out.pos;
  }
  return true;
}

/* Fields to integers, in place. */
static void undo(const struct planes_image *planes, const struct gathering *gathering) {
  uint64_t base, x = 0;
  if (planes->frame.form == FORM_INTEGERS) {
    memcpy(&base, planes->bases, 8);
    for (uint32_t i = 0; i < gathering->to - gathering->from; i++)
      gathering->values[i] += base;
    return;
  }
  for (size_t i = gathering->begin; i < gathering->to; i++) {
    uint64_t *place = place_of(gathering, i), field = *place;
    if (i % CODEC_VECTOR == 0)
      memcpy(&x, planes->bases + i / CODEC_VECTOR * 8, 8);
    else
      x += field >> 1 ^ (0 - (field & 1));
    *place = x;
  }
}

static int patch(const struct codec_image *image, const struct planes_image *planes, uint32_t from,
                 uint32_t to, uint64_t *values, struct err *err) {
  size_t count = planes->frame.exceptions;
  for (size_t i = 0; i < count; i++) {
    uint16_t position;
    memcpy(&position, planes->exceptions + count * 8 + i * 2, 2);
    if (position >= image->values)
      return codec__damaged(image, "an exception beyond the values", err);
    if (position >= from && position < to)
      memcpy(&values[position - from], planes->exceptions + i * 8, 8);
  }
  return ERR_OK;
}

int codec__decode_planes(const struct codec_image *image, uint32_t from, uint32_t to,
                         uint64_t *values, struct err *err) {
  struct planes_image planes;
  uint64_t head[CODEC_VECTOR] = {0};
  int code = open_planes(image, &planes, err);
  if (code) return code;
  ZSTD_DCtx *context = ZSTD_createDCtx();
  if (!context) return err_set(err, ERR_NO_MEMORY, "no memory to decompress a column");
  bool differences = planes.frame.form == FORM_DIFFERENCES;
  struct gathering gathering = {
      from, to, image->values, differences ? from - from % CODEC_VECTOR : from, head, values};
  memset(values, 0, (to - from) * sizeof *values);
  bool whole =
      !ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX)) &&
      inflate(&planes, &gathering, context);
  ZSTD_freeDCtx(context);
  if (!whole) return codec__damaged(image, "a frame that can't be decompressed", err);
  if (planes.frame.form != FORM_VALUES) undo(&planes, &gathering);
  if (planes.frame.exponent != NO_EXPONENT)
    codec__loops()->undecimal(values, to - from, codec__power(planes.frame.exponent));
  return patch(image, &planes, from, to, values, err);
}
