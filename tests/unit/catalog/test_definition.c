/* What SQL adds to the catalog: schemas, definitions of tables, renamed and dropped columns,
 * renamed tables, views, comments; in memory, over a restart, as records against a golden file, and
 * damaged.
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
#include "catalog/definition.h"
#include "catalog/view.h"
#include "os/os.h"
#include "os/sim.h"
#include "store/store.h"

struct world {
  struct os *os;
  struct mem_account account;
  struct store_shard *shard;
  struct catalog *catalog;
  struct arena arena;
  struct catalog_changes changes;
  int detached;
};
static struct world world;

static void detach(void *attachment) { ++*(int *)attachment; }

static void world_open(void) {
  struct err err = {.offset = -1};
  struct store_options options;
  store_options_default(&options);
  options.path = "/data";
  options.os = world.os;
  options.account = &world.account;
  options.background = false;
  assert_int_equal(store_shard_open(&options, &world.shard, &err), ERR_OK);
  assert_int_equal(catalog_create(world.os, &world.account, detach, &world.catalog, &err), ERR_OK);
}

static int load(struct err *err) {
  struct store_snapshot *snapshot;
  assert_int_equal(store_snapshot_acquire(world.shard, &snapshot, err), ERR_OK);
  int code = catalog_load(world.catalog, snapshot, &world.account, err);
  store_snapshot_release(snapshot);
  return code;
}

static void world_reopen(void) {
  struct err err = {.offset = -1};
  catalog_destroy(world.catalog);
  store_shard_close(world.shard);
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
  arena_init(&world.arena, &world.account, 1024);
  catalog_changes_init(&world.changes, &world.arena);
  return catalog_database_create(world.catalog, STR("db"), TIME_NS, &err);
}

static int end(void **state) {
  (void)state;
  arena_deinit(&world.arena);
  catalog_destroy(world.catalog);
  store_shard_close(world.shard);
  os_destroy(world.os);
  mem_account_deinit(&world.account);
  return 0;
}

static void commit(void) {
  struct store_rows rows;
  struct err err = {.offset = -1};
  assert_int_equal(catalog_changes_rows(&world.changes, &rows, &err), ERR_OK);
  if (store_write(world.shard, &rows, 1, NULL, &err)) fail_msg("commit: %s", err.message);
  catalog_changes_confirm(&world.changes);
  catalog_changes_init(&world.changes, &world.arena);
}

static struct catalog_table *find(const char *schema, const char *name) {
  return catalog_table_find(world.catalog, STR("db"), str_from(schema), str_from(name));
}

static const struct catalog_column *column(struct catalog_table *table, enum column_kind kind,
                                           const char *name, struct type type) {
  const struct catalog_column *made;
  assert_int_equal(catalog_column_ensure(table, kind, str_from(name), type, &made, NULL), ERR_OK);
  catalog_changes_column(&world.changes, table, made);
  return made;
}

/* Prepares, with a definition, and publishes. */
static struct catalog_table *create(const char *schema, const char *name,
                                    const struct catalog_definition *definition) {
  struct catalog_table *table;
  struct err err = {.offset = -1};
  if (catalog_table_prepare(world.catalog, STR("db"), str_from(schema), str_from(name), TIME_MS,
                            &table, &err))
    fail_msg("create %s: %s", name, err.message);
  const struct catalog_definition *kept;
  assert_int_equal(catalog_definition_prepare(table, definition, &kept, &err), ERR_OK);
  catalog_table_define(table, kept);
  column(table, COLUMN_FIELD, "a", TYPE_INT32);
  column(table, COLUMN_FIELD, "b", TYPE_DECIMAL);
  catalog_changes_table(&world.changes, table);
  assert_null(find(schema, name)); /* not before the commit */
  commit();
  catalog_table_publish(table);
  return table;
}

