/* The catalog: names, ids, pending objects, drops; its records against a golden file, and damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/limits.h"
#include "catalog/table_settings.h"
#include "os/os.h"
#include "os/sim.h"
#include "store/store.h"

struct world {
  struct os *os;
  struct mem_account account;
  struct store_shard *shard;
  struct catalog *catalog;
  int detached;
};
static struct world world;

static void detach(void *attachment) { ++*(int *)attachment; }

static void world_open(void) {
  struct err err;
  err_reset(&err);
  struct store_options options;
  store_options_default(&options);
  options.path = "/data";
  options.os = world.os;
  options.account = &world.account;
  options.background = false;
  assert_int_equal(store_shard_open(&options, &world.shard, &err), ERR_OK);
  assert_int_equal(catalog_create(world.os, &world.account, detach, &world.catalog, &err), ERR_OK);
}

static void world_close(void) {
  catalog_destroy(world.catalog);
  store_shard_close(world.shard);
}

static int load(struct err *err) {
  struct store_snapshot *snapshot;
  assert_int_equal(store_snapshot_acquire(world.shard, &snapshot, err), ERR_OK);
  int code = catalog_load(world.catalog, snapshot, &world.account, err);
  store_snapshot_release(snapshot);
  return code;
}

/* Closes, opens, loads. */
static void world_reopen(void) {
  struct err err;
  err_reset(&err);
  world_close();
  world_open();
  if (load(&err)) fail_msg("load: %s", err.message);
}

