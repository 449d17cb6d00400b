/* Calls whose only varying argument is a dictionary column: computed once per entry, then looked up
 * by code. Tags are such columns, so a pattern over them costs what their distinct values cost.
 *
 * A result that is text is a dictionary column itself, over a new dictionary; whether it is one
 * must not change from batch to batch, so only the dictionary's length decides. Other results are
 * looked up once as many rows have been seen as there are entries. What may fail is never computed
 * for entries that no row asks for, so it goes row by row. */
#include <string.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "columnar/builder.h"
#include "exec/program_private.h"

enum { ENTRIES_MAX = 1 << 16 }; /* of a dictionary that is computed whatever comes */

/* The one varying argument, a dictionary vector; NULL: there is none, or another one. */
static const struct vector *varying(const struct program_state *state, const struct expr *expr) {
  const struct vector *found = NULL;
  for (uint32_t i = 0; i < expr->argument_count; i++) {
    const struct vector *argument = state->arguments[i];
    if (argument->constant || argument == found) continue;
    if (found || !argument->dictionary) return NULL;
    found = argument;
  }
  return found;
}

static bool pays(const struct program_state *state, const struct expr *expr, int64_t entries) {
  if (plan_function_may_fail(expr->function)) return false;
  if (entries <= ENTRIES_MAX) return true;
  return !type_is_string(expr->type) && state->rows >= (uint64_t)entries;
}

void exec__mapping_release(struct mapping *mapping) {
  if (mapping->builder) builder_deinit(mapping->builder);
  mapping->builder = NULL;
  mapping->dictionary = NULL;
}

static int make_room(struct program_state *state, struct mapping *mapping, struct type type,
                     size_t entries, struct err *err) {
  struct arena *arena = state->arena;
  if (entries > mapping->capacity) {
    size_t width = type.physical == PHYSICAL_BOOL ? 1 : 8;
    mapping->values = type_is_string(type) ? NULL : arena_alloc_zero(arena, entries * width);
    mapping->validity = arena_alloc_zero(arena, (entries / 64 + VECTOR_WORDS + 1) * 8);
    if (!mapping->validity || (!mapping->values && !type_is_string(type)))
      return mem_refused(arena->account, entries * width, err);
    mapping->capacity = entries;
  }
  if (!type_is_string(type)) return ERR_OK;
  if (!mapping->texts) mapping->texts = ARENA_NEW(arena, struct column);
  if (!mapping->builder) {
    mapping->builder = ARENA_NEW(arena, struct builder);
    if (mapping->builder) builder_init(mapping->builder, TYPE_STRING, arena->account);
  }
  if (!mapping->texts || !mapping->builder) return mem_refused(arena->account, 64, err);
  builder_reset(mapping->builder);
  return ERR_OK;
}

static void keep_entries(struct mapping *mapping, const struct vector *result, int64_t at,
                         uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    bool valid = vector_valid(result, i);
    if (type_is_string(result->type))
      builder_append_str(mapping->builder, valid ? vector_text(result, i) : STR(""));
    else if (result->type.physical == PHYSICAL_BOOL)
      ((uint8_t *)mapping->values)[at + i] = bit_get(result->values, i);
    else
      ((uint64_t *)mapping->values)[at + i] = ((const uint64_t *)result->values)[i];
    if (valid)
      bit_set(mapping->validity, at + i);
    else
      bit_clear(mapping->validity, at + i);
  }
}

/* Computes entries [at, at + count), the last one of all being null. */
static int map_vector(struct program_state *state, uint32_t index, const struct vector *source,
                      int64_t at, uint32_t count, struct err *err) {
  const struct step *step = &state->program->steps[index];
  const struct column *dictionary = source->dictionary;
  struct vector *result = &state->vectors[step->result], entries = *source;
  uint64_t validity[VECTOR_WORDS];
  int32_t last[2] = {0, 0};
  bool is_null = at == dictionary->length;
  memset(validity, is_null ? 0 : 0xff, sizeof validity);
  entries.dictionary = NULL;
  entries.values = is_null ? last : dictionary->offsets + at;
  entries.data = is_null ? "" : dictionary->data;
  entries.validity = is_null ? validity : NULL;
  for (uint32_t i = 0; i < step->expr->argument_count; i++)
    if (state->arguments[i] == source) state->arguments[i] = &entries;
  struct plan_call call = {.expr = step->expr,
                           .arguments = state->arguments,
                           .result = result,
                           .count = count,
                           .scratch = &state->scratch,
                           .lasting = state->arena,
                           .memory = &state->memory[index]};
  int code = plan_call_run(&call, err);
  if (!code) keep_entries(&state->mappings[index], result, at, count);
  for (uint32_t i = 0; i < step->expr->argument_count; i++)
    if (state->arguments[i] == &entries) state->arguments[i] = source;
  return code;
}