static const uint32_t key_columns[] = {0};
static const struct catalog_column_definition columns[] = {
    {.id = 1, .not_null = true, .default_text = {"1 + 2", 5}},
    {.id = 2, .precision = 10, .scale = -2, .comment = {"the price", 9}},
    {.id = 9, .length = 300},
};
static const struct catalog_check checks[] = {{{"t_a_check", 9}, {"a > 0", 5}}};
static const struct catalog_unique uniques[] = {{{"t_pkey", 6}, true, 1, key_columns}};
static const struct catalog_definition rows_definition = {.number = 1,
                                                          .kind = CATALOG_ROWS,
                                                          .key = CATALOG_KEY_INTEGER,
                                                          .key_type = {PHYSICAL_INT64, 8, 0},
                                                          .key_name = {"id", 2},
                                                          .retention_ns = -1,
                                                          .column_count = 3,
                                                          .check_count = 1,
                                                          .unique_count = 1,
                                                          .columns = columns,
                                                          .checks = checks,
                                                          .uniques = uniques};

static void check_definition(struct catalog_table *table) {
  const struct catalog_definition *definition = catalog_table_definition(table);
  assert_true(catalog_definition_is_rows(definition));
  assert_int_equal(definition->key, CATALOG_KEY_INTEGER);
  assert_true(type_equal(definition->key_type, rows_definition.key_type));
  assert_true(str_equal(catalog_key_name(definition), STR("id")));
  const struct catalog_column_definition *a = catalog_column_definition_of(definition, 1),
                                         *b = catalog_column_definition_of(definition, 2),
                                         *c = catalog_column_definition_of(definition, 9);
  assert_true(a->not_null && str_equal(a->default_text, STR("1 + 2")));
  assert_true(!b->not_null && b->precision == 10 && b->scale == -2);
  assert_true(str_equal(b->comment, STR("the price")));
  assert_int_equal(c->length, 300);
  assert_null(catalog_column_definition_of(definition, 3));
  assert_null(catalog_column_definition_of(definition, 10));
  assert_true(str_equal(definition->checks[0].text, STR("a > 0")));
  const struct catalog_unique *primary = catalog_primary_key(definition);
  assert_true(primary && primary->column_count == 1 && primary->columns[0] == 0);
}

static void test_definitions(void **state) {
  (void)state;
  struct catalog_table *table = create("", "t", &rows_definition), *other;
  const struct catalog_column *made;
  struct err err = {.offset = -1};
  check_definition(table);
  assert_int_equal(table->unit, TIME_MS);
  /* The key's name is taken. */
  assert_int_equal(catalog_column_ensure(table, COLUMN_FIELD, STR("id"), TYPE_INT64, &made, &err),
                   ERR_INVALID_ARGUMENT);
  assert_int_equal(
      catalog_table_prepare(world.catalog, STR("db"), STR(""), STR("t"), TIME_NS, &other, &err),
      ERR_ALREADY_EXISTS);
  world_reopen();
  table = find("public", "t");
  check_definition(table);
  struct catalog_storage storage;
  assert_true(catalog_table_storage(world.catalog, table->id, &storage));
  assert_int_equal(storage.kind, CATALOG_ROWS);
  catalog_table_release(table);
}

/* A table that line protocol made says nothing: series, "time". */
static void test_tables_without_definition(void **state) {
  (void)state;
  struct catalog_table *table;
  assert_int_equal(catalog_table_ensure(world.catalog, STR("db"), STR(""), STR("m"), &table, NULL),
                   ERR_OK);
  const struct catalog_definition *definition = catalog_table_definition(table);
  assert_int_equal(definition->number, 0);
  assert_int_equal(definition->kind, CATALOG_SERIES);
  assert_int_equal(definition->retention_ns, -1);
  assert_true(str_equal(catalog_key_name(definition), STR("time")));
  /* A pending table, of which nobody was told, makes way. */
  struct catalog_table *taken;
  uint64_t id = table->id;
  assert_int_equal(
      catalog_table_prepare(world.catalog, STR("db"), STR(""), STR("m"), TIME_S, &taken, NULL),
      ERR_OK);
  assert_true(atomic_load(&table->dropped) && taken->id > id);
  catalog_table_discard(taken);
  assert_null(find("", "m"));
  catalog_table_release(table);
}

static int count_schema(void *context, const struct catalog_schema *schema) {
  int *count = context;
  assert_int_equal(schema->is_default, *count == 0);
  ++*count;
  return 0;
}

