/* Entries of a few words each, in the order in which they came: what keeps all values is made of
 * it. Entries lie in blocks that double; a word may be the address of a text. */
#include "base/err.h"
#include "exec/aggregate_kind_private.h"

enum { BLOCK_MIN = 8, BLOCK_MAX = 8192 };

static struct kept_block *next_block(struct arena *arena, struct kept *kept, uint32_t stride) {
  struct kept_block *block = kept->last;
  if (block && block->count < block->capacity) return block;
  struct kept_block *next = block ? block->next : kept->first;
  if (!next) {
    uint32_t capacity = block ? block->capacity * 2 : BLOCK_MIN;
    if (capacity > BLOCK_MAX) capacity = BLOCK_MAX;
    next = arena_alloc(arena, sizeof *next + (size_t)capacity * stride * 8);
    if (!next) return NULL;
    *next = (struct kept_block){.capacity = capacity};
    if (block)
      block->next = next;
    else
      kept->first = next;
  }
  kept->last = next;
  return next;
}

uint64_t *aggregate__keep_entry(struct arena *arena, struct kept *kept, uint32_t stride) {
  struct kept_block *block = next_block(arena, kept, stride);
  if (!block) return NULL;
  kept->count++;
  return block->words + (size_t)block->count++ * stride;
}

bool aggregate__keep_words(struct arena *arena, struct kept *kept, const uint64_t *words,
                           size_t count) {
  while (count) {
    struct kept_block *block = next_block(arena, kept, 1);
    if (!block) return false;
    size_t size = block->capacity - block->count;
    if (size > count) size = count;
    memcpy(block->words + block->count, words, size * 8);
    block->count += (uint32_t)size;
    kept->count += size;
    words += size;
    count -= size;
  }
  return true;
}

uint64_t aggregate__keep_text(struct arena *arena, struct str text) {
  if (text.size > INT32_MAX) return 0;
  struct kept_text *copy = arena_alloc(arena, sizeof *copy + text.size);
  if (!copy) return 0;
  copy->size = (uint32_t)text.size;
  if (text.size) memcpy(copy->data, text.data, text.size);
  return (uint64_t)(uintptr_t)copy;
}

void aggregate__kept_gather(const struct kept *kept, uint32_t stride, uint64_t *out) {
  for (const struct kept_block *block = kept->first; block; block = block->next) {
    memcpy(out, block->words, (size_t)block->count * stride * 8);
    out += (size_t)block->count * stride;
  }
}

void aggregate__kept_replace(struct kept *kept, uint32_t stride, const uint64_t *words,
                             uint64_t count) {
  kept->count = count;
  kept->last = NULL;
  for (struct kept_block *block = kept->first; block; block = block->next) {
    block->count = count < block->capacity ? (uint32_t)count : block->capacity;
    if (block->count || !kept->last) kept->last = block;
    if (block->count) memcpy(block->words, words, (size_t)block->count * stride * 8);
    words += (size_t)block->count * stride;
    count -= block->count;
  }
}

static bool copy_entry(struct arena *arena, struct kept *kept, const uint64_t *entry,
                       uint32_t stride, const bool *texts) {
  uint64_t *copy = aggregate__keep_entry(arena, kept, stride);
  if (!copy) return false;
  for (uint32_t i = 0; i < stride; i++) {
    copy[i] = entry[i];
    if (!texts[i] || !entry[i]) continue;
    copy[i] = aggregate__keep_text(arena, kept_str(entry[i]));
    if (!copy[i]) return false;
  }
  return true;
}

bool aggregate__kept_merge(struct arena *arena, struct kept *kept, const struct kept *other,
                           uint32_t stride, const bool *texts) {
  bool plain = stride == 1 && !texts[0];
  for (const struct kept_block *block = other->first; block; block = block->next) {
    if (plain && !aggregate__keep_words(arena, kept, block->words, block->count)) return false;
    for (uint32_t i = 0; !plain && i < block->count; i++)
      if (!copy_entry(arena, kept, block->words + (size_t)i * stride, stride, texts)) return false;
  }
  return true;
}

void aggregate__kept_save(const struct kept *kept, uint32_t stride, const bool *texts,
                          struct buffer *out) {
  buffer_append(out, &kept->count, 8);
  for (const struct kept_block *block = kept->first; block; block = block->next) {
    for (size_t i = 0; i < (size_t)block->count * stride; i++) {
      if (!texts[i % stride] || !block->words[i]) {
        buffer_append(out, &block->words[i], 8);
        continue;
      }
      struct str text = kept_str(block->words[i]);
      uint64_t size = text.size + 1; /* 0: no text */
      buffer_append(out, &size, 8);
      buffer_append_str(out, text);
    }
  }
}

static int load_text(const struct aggregate_function *function, struct arena *arena, uint64_t *word,
                     struct str *bytes, struct err *err) {
  if (*word == 0) return ERR_OK;
  size_t size = *word - 1;
  const char *data = aggregate__take(bytes, size);
  if (!data) return aggregate__torn(err);
  *word = aggregate__keep_text(arena, (struct str){data, size});
  return *word ? ERR_OK : aggregate__refused(function, size, err);
}

int aggregate__kept_load(const struct aggregate_function *function, struct arena *arena,
                         struct kept *kept, uint32_t stride, const bool *texts, struct str *bytes,
                         struct err *err) {
  uint64_t count;
  const void *at = aggregate__take(bytes, 8);
  if (!at) return aggregate__torn(err);
  memcpy(&count, at, 8);
  for (uint64_t i = 0; i < count; i++) {
    uint64_t *entry = aggregate__keep_entry(arena, kept, stride);
    if (!entry) return aggregate__refused(function, stride * 8, err);
    for (uint32_t w = 0; w < stride; w++) {
      at = aggregate__take(bytes, 8);
      if (!at) return aggregate__torn(err);
      memcpy(&entry[w], at, 8);
      int code = texts[w] ? load_text(function, arena, &entry[w], bytes, err) : ERR_OK;
      if (code) return code;
    }
  }
  return ERR_OK;
}