static int map_entries(struct program_state *state, uint32_t index, const struct vector *source,
                       struct err *err) {
  const struct expr *expr = state->program->steps[index].expr;
  struct mapping *mapping = &state->mappings[index];
  const struct column *dictionary = source->dictionary;
  int64_t length = dictionary->length;
  if (mapping->dictionary == dictionary && mapping->length == length) return ERR_OK;
  int code = make_room(state, mapping, expr->type, (size_t)length + 1, err);
  for (int64_t at = 0; at < length && !code; at += VECTOR_ROWS) {
    int64_t left = length - at;
    code = map_vector(state, index, source, at, left < VECTOR_ROWS ? (uint32_t)left : VECTOR_ROWS,
                      err);
  }
  if (!code) code = map_vector(state, index, source, length, 1, err);
  if (!code && mapping->builder) code = builder_check(mapping->builder, err);
  if (code) return code;
  if (mapping->builder) *mapping->texts = builder_view(mapping->builder);
  mapping->dictionary = dictionary;
  mapping->length = length;
  mapping->all_valid = bits_all(mapping->validity, 0, length);
  return ERR_OK;
}

/* Bits of the entries' bytes, 64 rows at a time. */
static void look_up_bits(const uint8_t *entries, const int32_t *codes, uint32_t count,
                         uint64_t *out) {
  for (uint32_t at = 0; at < count; at += 64) {
    uint32_t size = count - at < 64 ? count - at : 64;
    uint64_t word = 0;
    for (uint32_t i = 0; i < size; i++)
      word |= (uint64_t)entries[codes[at + i]] << i;
    out[at / 64] = word;
  }
}

static void look_up_validity(const struct mapping *mapping, const int32_t *codes, uint32_t count,
                             uint64_t *out) {
  memset(out, 0, bit_words(count) * 8);
  for (uint32_t i = 0; i < count; i++)
    out[i / 64] |= (uint64_t)bit_get(mapping->validity, codes[i]) << i % 64;
}

static void look_up(const struct mapping *mapping, const struct vector *source, uint32_t count,
                    struct vector *result) {
  int32_t own[VECTOR_ROWS];
  const int32_t *codes = source->values;
  bool all = mapping->all_valid;
  if (source->validity) { /* absent rows: the entry of null */
    for (uint32_t i = 0; i < count; i++)
      own[i] = bit_get(source->validity, i) ? codes[i] : (int32_t)mapping->length;
    codes = own;
    all = all && bit_get(mapping->validity, mapping->length);
  }
  result->values = result->own_values;
  result->texts = NULL;
  result->dictionary = NULL;
  result->validity = all ? NULL : result->own_validity;
  if (!all) look_up_validity(mapping, codes, count, result->own_validity);
  if (result->type.physical == PHYSICAL_BOOL) {
    look_up_bits(mapping->values, codes, count, result->own_values);
  } else if (type_is_string(result->type)) {
    memcpy(result->own_values, codes, (size_t)count * sizeof *codes);
    result->dictionary = mapping->texts;
  } else {
    const uint64_t *values = mapping->values;
    for (uint32_t i = 0; i < count; i++)
      ((uint64_t *)result->own_values)[i] = values[codes[i]];
  }
}

int exec__step_map(struct program_state *state, uint32_t index, uint32_t count, bool *done,
                   struct err *err) {
  const struct step *step = &state->program->steps[index];
  const struct vector *source = varying(state, step->expr);
  *done = source && pays(state, step->expr, source->dictionary->length);
  if (!*done) return ERR_OK;
  int code = map_entries(state, index, source, err);
  if (!code) look_up(&state->mappings[index], source, count, &state->vectors[step->result]);
  return code;
}