static void test_schemas(void **state) {
  (void)state;
  struct err err = {.offset = -1};
  struct catalog_retention retention = {.duration_ns = 7 * NS_PER_DAY, .rule = 1}, found;
  struct catalog_schema schema;
  int count = 0;
  assert_int_equal(catalog_schema_create(world.catalog, STR("db"), STR("week"), &retention, &err),
                   ERR_OK);
  catalog_changes_schema(&world.changes, world.catalog, STR("db"), STR("week"));
  commit();
  assert_int_equal(catalog_schema_create(world.catalog, STR("db"), STR("week"), &retention, &err),
                   ERR_ALREADY_EXISTS);
  assert_int_equal(catalog_schema_create(world.catalog, STR("db"), STR("public"), &retention, &err),
                   ERR_ALREADY_EXISTS);
  /* The same name in two schemas is two tables. */
  struct catalog_definition series = {.number = 1, .key_name = {"ts", 2}, .retention_ns = -1};
  struct catalog_table *here = create("", "t", &series), *there = create("week", "t", &series);
  assert_true(here != there && here->schema_id != there->schema_id);
  enum time_unit unit;
  assert_true(catalog_table_retention(world.catalog, there->id, &found, &unit));
  assert_int_equal(found.duration_ns, 7 * NS_PER_DAY);
  assert_true(catalog_table_retention(world.catalog, here->id, &found, &unit));
  assert_int_equal(found.duration_ns, 0);
  world_reopen();
  assert_int_equal(catalog_schema_list(world.catalog, STR("db"), count_schema, &count, &err), 0);
  assert_int_equal(count, 2);
  assert_int_equal(catalog_schema_find(world.catalog, STR("db"), STR("week"), &schema, &err), 0);
  assert_int_equal(schema.retention.duration_ns, 7 * NS_PER_DAY);
  assert_int_equal(catalog_schema_find(world.catalog, STR("db"), STR("weak"), &schema, &err),
                   ERR_NOT_FOUND);
  assert_non_null(strstr(err.hint, "\"week\""));
  there = find("week", "t");
  assert_non_null(there);
  struct buffer tables;
  buffer_init(&tables, &world.account);
  catalog_schema_find(world.catalog, STR("db"), STR("week"), &schema, &err);
  assert_int_equal(catalog_schema_tables(world.catalog, &schema, &tables, &err), ERR_OK);
  assert_int_equal(tables.size, 8);
  buffer_deinit(&tables);
  catalog_changes_schema_drop(&world.changes, &schema);
  commit();
  catalog_schema_drop(world.catalog, STR("db"), STR("week"));
  assert_true(atomic_load(&there->dropped));
  catalog_table_release(there);
  /* Its table's record is still there, and passed over. */
  world_reopen();
  assert_null(find("week", "t"));
  here = find("", "t");
  assert_non_null(here);
  catalog_table_release(here);
}

static void test_own_retention(void **state) {
  (void)state;
  struct catalog_definition series = {.number = 1,
                                      .retention_ns = NS_PER_DAY,
                                      .retention_rule = 2,
                                      .partition_ns = NS_PER_HOUR,
                                      .history_commits = 10};
  struct catalog_table *table = create("", "t", &series);
  struct catalog_retention retention;
  struct catalog_storage storage;
  enum time_unit unit;
  assert_true(catalog_table_retention(world.catalog, table->id, &retention, &unit));
  assert_int_equal(retention.duration_ns, NS_PER_DAY);
  assert_int_equal(retention.rule, UINT64_C(2) << 32);
  assert_true(catalog_table_storage(world.catalog, table->id, &storage));
  assert_int_equal(storage.partition_ns, NS_PER_HOUR);
  assert_int_equal(storage.history_commits, 10);
}