static int begin(void **state) {
  (void)state;
  struct err err;
  memset(&world, 0, sizeof world);
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

static struct catalog_table *ensure(const char *database, const char *name) {
  struct catalog_table *table;
  struct err err;
  err_reset(&err);
  if (catalog_table_ensure(world.catalog, str_from(database), (struct str){0}, str_from(name),
                           &table, &err))
    fail_msg("ensure %s.%s: %s", database, name, err.message);
  return table;
}

static struct catalog_table *find(const char *database, const char *name) {
  return catalog_table_find(world.catalog, str_from(database), (struct str){0}, str_from(name));
}

static const struct catalog_column *column(struct catalog_table *table, enum column_kind kind,
                                           const char *name, struct type type) {
  const struct catalog_column *made;
  assert_int_equal(catalog_column_ensure(table, kind, str_from(name), type, &made, NULL), ERR_OK);
  return made;
}

static void commit(struct catalog_changes *changes) {
  struct store_rows rows;
  struct err err;
  err_reset(&err);
  assert_int_equal(catalog_changes_rows(changes, &rows, &err), ERR_OK);
  if (store_write(world.shard, &rows, 1, NULL, &err)) fail_msg("commit: %s", err.message);
  catalog_changes_confirm(changes);
}

/* Commits what is pending of a table, with its columns. */
static void commit_table(struct catalog_table *table) {
  struct arena arena;
  arena_init(&arena, &world.account, 1024);
  struct catalog_changes changes;
  catalog_changes_init(&changes, &arena);
  catalog_changes_table(&changes, table);
  const struct catalog_column *const *columns;
  size_t count = catalog_table_columns(table, &columns);
  for (size_t i = 0; i < count; i++)
    catalog_changes_column(&changes, table, columns[i]);
  commit(&changes);
  arena_deinit(&arena);
}

/* ---- names ---- */

static void test_databases(void **state) {
  (void)state;
  struct err err;
  struct catalog_database database;
  assert_int_equal(catalog_database_create(world.catalog, STR("db"), TIME_MS, &err), ERR_OK);
  assert_int_equal(catalog_database_create(world.catalog, STR("db"), TIME_MS, &err), ERR_OK);
  assert_int_equal(catalog_database_create(world.catalog, STR("db"), TIME_S, &err),
                   ERR_ALREADY_EXISTS);
  assert_int_equal(catalog_database_create(world.catalog, STR(""), TIME_S, &err),
                   ERR_INVALID_ARGUMENT);
  assert_int_equal(catalog_database_find(world.catalog, STR("db"), &database, &err), ERR_OK);
  assert_int_equal(database.unit, TIME_MS);
  assert_true(str_equal(database.default_schema, STR("autogen")));
  assert_int_equal(catalog_database_find(world.catalog, STR("dbs"), &database, &err),
                   ERR_UNKNOWN_DATABASE);
  assert_non_null(strstr(err.hint, "\"db\""));
}

static void test_limits(void **state) {
  (void)state;
  struct err err;
  catalog_database_create(world.catalog, STR("db"), TIME_NS, &err);
  struct catalog_table *table = ensure("db", "m"), *other;
  char *name = malloc(LIMIT_NAME_SIZE + 1);
  memset(name, 'n', LIMIT_NAME_SIZE + 1);
  struct str longest = str_of(name, LIMIT_NAME_SIZE), longer = str_of(name, LIMIT_NAME_SIZE + 1);
  const struct catalog_column *made, *again;
  assert_int_equal(catalog_column_ensure(table, COLUMN_FIELD, longest, TYPE_INT64, &made, &err),
                   ERR_OK);
  assert_int_equal(catalog_column_ensure(table, COLUMN_FIELD, longest, TYPE_INT64, &again, &err),
                   ERR_OK);
  assert_ptr_equal(made, again);
  assert_int_equal(catalog_column_ensure(table, COLUMN_FIELD, longer, TYPE_INT64, &made, &err),
                   ERR_LIMIT_EXCEEDED);
  assert_int_equal(
      catalog_table_ensure(world.catalog, STR("db"), STR("autogen"), longest, &other, &err),
      ERR_OK);
  assert_true(other != table);
  catalog_table_release(other);
  assert_int_equal(
      catalog_table_ensure(world.catalog, STR("db"), (struct str){0}, longer, &other, &err),
      ERR_LIMIT_EXCEEDED);
  assert_int_equal(
      catalog_table_ensure(world.catalog, STR("db"), STR("none"), STR("m"), &other, &err),
      ERR_NOT_FOUND);
  assert_int_equal(catalog_column_ensure(table, COLUMN_TAG, STR("time"), TYPE_STRING, &made, &err),
                   ERR_INVALID_ARGUMENT);
  assert_int_equal(catalog_column_ensure(table, COLUMN_FIELD, STR(""), TYPE_INT64, &made, &err),
                   ERR_INVALID_ARGUMENT);
  free(name);
  catalog_table_release(table);
}

static void test_columns(void **state) {
  (void)state;
  struct err err;
  catalog_database_create(world.catalog, STR("db"), TIME_NS, &err);
  struct catalog_table *table = ensure("db", "m");
  /* A tag and a field may share a name; more columns than are searched one by one. */
  const struct catalog_column *tag = column(table, COLUMN_TAG, "v", TYPE_STRING),
                              *field = column(table, COLUMN_FIELD, "v", TYPE_FLOAT64), *other;
  assert_true(tag != field && tag->id != field->id);
  assert_true(atomic_load(&tag->pending));
  assert_int_equal(catalog_column_ensure(table, COLUMN_FIELD, STR("v"), TYPE_INT64, &other, &err),
                   ERR_TYPE_CONFLICT);
  assert_non_null(strstr(err.message, "is type integer, already exists as type float"));
  char name[16];
  for (int i = 0; i < 100; i++) {
    snprintf(name, sizeof name, "f%d", i);
    column(table, COLUMN_FIELD, name, TYPE_INT64);
    assert_ptr_equal(catalog_column_find(table, COLUMN_TAG, STR("v")), tag);
    assert_ptr_equal(catalog_column_find(table, COLUMN_FIELD, STR("v")), field);
  }
  const struct catalog_column *const *columns;
  assert_int_equal(catalog_table_columns(table, &columns), 102);
  for (uint32_t i = 0; i < 102; i++) {
    assert_ptr_equal(catalog_column_by_id(table, columns[i]->id), columns[i]);
    if (i) assert_true(columns[i - 1]->id < columns[i]->id);
  }
  assert_null(catalog_column_by_id(table, 1000));
  assert_null(catalog_column_find(table, COLUMN_FIELD, STR("none")));
  catalog_table_release(table);
}

static int append_name(void *context, struct catalog_table *table) {
  return buffer_append_str(context, table->name) && buffer_append_byte(context, ' ')
             ? 0
             : ERR_NO_MEMORY;
}

static void expect_tables(const char *names) {
  struct buffer out;
  buffer_init(&out, &world.account);
  assert_int_equal(
      catalog_table_list(world.catalog, STR("db"), (struct str){0}, append_name, &out, NULL), 0);
  buffer_append_byte(&out, 0);
  assert_string_equal((char *)out.data, names);
  buffer_deinit(&out);
}

/* ---- life ---- */

static void test_pending_tables_are_not_listed(void **state) {
  (void)state;
  catalog_database_create(world.catalog, STR("db"), TIME_NS, NULL);
  struct catalog_table *b = ensure("db", "b"), *a = ensure("db", "a");
  expect_tables("");
  commit_table(b);
  expect_tables("b ");
  commit_table(a);
  expect_tables("a b ");
  assert_false(atomic_load(&a->pending));
  catalog_table_release(a);
  catalog_table_release(b);
}

static void test_drops(void **state) {
  (void)state;
  struct err err;
  catalog_database_create(world.catalog, STR("db"), TIME_NS, &err);
  struct catalog_table *table = ensure("db", "m");
  uint64_t id = table->id, generation = catalog_drop_generation(world.catalog);
  int detached = 0;
  atomic_store(&table->attachment, &detached);
  catalog_table_drop(world.catalog, table);
  catalog_table_drop(world.catalog, table);
  assert_true(catalog_drop_generation(world.catalog) > generation);
  assert_null(find("db", "m"));
  assert_null(catalog_table_by_id(world.catalog, id));
  /* Still readable for who holds it. */
  assert_true(str_equal(table->name, STR("m")) && atomic_load(&table->dropped));
  assert_int_equal(detached, 0);
  catalog_table_release(table);
  assert_int_equal(detached, 1);
  struct catalog_table *held = ensure("db", "m");
  assert_true(held->id > id);
  catalog_table_release(ensure("db", "n"));
  struct buffer tables;
  buffer_init(&tables, &world.account);
  assert_int_equal(catalog_database_tables(world.catalog, STR("db"), &tables, &err), ERR_OK);
  assert_int_equal(tables.size, 16);
  buffer_deinit(&tables);
  catalog_database_drop(world.catalog, STR("db"));
  catalog_database_drop(world.catalog, STR("db"));
  assert_true(atomic_load(&held->dropped));
  catalog_table_release(held);
  assert_null(find("db", "n"));
}

/* ---- records ---- */

/* Rules of every kind. */
static void make_settings(struct catalog_table *table) {
  static const struct lossy_bound bounds[] = {{LOSSY_RELATIVE, 0, 0.001},
                                              {LOSSY_NONE, 0, 0},
                                              {LOSSY_ABSOLUTE, 0, 0.25},
                                              {LOSSY_DECIMALS, 3, 0}};
  static const char *const fields[] = {"", "f", "not there yet", "w"};
  struct arena arena;
  struct catalog_settings settings;
  const struct catalog_settings *kept;
  arena_init(&arena, &world.account, 512);
  assert_int_equal(
      catalog_settings_draft(catalog_table_settings(table), 4, &arena, &settings, NULL), ERR_OK);
  assert_int_equal(settings.number, 0);
  assert_int_equal(settings.codec, CATALOG_CODEC_ENTROPY);
  for (int i = 3; i >= 0; i--)
    assert_int_equal(catalog_settings_set(&settings, str_from(fields[i]), &bounds[i], NULL),
                     ERR_OK);
  settings.number = 300;
  settings.codec = CATALOG_CODEC_ZSTD;
  assert_int_equal(catalog_table_settings_prepare(table, &settings, &kept, NULL), ERR_OK);
  catalog_table_settings_apply(table, kept);
  arena_deinit(&arena);
}

static void check_settings(const struct catalog_table *table) {
  const struct catalog_settings *settings = catalog_table_settings(table);
  enum catalog_codec codec;
  assert_int_equal(settings->number, 300);
  assert_int_equal(settings->bound_count, 4);
  assert_true(catalog_table_codec(world.catalog, table->id, &codec));
  assert_int_equal(codec, CATALOG_CODEC_ZSTD);
  assert_null(catalog_settings_bound(settings, STR("f")));
  assert_true(catalog_settings_bound(settings, STR("other"))->limit == 0.001);
  assert_true(catalog_settings_bound(settings, STR("not there yet"))->limit == 0.25);
  assert_int_equal(catalog_settings_bound(settings, STR("w"))->decimals, 3);
}

/* Rules are replaced, removed, and told by name. */
static void test_settings(void **state) {
  (void)state;
  struct arena arena;
  static const struct catalog_settings none = {0};
  struct catalog_settings settings;
  struct lossy_bound bound = {LOSSY_DECIMALS, 1, 0};
  char text[CATALOG_BOUND_TEXT_MAX];
  static char names[CATALOG_BOUNDS_MAX][8];
  arena_init(&arena, &world.account, 512);
  assert_int_equal(catalog_settings_draft(&none, CATALOG_BOUNDS_MAX, &arena, &settings, NULL),
                   ERR_OK);
  int64_t drafted = mem_account_used(&world.account);
  assert_null(catalog_settings_bound(&settings, STR("b")));
  static const char *const order[] = {"c", "a", "b", "a"};
  for (unsigned i = 0; i < 4; i++) {
    bound.decimals = i;
    assert_int_equal(catalog_settings_set(&settings, str_from(order[i]), &bound, NULL), ERR_OK);
  }
  assert_int_equal(settings.bound_count, 3);
  assert_int_equal(catalog_settings_bound(&settings, STR("a"))->decimals, 3);
  assert_int_equal(catalog_settings_bound(&settings, STR("c"))->decimals, 0);
  for (int i = 0; i < 2; i++) /* the second time there is nothing to remove */
    assert_int_equal(catalog_settings_set(&settings, STR("b"), NULL, NULL), ERR_OK);
  assert_int_equal(settings.bound_count, 2);
  assert_null(catalog_settings_bound(&settings, STR("b")));
  assert_string_equal(catalog_bound_text(&bound, text), "decimals 3");
  bound = (struct lossy_bound){LOSSY_RELATIVE, 0, 1e-6};
  assert_string_equal(catalog_bound_text(&bound, text), "relative error 0.000001");
  assert_int_equal(catalog_codec_of(STR("zstd")), CATALOG_CODEC_ZSTD);
  assert_int_equal(catalog_codec_of(STR("ZSTD")), CATALOG_CODEC_ZSTD);
  assert_int_equal(catalog_codec_of(STR("lz4")), -1);
  for (int i = 0; settings.bound_count < CATALOG_BOUNDS_MAX; i++) {
    snprintf(names[i], sizeof names[i], "%d", i * 7 % CATALOG_BOUNDS_MAX);
    assert_int_equal(catalog_settings_set(&settings, str_from(names[i]), &bound, NULL), ERR_OK);
  }
  for (uint32_t i = 1; i < settings.bound_count; i++)
    assert_true(str_compare(settings.bounds[i - 1].field, settings.bounds[i].field) < 0);
  assert_int_equal(catalog_settings_set(&settings, STR("more"), &bound, NULL), ERR_LIMIT_EXCEEDED);
  assert_int_equal(catalog_settings_set(&settings, STR("a"), &bound, NULL), ERR_OK);
  assert_int_equal(settings.bound_count, CATALOG_BOUNDS_MAX);
  /* however many changes there are, the draft stays where it is */
  assert_int_equal(mem_account_used(&world.account), drafted);
  arena_deinit(&arena);
}

/* Objects of every kind. Ids follow from the order. */
static void make_objects(struct catalog_changes *changes) {
  struct err err;
  assert_int_equal(catalog_database_create(world.catalog, STR("db"), TIME_NS, &err), ERR_OK);
  assert_int_equal(catalog_database_create(world.catalog,
                                           STR("Gr\xc3\xb6\xc3\x9f"
                                               "e"),
                                           TIME_S, &err),
                   ERR_OK);
  static const char *const names[] = {"cpu", "a measurement, with = and \"quotes\""};
  for (int t = 0; t < 2; t++) {
    struct catalog_table *table = ensure(t ? "Gr\xc3\xb6\xc3\x9f"
                                             "e"
                                           : "db",
                                         names[t]);
    column(table, COLUMN_TAG, "host", TYPE_STRING);
    column(table, COLUMN_FIELD, "f", TYPE_FLOAT64);
    column(table, COLUMN_FIELD, "i", TYPE_INT64);
    column(table, COLUMN_FIELD, "u", TYPE_UINT64);
    column(table, COLUMN_FIELD, "b", TYPE_BOOL);
    column(table, COLUMN_FIELD, "host", TYPE_STRING);
    if (t) make_settings(table);
    catalog_changes_table(changes, table);
    const struct catalog_column *const *columns;
    size_t count = catalog_table_columns(table, &columns);
    for (size_t i = 0; i < count; i++)
      catalog_changes_column(changes, table, columns[i]);
    catalog_table_release(table);
  }
  struct catalog_database gone = {.id = 90};
  catalog_changes_database_drop(changes, &gone);
  catalog_changes_table_drop(changes, 95);
}

static void check_objects(void) {
  struct catalog_database database;
  assert_int_equal(catalog_database_find(world.catalog,
                                         STR("Gr\xc3\xb6\xc3\x9f"
                                             "e"),
                                         &database, NULL),
                   ERR_OK);
  assert_int_equal(database.unit, TIME_S);
  struct catalog_table *table = find("db", "cpu"),
                       *other = find("Gr\xc3\xb6\xc3\x9f"
                                     "e",
                                     "a measurement, with = and \"quotes\"");
  assert_non_null(table);
  assert_non_null(other);
  assert_int_equal(table->id, CATALOG_FIRST_ID + 4);
  assert_int_equal(other->unit, TIME_S);
  assert_int_equal(catalog_table_settings(table)->number, 0);
  check_settings(other);
  const struct catalog_column *const *columns;
  assert_int_equal(catalog_table_columns(table, &columns), 6);
  assert_true(type_equal(catalog_column_find(table, COLUMN_FIELD, STR("u"))->type, TYPE_UINT64));
  assert_true(type_equal(catalog_column_find(table, COLUMN_FIELD, STR("host"))->type, TYPE_STRING));
  assert_false(atomic_load(&columns[0]->pending));
  catalog_table_release(table);
  catalog_table_release(other);
  /* Above every id there ever was. */
  struct catalog_table *fresh = ensure("db", "fresh");
  assert_int_equal(fresh->id, 96);
  assert_int_equal(column(fresh, COLUMN_FIELD, "v", TYPE_INT64)->id, 1);
  catalog_table_release(fresh);
}

static const char *const golden = "tests/golden/catalog/v1_records.txt";

/* The rows as text: kind, key, record in hexadecimal. */
static void rows_text(const struct store_rows *rows, char *out, size_t size) {
  size_t at = 0;
  for (uint32_t i = 0; i < rows->rows; i++) {
    struct str record = column_str(&rows->columns[0].column, i);
    at += (size_t)snprintf(out + at, size - at, "%llu %lld ", (unsigned long long)rows->series[i],
                           (long long)rows->keys[i]);
    for (size_t b = 0; b < record.size; b++)
      at += (size_t)snprintf(out + at, size - at, "%02x", (unsigned char)record.data[b]);
    at += (size_t)snprintf(out + at, size - at, "\n");
  }
}

static void test_golden_records(void **state) {
  (void)state;
  static char made[1 << 14], stored[1 << 14];
  struct arena arena;
  arena_init(&arena, &world.account, 1024);
  struct catalog_changes changes;
  catalog_changes_init(&changes, &arena);
  make_objects(&changes);
  struct store_rows rows;
  assert_int_equal(catalog_changes_rows(&changes, &rows, NULL), ERR_OK);
  assert_int_equal(rows.tombstone_count, 1);
  rows_text(&rows, made, sizeof made);
  if (getenv("NILO_GOLDEN_WRITE")) {
    FILE *file = fopen(golden, "w");
    assert_non_null(file);
    fputs(made, file);
    fclose(file);
  }
  FILE *file = fopen(golden, "r");
  assert_non_null(file);
  stored[fread(stored, 1, sizeof stored - 1, file)] = 0;
  fclose(file);
  assert_string_equal(made, stored);
  commit(&changes);
  arena_deinit(&arena);
  world_reopen();
  check_objects();
}

/* A record with any byte changed, cut or lengthened: it is refused or read as something else, and
 * nothing worse. */
static void test_damaged_records(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena, &world.account, 1024);
  struct catalog_changes changes;
  catalog_changes_init(&changes, &arena);
  make_objects(&changes);
  struct store_rows rows;
  assert_int_equal(catalog_changes_rows(&changes, &rows, NULL), ERR_OK);
  struct column records = rows.columns[0].column;
  uint32_t refused = 0, count = 0;
  for (uint32_t row = 0; row < rows.rows; row++) {
    struct str record = column_str(&records, row);
    for (size_t change = 0; change < 3 * record.size; change++, count++) {
      char bytes[256];
      int32_t offsets[2] = {0, (int32_t)record.size};
      memcpy(bytes, record.data, record.size);
      if (change < record.size)
        bytes[change] ^= (char)(1 << change % 8);
      else if (change < 2 * record.size)
        bytes[change - record.size] = (char)0xff;
      else
        offsets[1] = (int32_t)(change - 2 * record.size);
      /* Alone in the store, newest of its key; then the good one again. */
      struct store_column column = {
          .id = 1, .column = {.type = TYPE_BYTES, .length = 1, .offsets = offsets, .data = bytes}};
      struct store_rows one = {.store = CATALOG_STORE,
                               .policy = STORE_NEWEST_ROW,
                               .rows = 1,
                               .series = &rows.series[row],
                               .keys = &rows.keys[row],
                               .columns = &column,
                               .column_count = 1};
      assert_int_equal(store_write(world.shard, &rows, 1, NULL, NULL), ERR_OK);
      assert_int_equal(store_write(world.shard, &one, 1, NULL, NULL), ERR_OK);
      catalog_destroy(world.catalog);
      struct err err;
      err_reset(&err);
      assert_int_equal(catalog_create(world.os, &world.account, detach, &world.catalog, &err), 0);
      int code = load(&err);
      assert_true(code == ERR_OK || code == ERR_CORRUPTION);
      refused += code != ERR_OK;
    }
  }
  assert_true(refused > count / 3);
  arena_deinit(&arena);
}

