/* Series on a shard: ids, sections read back through real parts, filters against a plain model,
 * damage, eviction, replay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/err.h"
#include "os/os.h"
#include "os/sim.h"
#include "series/series.h"

enum { STORE = 100, TAGS = 3, MODEL_MAX = 20000 };
static const uint32_t tag_ids[TAGS] = {1, 2, 300};

struct world {
  struct os *os;
  struct mem_account account;
  struct series_registry *registry;
  struct store_shard *shard;
  struct series_index *index;
  uint64_t cache_bytes;
  /* the model: values by number, 0 absent; ids */
  uint32_t count;
  uint32_t values[MODEL_MAX][TAGS];
  uint64_t ids[MODEL_MAX];
};
static struct world world;

static uint64_t random_state;
static uint64_t draw(uint64_t below) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state % below;
}
static void seed_from_clock(void) {
  uint64_t seed = (uint64_t)time(NULL);
  print_message("seed %llu\n", (unsigned long long)seed);
  random_state = seed * 2 + 1;
}

static void failed(const char *what, const struct err *err) {
  char text[800];
  err_format(err, text, sizeof text);
  fail_msg("%s: %s", what, text);
}

static void world_open(void) {
  struct err err;
  err_reset(&err);
  struct store_options options;
  store_options_default(&options);
  options.path = "/data";
  options.os = world.os;
  options.account = &world.account;
  options.background = false;
  if (series_registry_create(world.os, &world.account, world.cache_bytes, &world.registry, &err))
    failed("registry", &err);
  options.hooks = &series_store_hooks;
  options.hooks_context = world.registry;
  if (store_shard_open(&options, &world.shard, &err)) failed("open", &err);
  world.index = series_index_of(world.registry, STORE);
  assert_non_null(world.index);
}

static void world_close(void) {
  series_index_release(world.index);
  store_shard_close(world.shard);
  series_registry_destroy(world.registry);
}

static int begin(void **state) {
  (void)state;
  struct err err;
  memset(&world, 0, sizeof world);
  world.cache_bytes = 64 << 20;
  struct os_sim_options sim = {.seed = 1};
  if (os_sim_create(&sim, &world.os, &err)) return -1;
  mem_account_init(&world.account, "test", NULL, 0);
  world_open();
  return 0;
}

static int end(void **state) {
  (void)state;
  world_close();
  os_destroy(world.os);
  mem_account_deinit(&world.account);
  return 0;
}

/* ---- the model ---- */

/* Values share beginnings, differ in length, and a few are long. */
static struct str value_text(uint32_t tag, uint32_t value, char out[600]) {
  if (value == 0) return STR("");
  int size = snprintf(out, 600, "%s%u",
                      tag == 0   ? "host-"
                      : tag == 1 ? ""
                                 : "rack/\xc3\xa9/",
                      value);
  if (value % 97 == 13) {
    memset(out + size, 'x', 500);
    size += 500;
  }
  return str_of(out, (size_t)size);
}

static void canonical(const uint32_t values[TAGS], struct buffer *out) {
  char text[600];
  buffer_reset(out);
  for (uint32_t t = 0; t < TAGS; t++) {
    if (!values[t]) continue;
    buffer_append_varint(out, tag_ids[t]);
    buffer_append_sized(out, value_text(t, values[t], text));
  }
}