static void test_columns_change(void **state) {
  (void)state;
  struct catalog_table *table = create("", "t", &rows_definition);
  struct catalog_column_draft draft;
  struct err err = {.offset = -1};
  const struct catalog_column *a = catalog_column_find(table, COLUMN_FIELD, STR("a")), *list_a;
  const struct catalog_column *const *before;
  size_t count = catalog_table_columns(table, &before);
  list_a = before[0];
  assert_int_equal(catalog_column_draft(table, a, STR("b"), &draft, &err), ERR_DUPLICATE_COLUMN);
  assert_int_equal(catalog_column_draft(table, a, STR("id"), &draft, &err), ERR_INVALID_ARGUMENT);
  assert_int_equal(catalog_column_draft(table, a, STR("z"), &draft, &err), ERR_OK);
  assert_non_null(catalog_column_find(table, COLUMN_FIELD, STR("a"))); /* not yet */
  catalog_changes_column_name(&world.changes, table, a, STR("z"));
  commit();
  uint64_t generation = catalog_drop_generation(world.catalog);
  catalog_column_apply(table, &draft);
  assert_true(catalog_drop_generation(world.catalog) > generation);
  assert_null(catalog_column_find(table, COLUMN_FIELD, STR("a")));
  const struct catalog_column *z = catalog_column_find(table, COLUMN_FIELD, STR("z"));
  assert_true(z && z->id == 1 && type_equal(z->type, TYPE_INT32));
  assert_int_equal(count, 2); /* who walks the old list goes on */
  assert_ptr_equal(before[0], list_a);
  /* a is free again, under a new id; dropped ids are not given again */
  assert_int_equal(column(table, COLUMN_FIELD, "a", TYPE_BOOL)->id, 3);
  const struct catalog_column *three = catalog_column_by_id(table, 3);
  commit();
  assert_int_equal(catalog_column_draft(table, three, STR(""), &draft, &err), ERR_OK);
  catalog_changes_column_drop(&world.changes, table, three);
  commit();
  catalog_column_apply(table, &draft);
  assert_null(catalog_column_by_id(table, 3));
  for (int i = 0; i < 30; i++) { /* beyond the first list's room */
    char name[8];
    snprintf(name, sizeof name, "n%d", i);
    column(table, COLUMN_FIELD, name, TYPE_INT64);
  }
  assert_int_equal(catalog_column_find(table, COLUMN_FIELD, STR("n0"))->id, 4);
  world_reopen();
  table = find("", "t");
  assert_int_equal(catalog_column_find(table, COLUMN_FIELD, STR("z"))->id, 1);
  assert_null(catalog_column_find(table, COLUMN_FIELD, STR("a")));
  assert_int_equal(column(table, COLUMN_FIELD, "c", TYPE_BOOL)->id, 4);
  catalog_table_release(table);
}

static void test_rename(void **state) {
  (void)state;
  struct err err = {.offset = -1};
  struct catalog_table *table = create("", "t", &rows_definition), *other, *next;
  int attached = 0;
  atomic_store(&table->attachment, &attached);
  catalog_table_retain(table);
  create("", "taken", &rows_definition);
  assert_int_equal(catalog_table_rename(world.catalog, table, STR(""), STR("taken"), &next, &err),
                   ERR_ALREADY_EXISTS);
  assert_int_equal(catalog_table_rename(world.catalog, table, STR(""), STR("u"), &next, &err),
                   ERR_OK);
  atomic_store(&next->pending, true);
  catalog_changes_table(&world.changes, next);
  commit();
  catalog_table_publish(next);
  assert_null(find("", "t"));
  other = find("", "u");
  assert_ptr_equal(other, next);
  assert_int_equal(other->id, table->id);
  check_definition(other);
  assert_int_equal(catalog_column_find(other, COLUMN_FIELD, STR("b"))->id, 2);
  /* Who holds the old one reads on, and finds its way. */
  assert_true(str_equal(table->name, STR("t")) && !atomic_load(&table->dropped));
  assert_ptr_equal(catalog_table_now(table), other);
  assert_ptr_equal(atomic_load(&other->attachment), &attached);
  catalog_table_release(table);
  assert_int_equal(attached, 0);
  catalog_table_drop(world.catalog, other);
  catalog_table_release(other);
  assert_int_equal(attached, 1);
  world_reopen();
  assert_null(find("", "t"));
  other = find("", "u");
  check_definition(other);
  catalog_table_release(other);
}

