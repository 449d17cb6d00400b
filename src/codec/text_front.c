/* Ascending strings: of each, how many bytes it shares with the one before, and the rest. The first
 * of every 1,024 shares nothing, so that a vector is decoded alone. */
#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"
#include "codec/nested.h"

static size_t shared_with(struct str a, struct str b) {
  size_t most = a.size < b.size ? a.size : b.size, size = 0;
  while (size < most && a.data[size] == b.data[size])
    size++;
  return size;
}

static size_t shared_at(const struct text_job *job, size_t i) {
  return i % CODEC_VECTOR ? shared_with(job->texts[i - 1], job->texts[i]) : 0;
}

size_t codec__shared_bytes(const struct text_job *job) {
  size_t all = 0;
  for (size_t i = 1; i < job->count; i++) {
    size_t shared = shared_with(job->texts[i - 1], job->texts[i]);
    struct str before = job->texts[i - 1], text = job->texts[i];
    bool ascending =
        shared == before.size ||
        (shared < text.size && (uint8_t)before.data[shared] < (uint8_t)text.data[shared]);
    if (!ascending) return 0;
    if (i % CODEC_VECTOR) all += shared;
  }
  return all;
}

int codec__put_front(const struct text_job *job, struct buffer *out, size_t position, size_t *size,
                     struct err *err) {
  struct nested_frame frame = {0};
  size_t prefixes_size = job->count * 8, rests_size = job->count * sizeof(struct str);
  size_t inner = 0;
  char *memory = mem_alloc(out->account, prefixes_size + rests_size);
  if (!memory) return mem_refused(out->account, prefixes_size + rests_size, err);
  uint64_t *prefixes = (uint64_t *)(void *)memory;
  struct str *rests = (struct str *)(void *)(memory + prefixes_size);
  struct text_job rest = *job;
  rest.texts = rests;
  for (size_t i = 0; i < job->count; i++) {
    prefixes[i] = shared_at(job, i);
    rests[i] = str_of(job->texts[i].data + prefixes[i], job->texts[i].size - prefixes[i]);
    rest.total -= prefixes[i];
  }
  int code = ERR_OK;
  uint8_t *start = buffer_reserve(out, position + sizeof frame + codec__nested_max(job->count));
  if (start) {
    struct codec_writer writer = {start, start + position + sizeof frame};
    codec__put_nested(job->loops, TYPE_UINT64, prefixes, job->count, job->level, NULL, &writer);
    frame.size = (uint32_t)((size_t)(writer.at - start) - position - sizeof frame);
    memcpy(start + position, &frame, sizeof frame);
    code = codec__put_text_image(&rest, TYPE_BYTES, false, out,
                                 position + sizeof frame + frame.size, &inner, err);
  } else {
    code = buffer_check(out, err);
  }
  *size = sizeof frame + frame.size + inner;
  mem_free(out->account, memory, prefixes_size + rests_size);
  return code;
}

/* ---- reading ---- */

int codec__open_front(const struct codec_image *image, struct err *err) {
  struct codec_image prefixes, rests;
  int code = codec__open_pair(image, CODEC_ROWS_MAX, &prefixes, &rests, err);
  if (!code && prefixes.rows != image->values)
    return codec__damaged(image, "prefixes of other strings", err);
  return code;
}

/* Places of the strings, which must not share more than the one before has. */
static int find_places(const struct codec_image *image, const uint64_t *prefixes,
                       const struct column *rests, uint32_t count, uint32_t *places,
                       struct err *err) {
  uint64_t place = 0, before = 0;
  places[0] = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint64_t most = i % CODEC_VECTOR ? before : 0;
    if (prefixes[i] > most) return codec__damaged(image, "a prefix of more than there is", err);
    before = prefixes[i] + column_str(rests, i).size;
    place += before;
    if (place > INT32_MAX)
      return err_set(err, ERR_LIMIT_EXCEEDED, "strings of more than 2 GiB in one block");
    places[i + 1] = (uint32_t)place;
  }
  return ERR_OK;
}

int codec__decode_front(const struct codec_image *image, uint32_t from, uint32_t to,
                        struct arena *arena, int32_t *offsets, char **data, struct err *err) {
  struct codec_image prefixes_image, rests_image;
  struct column rests;
  uint32_t first = from / CODEC_VECTOR * CODEC_VECTOR, count = to - first;
  size_t places_size = ((size_t)count + 1) * sizeof(uint32_t);
  int code = codec__open_pair(image, CODEC_ROWS_MAX, &prefixes_image, &rests_image, err);
  if (code) return code;
  uint64_t *prefixes = arena_alloc(arena, (size_t)count * 8 + places_size);
  if (!prefixes) return mem_refused(arena->account, (size_t)count * 8 + places_size, err);
  uint32_t *places = (uint32_t *)(prefixes + count);
  code = codec_decode_into(&prefixes_image, first, count, prefixes, NULL, NULL, err);
  if (!code) code = codec_decode(&rests_image, first, count, arena, &rests, err);
  if (!code) code = find_places(image, prefixes, &rests, count, places, err);
  if (code) return code;
  char *bytes = arena_alloc(arena, (size_t)places[count] + 1);
  if (!bytes) return mem_refused(arena->account, (size_t)places[count] + 1, err);
  for (uint32_t i = 0; i < count; i++) {
    struct str rest = column_str(&rests, i);
    size_t shared = (size_t)prefixes[i];
    if (shared) memcpy(bytes + places[i], bytes + places[i - 1], shared);
    if (rest.size) memcpy(bytes + places[i] + shared, rest.data, rest.size);
  }
  const uint32_t *wanted = places + (from - first);
  *data = bytes + wanted[0];
  for (uint32_t i = 0; i <= to - from; i++)
    offsets[i] = (int32_t)(wanted[i] - wanted[0]);
  return ERR_OK;
}
