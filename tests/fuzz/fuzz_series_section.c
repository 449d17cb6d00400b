/* The series section of a part, changed anywhere, with checksums that hold again: lookups, tags and
 * filters give an answer or an error, whatever it says.
 *
 * The input is a list of changes, four bytes each: where (u16, over the whole section) and what to
 * add to the byte there (u8), then one byte that says how many bytes more. */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/err.h"
#include "os/os.h"
#include "os/sim.h"
#include "series/series.h"
#include "store/store.h"

enum { SERIES = 40, STORE = 100, TRAILER = 32 };

struct world {
  struct str changes;
  const struct store_hooks *hooks;
  void *registry;
};

static uint8_t *at_offset(struct buffer *out, size_t origin, uint64_t offset, uint64_t size) {
  uint64_t held = out->size - origin;
  return offset <= held && size <= held - offset ? (uint8_t *)out->data + origin + offset : NULL;
}

/* Checksums of every three numbers of the directory that could be a place, then its own. */
static void make_whole(struct buffer *out, size_t origin) {
  uint8_t *trailer = (uint8_t *)out->data + out->size - TRAILER;
  uint64_t size = load_u64(trailer + 8);
  uint8_t *directory = at_offset(out, origin, load_u64(trailer), size);
  if (!directory) return;
  for (uint64_t i = 16; i + 24 <= size; i += 8) {
    const uint8_t *unit =
        at_offset(out, origin, load_u64(directory + i), load_u64(directory + i + 8));
    /* The places stand on multiples of eight; what is none keeps its third number. */
    if (unit && load_u64(directory + i + 8) && load_u64(directory + i + 16) >> 40)
      store_u64(directory + i + 16, checksum64(unit, load_u64(directory + i + 8)));
  }
  store_u64(trailer + 16, checksum64(directory, size));
}

static int describe(void *context, uint64_t store, const uint64_t *series, size_t count,
                    struct store_part *const *sources, size_t source_count, struct buffer *out,
                    struct err *err) {
  struct world *world = context;
  size_t origin = out->size;
  int code = world->hooks->describe(world->registry, store, series, count, sources, source_count,
                                    out, err);
  if (code || out->size - origin < TRAILER) return code;
  size_t size = out->size - origin;
  for (size_t i = 0; i + 4 <= world->changes.size; i += 4) {
    const uint8_t *change = (const uint8_t *)world->changes.data + i;
    for (unsigned more = 0; more <= change[3] % 8u; more++)
      out->data[origin + (load_u16(change) + more) % size] += change[2];
  }
  make_whole(out, origin);
  return ERR_OK;
}

static void attach(void *context, struct store_shard *shard) {
  struct world *world = context;
  world->hooks->attach(world->registry, shard);
}

static int any_five(void *context, struct str value, bool *passes, struct err *err) {
  (void)context;
  (void)err;
  *passes = value.size && value.data[value.size - 1] == '5';
  return ERR_OK;
}

static void tag_set(uint32_t i, struct buffer *tags) {
  buffer_reset(tags);
  buffer_append_varint(tags, 1);
  buffer_append_varint(tags, 6);
  buffer_printf(tags, "host%02u", i);
  if (i % 3) return;
  buffer_append_varint(tags, 4);
  buffer_append_sized(tags, STR("rack"));
}

static void write_rows(struct store_shard *shard, struct series_index *index,
                       struct mem_account *account) {
  uint64_t ids[SERIES];
  int64_t keys[SERIES] = {0};
  struct buffer tags, note;
  buffer_init(&tags, account);
  buffer_init(&note, account);
  for (uint32_t i = 0; i < SERIES; i++) {
    tag_set(i, &tags);
    int code = series_ensure(index, buffer_str(&tags), &ids[i], NULL);
    assert(code == ERR_OK);
    (void)code;
  }
  assert(series_note(index, ids, SERIES, &note, NULL) == ERR_OK);
  struct store_column column = {.id = 9,
                                .column = {.type = TYPE_INT64, .length = SERIES, .i64 = keys}};
  struct store_rows rows = {.store = STORE,
                            .policy = STORE_NEWEST_COLUMN,
                            .rows = SERIES,
                            .series = ids,
                            .keys = keys,
                            .columns = &column,
                            .column_count = 1,
                            .note = buffer_str(&note)};
  uint64_t number = 0;
  assert(store_write(shard, &rows, 1, &number, NULL) == ERR_OK);
  series_confirm(index, buffer_str(&note), number);
  assert(store_flush(shard, 0, NULL) == ERR_OK);
  buffer_deinit(&tags);
  buffer_deinit(&note);
}

/* The second start knows nothing but the section. */
static void read_section(struct series_index *index, struct mem_account *account) {
  static const uint32_t columns[] = {1, 4, 6};
  uint64_t id, ids[SERIES + 2];
  struct column out[3];
  struct arena arena;
  arena_init(&arena, account, 4096);
  struct buffer tags, found;
  buffer_init(&tags, account);
  buffer_init(&found, account);
  for (uint32_t i = 0; i < SERIES + 2; i++) {
    tag_set(i, &tags);
    series_find(index, buffer_str(&tags), &id, NULL);
    ids[i] = i + 1;
  }
  series_tags(index, NULL, ids, SERIES + 2, columns, 3, &arena, out, NULL, NULL);
  for (uint32_t column = 1; column < 5; column++) {
    struct series_filter test = {.kind = SERIES_FILTER_TEST, .column_id = column, .test = any_five};
    struct series_filter equal = {
        .kind = SERIES_FILTER_EQUAL, .column_id = column, .value = STR("host07")};
    const struct series_filter *children[] = {&test, &equal};
    struct series_filter either = {
        .kind = SERIES_FILTER_OR, .children = children, .child_count = 2};
    buffer_reset(&found);
    series_select(index, NULL, &either, INT64_MIN, INT64_MAX, &found, NULL, NULL);
  }
  buffer_deinit(&tags);
  buffer_deinit(&found);
  arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct mem_account account;
  mem_account_init(&account, "fuzz", NULL, 0);
  struct os *os = NULL;
  struct os_sim_options sim = {.seed = 1};
  assert(os_sim_create(&sim, &os, NULL) == ERR_OK);
  for (int start = 0; start < 2; start++) {
    struct series_registry *registry = NULL;
    struct store_shard *shard = NULL;
    assert(series_registry_create(os, &account, 1 << 20, &registry, NULL) == ERR_OK);
    struct world world = {{(const char *)data, size}, &series_store_hooks, registry};
    struct store_hooks hooks = {.attach = attach, .describe = describe};
    struct store_options options;
    store_options_default(&options);
    options.path = "/data";
    options.os = os;
    options.account = &account;
    options.background = false;
    options.hooks = &hooks;
    options.hooks_context = &world;
    assert(store_shard_open(&options, &shard, NULL) == ERR_OK);
    struct series_index *index = series_index_of(registry, STORE);
    if (start == 0)
      write_rows(shard, index, &account);
    else
      read_section(index, &account);
    series_index_release(index);
    store_shard_close(shard);
    series_registry_destroy(registry);
  }
  os_destroy(os);
  mem_account_deinit(&account);
  return 0;
}