static int append_name(void *context, const struct catalog_view *view) {
  return buffer_append_str(context, view->name) && buffer_append_byte(context, ' ') ? 0
                                                                                    : ERR_NO_MEMORY;
}

static void make_view(const char *name, const char *body) {
  static const struct str names[] = {{"x", 1}, {"y z", 3}};
  struct catalog_view view = {.database = STR("db"),
                              .schema = STR(""),
                              .name = str_from(name),
                              .body = str_from(body),
                              .column_count = 2,
                              .columns = names};
  struct catalog_view_draft draft;
  assert_int_equal(catalog_view_prepare(world.catalog, &view, &draft, NULL), ERR_OK);
  catalog_changes_view(&world.changes, &view);
  commit();
  catalog_view_publish(&draft);
}

static void test_views(void **state) {
  (void)state;
  struct catalog_view view;
  create("", "t", &rows_definition); /* brings the database's rows */
  make_view("w", "SELECT 1, 2");
  make_view("v", "SELECT 3, 4");
  assert_true(catalog_view_find(world.catalog, STR("db"), STR(""), STR("v"), &world.arena, &view));
  uint64_t id = view.id;
  make_view("v", "SELECT 5, 6"); /* in its place */
  world_reopen();
  assert_true(catalog_view_find(world.catalog, STR("db"), STR(""), STR("v"), &world.arena, &view));
  assert_int_equal(view.id, id);
  assert_true(str_equal(view.body, STR("SELECT 5, 6")) && view.column_count == 2 &&
              str_equal(view.columns[1], STR("y z")));
  struct buffer out;
  buffer_init(&out, &world.account);
  assert_int_equal(
      catalog_view_list(world.catalog, STR("db"), STR(""), &world.arena, append_name, &out, NULL),
      0);
  assert_true(str_equal(buffer_str(&out), STR("v w ")));
  buffer_deinit(&out);
  catalog_changes_view_drop(&world.changes, &view);
  commit();
  catalog_view_drop(world.catalog, view.schema_id, view.name);
  assert_false(catalog_view_find(world.catalog, STR("db"), STR(""), STR("v"), &world.arena, &view));
  world_reopen();
  assert_false(catalog_view_find(world.catalog, STR("db"), STR(""), STR("v"), &world.arena, &view));
  struct catalog_table *fresh;
  assert_int_equal(catalog_table_ensure(world.catalog, STR("db"), STR(""), STR("f"), &fresh, NULL),
                   ERR_OK);
  assert_true(fresh->id > id);
  catalog_table_release(fresh);
}

static void test_comments(void **state) {
  (void)state;
  struct catalog_table *table = create("", "t", &rows_definition);
  uint64_t id = table->id;
  catalog_changes_comment(&world.changes, id, STR("what it is for"));
  commit();
  catalog_comment_set(world.catalog, id, STR("what it is for"));
  world_reopen();
  assert_true(str_equal(catalog_comment(world.catalog, id, &world.arena), STR("what it is for")));
  catalog_changes_comment(&world.changes, id, STR(""));
  commit();
  world_reopen();
  assert_int_equal(catalog_comment(world.catalog, id, &world.arena).size, 0);
}

/* ---- records ---- */

static const char *const golden = "tests/golden/catalog/v1_definitions.txt";

static void make_objects(struct store_rows *rows) {
  static const struct str names[] = {{"x", 1}};
  struct catalog_retention retention = {.duration_ns = NS_PER_DAY, .rule = 1};
  assert_int_equal(catalog_schema_create(world.catalog, STR("db"), STR("s"), &retention, NULL), 0);
  struct catalog_table *table;
  const struct catalog_definition *kept;
  assert_int_equal(
      catalog_table_prepare(world.catalog, STR("db"), STR("s"), STR("t"), TIME_US, &table, NULL),
      0);
  assert_int_equal(catalog_definition_prepare(table, &rows_definition, &kept, NULL), 0);
  catalog_table_define(table, kept);
  column(table, COLUMN_FIELD, "a", TYPE_INT32);
  catalog_changes_table(&world.changes, table);
  catalog_changes_column_drop(&world.changes, table,
                              &(struct catalog_column){.id = 7, .name = {"gone", 4}});
  struct catalog_view view = {.id = 40,
                              .database_id = table->database_id,
                              .schema_id = table->schema_id,
                              .name = STR("v"),
                              .body = STR("SELECT a AS x FROM t"),
                              .column_count = 1,
                              .columns = names};
  catalog_changes_view(&world.changes, &view);
  catalog_changes_comment(&world.changes, table->id, STR("c"));
  assert_int_equal(catalog_changes_rows(&world.changes, rows, NULL), ERR_OK);
  catalog_table_discard(table);
}

