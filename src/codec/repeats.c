/* Numbers that repeat: the value of each run, and the lengths of the runs, an image each. Reading a
 * run is filling memory, and a kernel on it takes one step. */
#include "codec/nested.h"

#include "base/err.h"

struct scratch {
  uint64_t values[REPEATS_MAX];
  uint64_t lengths[REPEATS_MAX];
  uint8_t floats[REPEATS_MAX * 18 + 64]; /* codec__float_scratch */
};

size_t codec__repeats_scratch(void) { return sizeof(struct scratch) + 8; }

/* How many runs there are; REPEATS_MAX + 1 stands for more than so many. */
static size_t find_runs(const uint64_t *values, size_t count, struct scratch *scratch) {
  size_t runs = 0, start = 0;
  for (size_t i = 1; i <= count; i++) {
    if (i < count && values[i] == values[i - 1]) continue;
    if (runs == REPEATS_MAX) return REPEATS_MAX + 1;
    scratch->values[runs] = values[i - 1];
    scratch->lengths[runs++] = i - start;
    start = i;
  }
  return runs;
}

bool codec__put_repeats(const struct codec_loops *loops, struct type type, const uint64_t *values,
                        size_t count, enum codec_level level, size_t limit, void *memory,
                        struct codec_writer *writer) {
  struct scratch *scratch = (struct scratch *)codec__align((uintptr_t)memory);
  size_t sampled = count < 256 ? count : 256, changes = 0;
  for (size_t i = 1; i < sampled; i++) /* most columns are done with here */
    changes += values[i] != values[i - 1];
  if (changes * 2 > sampled) return false;
  size_t runs = find_runs(values, count, scratch);
  if (runs > REPEATS_MAX || runs * 4 > count) return false;
  struct nested_frame frame = {.count = (uint32_t)runs};
  struct codec_writer start = *writer;
  type.logical = 0;
  type.parameter = 0;
  writer->at += sizeof frame;
  const uint8_t *image = writer->at;
  codec__put_nested(loops, type, scratch->values, runs, level, scratch->floats, writer);
  frame.size = (uint32_t)(writer->at - image);
  codec__put_nested(loops, TYPE_UINT64, scratch->lengths, runs, level, NULL, writer);
  memcpy(start.at, &frame, sizeof frame);
  return (size_t)(writer->at - start.at) <= limit;
}

int codec__open_repeats(const struct codec_image *image, struct err *err) {
  struct codec_image values, lengths;
  return codec__open_pair(image, REPEATS_MAX, &values, &lengths, err);
}

int codec__each_run(const struct codec_image *image, uint32_t from, uint32_t to,
                    codec_visit_run *visit, void *context, struct err *err) {
  struct codec_image values, lengths;
  VECTOR_ALIGNED uint64_t value[CODEC_VECTOR], length[CODEC_VECTOR];
  uint64_t at = 0;
  int code = codec__open_pair(image, REPEATS_MAX, &values, &lengths, err);
  for (uint32_t first = 0; !code && first < values.rows; first += CODEC_VECTOR) {
    uint32_t count = values.rows - first < CODEC_VECTOR ? values.rows - first : CODEC_VECTOR;
    code = codec_decode_into(&values, first, count, value, NULL, NULL, err);
    if (!code) code = codec_decode_into(&lengths, first, count, length, NULL, NULL, err);
    for (uint32_t i = 0; !code && i < count; i++) {
      if (length[i] == 0 || length[i] > image->values - at)
        return codec__damaged(image, "runs that do not add up", err);
      uint64_t start = at > from ? at : from, end = at + length[i] < to ? at + length[i] : to;
      if (start < end) code = visit(context, value[i], (uint32_t)start, (uint32_t)(end - start));
      at += length[i];
    }
  }
  if (!code && at != image->values) return codec__damaged(image, "runs that do not add up", err);
  return code;
}

struct target {
  uint64_t *values;
  uint32_t from;
};

static int fill(void *context, uint64_t value, uint32_t from, uint32_t count) {
  const struct target *target = context;
  uint64_t *values = target->values + (from - target->from);
  for (uint32_t i = 0; i < count; i++)
    values[i] = value;
  return ERR_OK;
}

int codec__decode_repeats(const struct codec_image *image, uint32_t from, uint32_t to,
                          uint64_t *values, struct err *err) {
  struct target target = {values, from};
  return codec__each_run(image, from, to, fill, &target, err);
}