static int id_order(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* Gives ids to series [from, to) of the model and commits a row of each at `time`. */
static void write_series(uint32_t from, uint32_t to, int64_t time_of_rows) {
  struct err err;
  err_reset(&err);
  struct buffer tags, note;
  buffer_init(&tags, &world.account);
  buffer_init(&note, &world.account);
  uint32_t count = to - from;
  uint64_t *ids = calloc(count, sizeof *ids);
  int64_t *keys = calloc(count, sizeof *keys), *cells = calloc(count, sizeof *cells);
  for (uint32_t i = from; i < to; i++) {
    canonical(world.values[i], &tags);
    uint64_t id;
    if (series_ensure(world.index, buffer_str(&tags), &id, &err)) failed("ensure", &err);
    if (world.ids[i] && world.ids[i] != id) fail_msg("series %u has two ids", i);
    world.ids[i] = ids[i - from] = id;
    keys[i - from] = time_of_rows;
  }
  qsort(ids, count, sizeof *ids, id_order);
  if (series_note(world.index, ids, count, &note, &err)) failed("note", &err);
  struct store_column column = {.id = 9,
                                .column = {.type = TYPE_INT64, .length = count, .i64 = cells}};
  struct store_rows rows = {.store = STORE,
                            .policy = STORE_NEWEST_COLUMN,
                            .rows = count,
                            .series = ids,
                            .keys = keys,
                            .columns = &column,
                            .column_count = 1,
                            .note = buffer_str(&note)};
  uint64_t number;
  if (store_write(world.shard, &rows, 1, &number, &err)) failed("write", &err);
  series_confirm(world.index, buffer_str(&note), number);
  free(ids);
  free(keys);
  free(cells);
  buffer_deinit(&tags);
  buffer_deinit(&note);
}

static void flush(void) {
  struct err err;
  err_reset(&err);
  if (store_flush(world.shard, 0, &err)) failed("flush", &err);
}
static void merge(void) {
  struct err err;
  err_reset(&err);
  if (store_merge(world.shard, 0, &err)) failed("merge", &err);
}

/* Distinct tag sets: one host each for the first, fewer racks than hosts, the rest absent. */
static void make_model(uint32_t count) {
  world.count = count;
  for (uint32_t i = 0; i < count; i++) {
    world.values[i][0] = i; /* series 0 has no host, and no tags at all */
    world.values[i][1] = i ? (uint32_t)draw(5) : 0;
    world.values[i][2] = i ? (uint32_t)draw(2000) : 0;
  }
}

static void check_find(uint32_t step) {
  struct err err;
  err_reset(&err);
  struct buffer tags;
  buffer_init(&tags, &world.account);
  for (uint32_t i = 0; i < world.count; i += step) {
    canonical(world.values[i], &tags);
    uint64_t id;
    if (series_find(world.index, buffer_str(&tags), &id, &err)) failed("find", &err);
    if (id != world.ids[i])
      fail_msg("series %u: id %llu, not %llu", i, (unsigned long long)id,
               (unsigned long long)world.ids[i]);
  }
  canonical((const uint32_t[TAGS]){MODEL_MAX + 1, 1, 1}, &tags);
  uint64_t id = 1;
  assert_int_equal(series_find(world.index, buffer_str(&tags), &id, &err), ERR_OK);
  assert_int_equal(id, 0);
  buffer_deinit(&tags);
}

static int model_order(const void *a, const void *b) {
  return id_order(&world.ids[*(const uint32_t *)a], &world.ids[*(const uint32_t *)b]);
}

/* Tags of every `step`-th series, and of an id that does not exist. */
static void check_tags(uint32_t step) {
  struct err err;
  err_reset(&err);
  struct arena arena;
  arena_init(&arena, &world.account, 4096);
  uint32_t count = 0, *at = calloc(world.count + 1, sizeof *at);
  uint64_t *ids = calloc(world.count + 1, sizeof *ids);
  for (uint32_t i = 0; i < world.count; i += step)
    if (world.ids[i]) at[count++] = i;
  qsort(at, count, sizeof *at, model_order);
  for (uint32_t i = 0; i < count; i++)
    ids[i] = world.ids[at[i]];
  ids[count++] = UINT64_C(1) << 60;
  const uint32_t columns[] = {2, 77, 1, 300, 1};
  struct column out[5];
  if (series_tags(world.index, NULL, ids, count, columns, 5, &arena, out, NULL, &err))
    failed("tags", &err);
  for (uint32_t i = 0; i < count; i++)
    for (uint32_t c = 0; c < 5; c++) {
      struct str got = column_str(out[c].dictionary, out[c].i32[i]), wanted = STR("");
      char text[600];
      for (uint32_t t = 0; t < TAGS && i + 1 < count; t++)
        if (tag_ids[t] == columns[c]) wanted = value_text(t, world.values[at[i]][t], text);
      if (!str_equal(got, wanted))
        fail_msg("series %u, tag %u: \"%.*s\", not \"%.*s\"", at[i], columns[c], STR_ARG(got),
                 STR_ARG(wanted));
    }
  for (uint32_t c = 0; c < 5; c++) /* codes compare as values */
    for (int64_t v = 1; v < out[c].dictionary->length; v++)
      assert_true(
          str_compare(column_str(out[c].dictionary, v - 1), column_str(out[c].dictionary, v)) < 0);
  free(at);
  free(ids);
  arena_deinit(&arena);
}

/* ---- filters ---- */

static int ends_with(void *context, struct str value, bool *passes, struct err *err) {
  (void)err;
  char last = *(const char *)context;
  *passes = value.size ? value.data[value.size - 1] == last : last == ' ';
  return ERR_OK;
}

struct drawn_filter {
  struct series_filter filter;
  struct series_filter *children[3];
  char text[600], last;
};
static struct drawn_filter drawn[200];
static uint32_t drawn_count;

static struct series_filter *draw_filter(int depth) {
  struct drawn_filter *node = &drawn[drawn_count++];
  static const enum series_filter_kind kinds[] = {
      SERIES_FILTER_EQUAL, SERIES_FILTER_TEST, SERIES_FILTER_TRUE, SERIES_FILTER_FALSE,
      SERIES_FILTER_NOT,   SERIES_FILTER_AND,  SERIES_FILTER_OR};
  node->filter = (struct series_filter){.kind = kinds[depth > 3 ? draw(2) : draw(7)]};
  uint32_t tag = (uint32_t)draw(TAGS + 1);
  node->filter.column_id = tag < TAGS ? tag_ids[tag] : (uint32_t)draw(2) * 77;
  node->filter.value =
      value_text(tag % TAGS, draw(4) ? (uint32_t)draw(world.count) : 0, node->text);
  node->last = "0123456789x "[draw(12)];
  node->filter.test = ends_with;
  node->filter.context = &node->last;
  node->filter.child_count = node->filter.kind == SERIES_FILTER_NOT ? 1 : draw(4);
  if (node->filter.kind < SERIES_FILTER_AND || node->filter.kind > SERIES_FILTER_NOT)
    node->filter.child_count = 0;
  for (size_t c = 0; c < node->filter.child_count; c++)
    node->children[c] = draw_filter(depth + 1);
  node->filter.children = (const struct series_filter *const *)node->children;
  return &node->filter;
}

static bool model_passes(const struct series_filter *filter, const uint32_t values[TAGS]) {
  char text[600];
  struct str value = STR("");
  for (uint32_t t = 0; t < TAGS; t++)
    if (tag_ids[t] == filter->column_id) value = value_text(t, values[t], text);
  bool all = true, any = false;
  for (size_t c = 0; c < filter->child_count; c++) {
    bool passes = model_passes(filter->children[c], values);
    all &= passes;
    any |= passes;
  }
  switch (filter->kind) {
  case SERIES_FILTER_TRUE:
    return true;
  case SERIES_FILTER_FALSE:
    return false;
  case SERIES_FILTER_AND:
    return all;
  case SERIES_FILTER_OR:
    return any;
  case SERIES_FILTER_NOT:
    return !any;
  case SERIES_FILTER_EQUAL:
    return str_equal(filter->value, value);
  default: {
    bool passes;
    assert_int_equal(ends_with(filter->context, value, &passes, NULL), ERR_OK);
    return passes;
  }
  }
}

static void check_filter(const struct series_filter *filter) {
  struct err err;
  err_reset(&err);
  struct buffer ids;
  buffer_init(&ids, &world.account);
  if (series_select(world.index, NULL, filter, INT64_MIN, INT64_MAX, &ids, NULL, &err))
    failed("select", &err);
  const uint64_t *got = (const uint64_t *)(const void *)ids.data;
  size_t found = 0, count = ids.size / 8;
  for (size_t i = 1; i < count; i++)
    assert_true(got[i - 1] < got[i]);
  for (uint32_t i = 0; i < world.count; i++) {
    bool wanted = !filter || model_passes(filter, world.values[i]),
         there = count && bsearch(&world.ids[i], got, count, sizeof *got, id_order) != NULL;
    if (wanted != there) fail_msg("series %u is %sselected", i, there ? "" : "not ");
    found += there;
  }
  assert_int_equal(found, count);
  buffer_deinit(&ids);
}

/* ---- tests ---- */

/* More series than a chunk of ids, more values than a chunk of a dictionary; in one part, in
 * several with overlapping series, partly in the log only, merged, reopened. */
static void test_sections_of_several_chunks(void **state) {
  (void)state;
  seed_from_clock();
  make_model(18000);
  write_series(0, 9000, 10);
  flush();
  check_tags(5);
  write_series(9000, 15000, 20);
  write_series(8000, 9500, 21);
  flush();
  write_series(14000, 18000, 30);
  for (int round = 0; round < 3; round++) {
    check_find(11);
    check_tags(3);
    check_filter(NULL);
    for (int i = 0; i < 12; i++) {
      drawn_count = 0;
      check_filter(draw_filter(0));
    }
    if (round == 0) {
      world_close();
      world_open();
    } else {
      flush();
      merge();
      world_close();
      world_open();
    }
  }
}

static void test_filters_on_small_sets(void **state) {
  (void)state;
  seed_from_clock();
  make_model(60);
  write_series(0, 20, 10);
  flush();
  write_series(15, 40, 20);
  flush();
  write_series(35, 60, 30);
  for (int i = 0; i < 3000; i++) {
    drawn_count = 0;
    check_filter(draw_filter(0));
  }
}

/* A small budget: the cache turns, and what it lets go is found again. */
static void test_eviction(void **state) {
  (void)state;
  seed_from_clock();
  world_close();
  world.cache_bytes = 256 << 10;
  world_open();
  make_model(12000);
  for (uint32_t from = 0; from < world.count; from += 3000) {
    write_series(from, from + 3000, from);
    check_find(501); /* pinned ones stay */
    flush();
  }
  struct series_figures figures;
  for (int round = 0; round < 2; round++) {
    check_find(1);
    write_series(0, world.count, 100000 + round); /* no new ids */
  }
  series_registry_figures(world.registry, &figures);
  assert_int_equal(figures.created, world.count);
  assert_true(figures.active < world.count);
  check_tags(1);
}

/* Ids are above every id of before, also of series that only the log knows, also of ones whose rows
 * were deleted. */
static void test_ids_after_a_restart(void **state) {
  (void)state;
  seed_from_clock();
  make_model(50);
  write_series(0, 20, 10);
  flush();
  write_series(20, 30, 20);
  struct err err;
  err_reset(&err);
  struct store_tombstone all = {.key_min = INT64_MIN, .key_max = INT64_MAX};
  struct store_rows rows = {
      .store = STORE, .policy = STORE_NEWEST_COLUMN, .tombstones = &all, .tombstone_count = 1};
  if (store_write(world.shard, &rows, 1, NULL, &err)) failed("delete", &err);
  series_expire(world.index);
  flush();
  world_close();
  world_open();
  uint64_t high = 0;
  for (uint32_t i = 0; i < 30; i++)
    high = world.ids[i] > high ? world.ids[i] : high;
  write_series(30, 50, 30);
  for (uint32_t i = 30; i < 50; i++)
    assert_true(world.ids[i] > high);
}

/* A note that a commit carried but nobody confirmed is carried by the next one. */
static void test_notes(void **state) {
  (void)state;
  struct err err;
  err_reset(&err);
  struct buffer tags, note;
  buffer_init(&tags, &world.account);
  buffer_init(&note, &world.account);
  canonical((const uint32_t[TAGS]){1, 2, 3}, &tags);
  uint64_t id, again;
  assert_false(series_has_undurable(world.index));
  assert_int_equal(series_ensure(world.index, buffer_str(&tags), &id, &err), ERR_OK);
  assert_true(series_has_undurable(world.index));
  for (int i = 0; i < 2; i++) {
    buffer_reset(&note);
    assert_int_equal(series_note(world.index, &id, 1, &note, &err), ERR_OK);
    assert_true(note.size > tags.size);
  }
  uint64_t other = id + 1;
  struct buffer none;
  buffer_init(&none, &world.account);
  assert_int_equal(series_note(world.index, &other, 1, &none, &err), ERR_OK);
  assert_int_equal(none.size, 0);
  series_confirm(world.index, buffer_str(&note), 5);
  assert_false(series_has_undurable(world.index));
  assert_int_equal(series_note(world.index, &id, 1, &none, &err), ERR_OK);
  assert_int_equal(none.size, 0);
  assert_int_equal(series_ensure(world.index, buffer_str(&tags), &again, &err), ERR_OK);
  assert_int_equal(id, again);
  /* A delete makes it to be said again, once. */
  series_expire(world.index);
  assert_true(series_has_undurable(world.index));
  assert_int_equal(series_note(world.index, &id, 1, &none, &err), ERR_OK);
  assert_int_equal(none.size, note.size);
  series_confirm(world.index, buffer_str(&none), 6);
  assert_false(series_has_undurable(world.index));
  buffer_deinit(&none);
  buffer_deinit(&note);
  buffer_deinit(&tags);
}

/* Memory that is refused at any allocation is an error, and nothing is lost by it. */
static void test_every_allocation_fails_once(void **state) {
  (void)state;
  seed_from_clock();
  make_model(3000);
  struct err err;
  struct buffer tags;
  buffer_init(&tags, &world.account);
  for (uint32_t i = 0; i < world.count; i++) {
    canonical(world.values[i], &tags);
    uint64_t id = 0;
    atomic_store(&world.account.fail_countdown, 1 + (int64_t)(i % 4));
    int code = series_ensure(world.index, buffer_str(&tags), &id, &err);
    atomic_store(&world.account.fail_countdown, 0);
    if (code) assert_int_equal(err_info(code)->class, ERR_CLASS_RESOURCE);
    world.ids[i] = 0;
  }
  buffer_deinit(&tags);
  write_series(0, world.count, 10); /* every one gets into a note */
  world_close();
  world_open();
  check_find(1);
  flush();
  world_close();
  world_open();
  for (int64_t n = 1; n < 60; n++) {
    struct buffer ids;
    buffer_init(&ids, &world.account);
    drawn_count = 0;
    const struct series_filter *filter = draw_filter(0);
    atomic_store(&world.account.fail_countdown, n);
    int code = series_select(world.index, NULL, filter, INT64_MIN, INT64_MAX, &ids, NULL, &err);
    atomic_store(&world.account.fail_countdown, 0);
    if (code && err_info(code)->class != ERR_CLASS_RESOURCE) failed("select", &err);
    buffer_deinit(&ids);
  }
  check_find(1);
  check_tags(1);
}

/* ---- damage ---- */

struct part_file_name {
  char path[256];
};
static int note_name(void *context, const char *name, bool is_directory) {
  struct part_file_name *found = context;
  size_t size = strlen(name);
  if (!is_directory && size > 5 && strcmp(name + size - 5, ".part") == 0)
    snprintf(found->path, sizeof found->path, "/data/parts/%s", name);
  return 0;
}

/* Where the section of the only part stands in its file. */
static uint64_t find_section(struct part_file_name *file, uint64_t *size) {
  struct err err;
  err_reset(&err);
  struct store_snapshot *snapshot;
  struct store_part *const *parts;
  assert_int_equal(store_snapshot_acquire(world.shard, &snapshot, &err), ERR_OK);
  assert_int_equal(store_snapshot_parts(snapshot, STORE, &parts), 1);
  *size = store_part_series_bytes(parts[0]);
  char *section = malloc(*size), *bytes;
  assert_int_equal(store_part_series_read(parts[0], 0, section, *size, &err), ERR_OK);
  store_snapshot_release(snapshot);
  assert_int_equal(os_dir_list(world.os, "/data/parts", note_name, file, &err), ERR_OK);
  struct os_file *opened;
  uint64_t all;
  assert_int_equal(os_file_open(world.os, file->path, OS_READ, &opened, &err), ERR_OK);
  assert_int_equal(os_file_size(opened, &all, &err), ERR_OK);
  bytes = malloc(all);
  assert_int_equal(os_file_read_exact(opened, 0, bytes, all, &err), ERR_OK);
  os_file_close(opened);
  char *at = memmem(bytes, all, section, *size);
  assert_non_null(at);
  uint64_t offset = (uint64_t)(at - bytes);
  free(bytes);
  free(section);
  return offset;
}

/* One flipped bit anywhere in a section: an error that says so, or the right answer; never another
 * one. */
/* Whether the part was reported: then it is passed over, with its rows. */
static bool left_out(void) {
  struct store_figures figures;
  store_shard_figures(world.shard, &figures);
  return figures.parts_damaged != 0;
}

static void test_damage(void **state) {
  (void)state;
  int left_out_count = 0;
  seed_from_clock();
  make_model(90);
  write_series(0, world.count, 10);
  flush();
  struct part_file_name file = {""};
  uint64_t size, offset = find_section(&file, &size);
  int errors = 0;
  struct err err;
  struct buffer tags;
  buffer_init(&tags, &world.account);
  for (uint64_t byte = 0; byte < size; byte++) {
    uint64_t bit = (offset + byte) * 8 + draw(8);
    err_reset(&err);
    assert_int_equal(os_sim_flip_bit(world.os, file.path, bit, &err), ERR_OK);
    world_close();
    world_open();
    uint32_t i = (uint32_t)draw(world.count);
    uint64_t id = 0;
    canonical(world.values[i], &tags);
    int code = series_find(world.index, buffer_str(&tags), &id, &err);
    if (code ? code != ERR_CORRUPTION && code != ERR_BAD_VERSION : id != world.ids[i])
      fail_msg("byte %llu: code %d, id %llu of series %u", (unsigned long long)byte, code,
               (unsigned long long)id, i);
    errors += code != 0;
    struct arena arena;
    arena_init(&arena, &world.account, 1024);
    struct column out[TAGS];
    code = series_tags(world.index, NULL, &world.ids[i], 1, tag_ids, TAGS, &arena, out, NULL, &err);
    for (uint32_t t = 0; t < TAGS && !code && !left_out(); t++) {
      char text[600];
      struct str got = column_str(out[t].dictionary, out[t].i32[0]);
      assert_true(str_equal(got, value_text(t, world.values[i][t], text)));
    }
    if (code) assert_true(code == ERR_CORRUPTION || code == ERR_BAD_VERSION);
    errors += code != 0;
    arena_deinit(&arena);
    drawn_count = 0;
    struct buffer ids;
    buffer_init(&ids, &world.account);
    const struct series_filter *filter = draw_filter(2);
    code = series_select(world.index, NULL, filter, INT64_MIN, INT64_MAX, &ids, NULL, &err);
    if (!code && left_out())
      left_out_count++;
    else if (!code)
      check_filter(filter);
    else
      assert_true(code == ERR_CORRUPTION || code == ERR_BAD_VERSION);
    buffer_deinit(&ids);
    assert_int_equal(os_sim_flip_bit(world.os, file.path, bit, &err), ERR_OK);
  }
  assert_true(errors > 0);
  assert_true(left_out_count > 0);
  world_close();
  world_open();
  check_find(1);
  check_tags(1);
  buffer_deinit(&tags);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_sections_of_several_chunks, begin, end),
      cmocka_unit_test_setup_teardown(test_filters_on_small_sets, begin, end),
      cmocka_unit_test_setup_teardown(test_eviction, begin, end),
      cmocka_unit_test_setup_teardown(test_ids_after_a_restart, begin, end),
      cmocka_unit_test_setup_teardown(test_notes, begin, end),
      cmocka_unit_test_setup_teardown(test_every_allocation_fails_once, begin, end),
      cmocka_unit_test_setup_teardown(test_damage, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