static void test_golden_records(void **state) {
  (void)state;
  static char made[1 << 13], stored[1 << 13];
  struct store_rows rows;
  make_objects(&rows);
  size_t at = 0;
  for (uint32_t i = 0; i < rows.rows; i++) {
    struct str record = column_str(&rows.columns[0].column, i);
    at += (size_t)snprintf(made + at, sizeof made - at, "%llu %lld ",
                           (unsigned long long)rows.series[i], (long long)rows.keys[i]);
    for (size_t b = 0; b < record.size; b++)
      at += (size_t)snprintf(made + at, sizeof made - at, "%02x", (unsigned char)record.data[b]);
    at += (size_t)snprintf(made + at, sizeof made - at, "\n");
  }
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
  assert_int_equal(store_write(world.shard, &rows, 1, NULL, NULL), ERR_OK);
  world_reopen();
  struct catalog_table *table = find("s", "t");
  check_definition(table);
  assert_int_equal(column(table, COLUMN_FIELD, "n", TYPE_INT64)->id, 8);
  catalog_table_release(table);
}

/* A record with any byte changed, cut or lengthened: it is refused or read as something else, and
 * nothing worse. */
static void test_damaged_records(void **state) {
  (void)state;
  struct store_rows rows;
  make_objects(&rows);
  struct column records = rows.columns[0].column;
  uint32_t refused = 0, count = 0;
  for (uint32_t row = 0; row < rows.rows; row++) {
    struct str record = column_str(&records, row);
    for (size_t change = 0; change < 3 * record.size; change++, count++) {
      char bytes[512];
      int32_t offsets[2] = {0, (int32_t)record.size};
      memcpy(bytes, record.data, record.size);
      if (change < record.size)
        bytes[change] ^= (char)(1 << change % 8);
      else if (change < 2 * record.size)
        bytes[change - record.size] = (char)0xff;
      else
        offsets[1] = (int32_t)(change - 2 * record.size);
      struct store_column one_column = {
          .id = 1, .column = {.type = TYPE_BYTES, .length = 1, .offsets = offsets, .data = bytes}};
      struct store_rows one = {.store = CATALOG_STORE,
                               .policy = STORE_NEWEST_ROW,
                               .rows = 1,
                               .series = &rows.series[row],
                               .keys = &rows.keys[row],
                               .columns = &one_column,
                               .column_count = 1};
      assert_int_equal(store_write(world.shard, &rows, 1, NULL, NULL), ERR_OK);
      assert_int_equal(store_write(world.shard, &one, 1, NULL, NULL), ERR_OK);
      catalog_destroy(world.catalog);
      struct err err = {.offset = -1};
      assert_int_equal(catalog_create(world.os, &world.account, detach, &world.catalog, &err), 0);
      int code = load(&err);
      assert_true(code == ERR_OK || code == ERR_CORRUPTION);
      refused += code != ERR_OK;
    }
  }
  assert_true(refused > count / 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_definitions, begin, end),
      cmocka_unit_test_setup_teardown(test_tables_without_definition, begin, end),
      cmocka_unit_test_setup_teardown(test_schemas, begin, end),
      cmocka_unit_test_setup_teardown(test_own_retention, begin, end),
      cmocka_unit_test_setup_teardown(test_columns_change, begin, end),
      cmocka_unit_test_setup_teardown(test_rename, begin, end),
      cmocka_unit_test_setup_teardown(test_views, begin, end),
      cmocka_unit_test_setup_teardown(test_comments, begin, end),
      cmocka_unit_test_setup_teardown(test_golden_records, begin, end),
      cmocka_unit_test_setup_teardown(test_damaged_records, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
