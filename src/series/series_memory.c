/* A generation of the active cache: tag sets as codes of interned values.
 *
 * Per series: an entry of 24 bytes, a word and two words a tag, and about six bytes of hash slot:
 * some 50 bytes for two tags, whatever the length of their values. Looking one up hashes the
 * canonical bytes once and compares them with the interned values; nothing is allocated. A
 * generation is thrown away whole. */
#include <string.h>

#include "series/series_private.h"

enum { STRINGS_CHUNK = 512, FIRST_ENTRIES = 4, FIRST_SLOTS = 8 };

bool series__tags_next(struct reader *reader, struct series_tag *tag) {
  if (reader_left(reader) == 0) return false;
  tag->column = (uint32_t)reader_varint(reader);
  tag->value = reader_sized(reader);
  return !reader->failed;
}

bool series__tags_valid(struct str tags) {
  struct reader reader = reader_of(tags.data, tags.size);
  uint64_t before = 0;
  while (reader_left(&reader)) {
    uint64_t column = reader_varint(&reader);
    struct str value = reader_sized(&reader);
    if (reader.failed || column <= before || column > UINT32_MAX || value.size == 0) return false;
    before = column;
  }
  return !reader.failed;
}

struct series_memory *series__memory_create(struct mem_account *account) {
  struct series_memory *memory = mem_alloc_zero(account, sizeof *memory);
  if (!memory) return NULL;
  memory->account = account;
  arena_init(&memory->strings, account, STRINGS_CHUNK);
  return memory;
}

void series__memory_destroy(struct series_memory *memory) {
  if (!memory) return;
  for (uint32_t i = 0; i < memory->tag_count; i++) {
    struct series_values *tag = &memory->tags[i];
    str_table_deinit(&tag->codes);
    mem_free(memory->account, tag->values, tag->capacity * sizeof *tag->values);
  }
  mem_free(memory->account, memory->tags, memory->tag_capacity * sizeof *memory->tags);
  mem_free(memory->account, memory->entries, memory->entry_capacity * sizeof *memory->entries);
  mem_free(memory->account, memory->words, memory->word_capacity * sizeof *memory->words);
  mem_free(memory->account, memory->slots, memory->slot_count * sizeof *memory->slots);
  arena_deinit(&memory->strings);
  mem_free(memory->account, memory, sizeof *memory);
}

size_t series__memory_bytes(const struct series_memory *memory) {
  if (!memory) return 0;
  size_t bytes = memory->entry_capacity * sizeof *memory->entries +
                 memory->word_capacity * sizeof *memory->words +
                 memory->slot_count * sizeof *memory->slots;
  for (uint32_t i = 0; i < memory->tag_count; i++) {
    const struct series_values *tag = &memory->tags[i];
    bytes += tag->capacity * sizeof *tag->values + tag->codes.capacity * sizeof *tag->codes.slots;
    for (uint32_t v = 0; v < tag->count; v += 64) /* a sample: values of one tag are alike */
      bytes += tag->values[v].size * 64;
  }
  return bytes;
}

/* Grows an array of `size`-byte items to hold `count`; false when refused. */
static bool grow(struct mem_account *account, void **list, uint32_t count, uint32_t *capacity,
                 size_t size, uint32_t first) {
  if (count <= *capacity) return true;
  uint32_t wanted = *capacity ? *capacity : first;
  while (wanted < count)
    wanted *= 2;
  void *grown = mem_resize(account, *list, *capacity * size, wanted * size);
  if (!grown) return false;
  *list = grown;
  *capacity = wanted;
  return true;
}

int64_t series__memory_tag(const struct series_memory *memory, uint32_t column) {
  for (uint32_t i = 0; i < memory->tag_count; i++)
    if (memory->tags[i].column == column) return i;
  return -1;
}

/* The index of a tag, added if need be; -1 when refused. */
static int64_t tag_ensure(struct series_memory *memory, uint32_t column) {
  int64_t found = series__memory_tag(memory, column);
  if (found >= 0) return found;
  if (!grow(memory->account, (void **)&memory->tags, memory->tag_count + 1, &memory->tag_capacity,
            sizeof *memory->tags, 2))
    return -1;
  struct series_values *tag = &memory->tags[memory->tag_count];
  *tag = (struct series_values){.column = column};
  str_table_init(&tag->codes, memory->account, false, 0);
  return memory->tag_count++;
}