/* Every allocation fails once: an error, and the object is there once or not at all. */
static void test_every_allocation_fails_once(void **state) {
  (void)state;
  struct err err;
  char name[400], columns_name[400];
  memset(name, 'n', sizeof name);
  memset(columns_name, 'c', sizeof columns_name);
  name[399] = columns_name[399] = 0;
  for (int64_t n = 1; n < 40; n++) {
    snprintf(name + 380, 20, "%lld", (long long)n);
    atomic_store(&world.account.fail_countdown, n);
    int code = catalog_database_create(world.catalog, STR("db"), TIME_NS, &err);
    struct catalog_table *table = NULL, *again;
    if (!code)
      code = catalog_table_ensure(world.catalog, STR("db"), (struct str){0}, str_from(name), &table,
                                  &err);
    const struct catalog_column *made, *twice;
    for (int c = 0; c < 20 && !code; c++) {
      snprintf(columns_name + 380, 20, "%d", c);
      code = catalog_column_ensure(table, COLUMN_FIELD, str_from(columns_name), TYPE_INT64, &made,
                                   &err);
    }
    atomic_store(&world.account.fail_countdown, 0);
    if (code) assert_int_equal(err_info(code)->class, ERR_CLASS_RESOURCE);
    assert_int_equal(catalog_database_create(world.catalog, STR("db"), TIME_NS, &err), ERR_OK);
    again = ensure("db", name);
    if (table) assert_ptr_equal(table, again);
    for (int c = 0; c < 20; c++) {
      snprintf(columns_name + 380, 20, "%d", c);
      twice = column(again, COLUMN_FIELD, columns_name, TYPE_INT64);
      assert_int_equal(twice->id, c + 1);
    }
    catalog_table_release(table);
    catalog_table_release(again);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_databases, begin, end),
      cmocka_unit_test_setup_teardown(test_limits, begin, end),
      cmocka_unit_test_setup_teardown(test_columns, begin, end),
      cmocka_unit_test_setup_teardown(test_pending_tables_are_not_listed, begin, end),
      cmocka_unit_test_setup_teardown(test_drops, begin, end),
      cmocka_unit_test_setup_teardown(test_settings, begin, end),
      cmocka_unit_test_setup_teardown(test_golden_records, begin, end),
      cmocka_unit_test_setup_teardown(test_damaged_records, begin, end),
      cmocka_unit_test_setup_teardown(test_every_allocation_fails_once, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