static uint32_t value_code(struct series_memory *memory, struct series_values *tag,
                           struct str value) {
  uint64_t *known = str_table_find(&tag->codes, value);
  if (known) return (uint32_t)*known;
  struct str copy = arena_copy(&memory->strings, value);
  if (!copy.data || !grow(memory->account, (void **)&tag->values, tag->count + 1, &tag->capacity,
                          sizeof *tag->values, 2))
    return 0;
  uint64_t *slot = str_table_insert(&tag->codes, copy, NULL);
  if (!slot) return 0;
  tag->values[tag->count++] = copy;
  *slot = tag->count;
  return tag->count;
}

static bool entry_equals(const struct series_memory *memory, const struct series_entry *entry,
                         struct str tags) {
  const uint32_t *words = memory->words + entry->word;
  uint32_t count = *words++;
  struct reader reader = reader_of(tags.data, tags.size);
  struct series_tag tag;
  for (uint32_t i = 0; i < count; i++, words += 2) {
    const struct series_values *values = &memory->tags[words[0]];
    if (!series__tags_next(&reader, &tag) || values->column != tag.column ||
        !str_equal(values->values[words[1] - 1], tag.value))
      return false;
  }
  return reader_left(&reader) == 0;
}

int64_t series__memory_find(const struct series_memory *memory, struct str tags, uint64_t hash) {
  if (!memory || memory->slot_count == 0) return -1;
  uint32_t mask = memory->slot_count - 1, top = (uint32_t)(hash >> 32);
  for (uint32_t i = top & mask; memory->slots[i]; i = (i + 1) & mask) {
    uint32_t at = memory->slots[i] - 1;
    if (memory->entries[at].hash == top && entry_equals(memory, &memory->entries[at], tags))
      return at;
  }
  return -1;
}

static bool slots_room(struct series_memory *memory) {
  if ((memory->entry_count + 1) * 4u <= memory->slot_count * 3u) return true;
  uint32_t count = memory->slot_count ? memory->slot_count * 2 : FIRST_SLOTS;
  uint32_t *slots = mem_alloc_zero(memory->account, count * sizeof *slots);
  if (!slots) return false;
  for (uint32_t e = 0; e < memory->entry_count; e++) {
    uint32_t i = memory->entries[e].hash & (count - 1);
    while (slots[i])
      i = (i + 1) & (count - 1);
    slots[i] = e + 1;
  }
  mem_free(memory->account, memory->slots, memory->slot_count * sizeof *slots);
  memory->slots = slots;
  memory->slot_count = count;
  return true;
}

int64_t series__memory_add(struct series_memory *memory, struct str tags, uint64_t hash,
                           uint64_t id, uint64_t commit) {
  if (!slots_room(memory) ||
      !grow(memory->account, (void **)&memory->entries, memory->entry_count + 1,
            &memory->entry_capacity, sizeof *memory->entries, FIRST_ENTRIES))
    return -1;
  uint32_t start = memory->word_count, at = start + 1, count = 0;
  struct reader reader = reader_of(tags.data, tags.size);
  struct series_tag tag;
  if (!grow(memory->account, (void **)&memory->words, at, &memory->word_capacity, 4, 8)) return -1;
  for (; series__tags_next(&reader, &tag); count++, at += 2) {
    int64_t index = tag_ensure(memory, tag.column);
    uint32_t code = index < 0 ? 0 : value_code(memory, &memory->tags[index], tag.value);
    if (!code ||
        !grow(memory->account, (void **)&memory->words, at + 2, &memory->word_capacity, 4, 8))
      return -1;
    memory->words[at] = (uint32_t)index;
    memory->words[at + 1] = code;
  }
  memory->words[start] = count;
  memory->word_count = at;
  uint32_t entry = memory->entry_count++;
  memory->entries[entry] = (struct series_entry){
      .id = id, .commit = commit, .hash = (uint32_t)(hash >> 32), .word = start};
  uint32_t mask = memory->slot_count - 1, i = memory->entries[entry].hash & mask;
  while (memory->slots[i])
    i = (i + 1) & mask;
  memory->slots[i] = entry + 1;
  return entry;
}

bool series__memory_tags(const struct series_memory *memory, uint32_t entry, struct buffer *out) {
  const uint32_t *words = memory->words + memory->entries[entry].word;
  uint32_t count = *words++;
  for (uint32_t i = 0; i < count; i++, words += 2) {
    const struct series_values *tag = &memory->tags[words[0]];
    buffer_append_varint(out, tag->column);
    buffer_append_sized(out, tag->values[words[1] - 1]);
  }
  return !out->failed;
}

uint32_t series__memory_code(const struct series_memory *memory, uint32_t entry, uint32_t tag) {
  const uint32_t *words = memory->words + memory->entries[entry].word;
  uint32_t count = *words++;
  for (uint32_t i = 0; i < count; i++, words += 2)
    if (words[0] == tag) return words[1];
  return 0;
}
