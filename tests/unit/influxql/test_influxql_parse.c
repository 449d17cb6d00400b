/* The lexer and the grammar: what is read, how it is spelled back, what is refused and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "lang/influxql/influxql.h"

struct parsed {
  struct mem_account account;
  struct arena arena;
  struct influxql_query query;
  struct buffer text; /* statements printed, joined by "; " */
  struct err err;
  int code;
};

static void parse(struct parsed *parsed, struct str text) {
  *parsed = (struct parsed){0};
  err_reset(&parsed->err);
  mem_account_init(&parsed->account, "test", NULL, 0);
  arena_init(&parsed->arena, &parsed->account, 4096);
  buffer_init(&parsed->text, &parsed->account);
  parsed->code = influxql_parse(text, &parsed->arena, &parsed->query, &parsed->err);
  for (uint32_t i = 0; !parsed->code && i < parsed->query.count; i++) {
    if (i) buffer_append_text(&parsed->text, "; ");
    influxql_print(&parsed->query.statements[i], &parsed->text);
  }
}

static void parsed_deinit(struct parsed *parsed) {
  buffer_deinit(&parsed->text);
  arena_deinit(&parsed->arena);
  mem_account_deinit(&parsed->account);
}

static const struct {
  const char *text, *printed;
} good[] = {
    {"SELECT a FROM m", "SELECT \"a\" FROM \"m\""},
    {"select A from M;", "SELECT \"A\" FROM \"M\""},
    {"SELECT a FROM (SELECT b FROM m WHERE c = 1 GROUP BY d LIMIT 3), n WHERE time > 1 GROUP BY e",
     "SELECT \"a\" FROM (SELECT \"b\" FROM \"m\" WHERE \"c\" = 1 GROUP BY \"d\" LIMIT 3), \"n\" "
     "WHERE "
     "\"time\" > 1 GROUP BY \"e\""},
    {"SELECT a FROM (SELECT b FROM (SELECT c FROM m tz('UTC')))",
     "SELECT \"a\" FROM (SELECT \"b\" FROM (SELECT \"c\" FROM \"m\" tz('UTC')))"},
    {"SELECT a INTO d.p.m FROM n", "SELECT \"a\" INTO \"d\".\"p\".\"m\" FROM \"n\""},
    {"SELECT a INTO d..:measurement FROM /n/", "SELECT \"a\" INTO \"d\"..:MEASUREMENT FROM /n/"},
    {"explain select a from m", "EXPLAIN SELECT \"a\" FROM \"m\""},
    {"EXPLAIN ANALYZE SELECT analyze FROM m", "EXPLAIN ANALYZE SELECT \"analyze\" FROM \"m\""},
    {"SELECT a FROM m;;SHOW DATABASES", "SELECT \"a\" FROM \"m\"; SHOW DATABASES"},
    {" -- one\n SELECT /* two * / */ a FROM m -- three", "SELECT \"a\" FROM \"m\""},
    {"SELECT *, *::field, *::tag FROM m", "SELECT *, *::field, *::tag FROM \"m\""},
    {"SELECT \"a b\", \"q\\\"uote\", \"back\\\\slash\" FROM \"m\"",
     "SELECT \"a b\", \"q\\\"uote\", \"back\\\\slash\" FROM \"m\""},
    {"SELECT a::float, a::INTEGER, a::tag FROM m",
     "SELECT \"a\"::float, \"a\"::integer, \"a\"::tag FROM \"m\""},
    {"SELECT a.b.c FROM m", "SELECT \"a.b.c\" FROM \"m\""},
    {"SELECT a AS b, c AS 'd' FROM m", "SELECT \"a\" AS \"b\", \"c\" AS \"d\" FROM \"m\""},
    {"SELECT a+b*c-d FROM m", "SELECT \"a\" + \"b\" * \"c\" - \"d\" FROM \"m\""},
    {"SELECT (a+b)*c % 2 FROM m", "SELECT (\"a\" + \"b\") * \"c\" % 2 FROM \"m\""},
    {"SELECT a & 1 | b ^ 2 FROM m", "SELECT \"a\" & 1 | \"b\" ^ 2 FROM \"m\""},
    {"SELECT -a, -1, - -2.5, -(a) FROM m", "SELECT - \"a\", -1, 2.5, - (\"a\") FROM \"m\""},
    {"SELECT a / b FROM m", "SELECT \"a\" / \"b\" FROM \"m\""},
    {"SELECT /a\\/b/ FROM /^m.*\\d/", "SELECT /a\\/b/ FROM /^m.*\\d/"},
    {"SELECT MEAN(a), percentile(a, 90.5), count(distinct(b)) FROM m",
     "SELECT \"mean\"(\"a\"), \"percentile\"(\"a\", 90.5), \"count\"(\"distinct\"(\"b\")) FROM "
     "\"m\""},
    {"SELECT DISTINCT a FROM m", "SELECT \"distinct\"(\"a\") FROM \"m\""},
    {"SELECT a FROM r.m, d.r.m, d..m, r./x/, d../x/, d.r./x/",
     "SELECT \"a\" FROM \"r\".\"m\", \"d\".\"r\".\"m\", \"d\"..\"m\", \"r\"./x/, \"d\"../x/, "
     "\"d\".\"r\"./x/"},
    {"SELECT a FROM m WHERE h = 'x' AND i != 'y' AND j =~ /z/ OR k !~ /w/",
     "SELECT \"a\" FROM \"m\" WHERE \"h\" = 'x' AND \"i\" != 'y' AND \"j\" =~ /z/ OR \"k\" !~ "
     "/w/"},
    {"SELECT a FROM m WHERE a <> 1 AND a < 2 AND a <= 3 AND a > 4 AND a >= 5.0",
     "SELECT \"a\" FROM \"m\" WHERE \"a\" != 1 AND \"a\" < 2 AND \"a\" <= 3 AND \"a\" > 4 AND "
     "\"a\" >= 5.0"},
    {"SELECT a FROM m WHERE s = 'it\\'s' AND b = TRUE AND c = false",
     "SELECT \"a\" FROM \"m\" WHERE \"s\" = 'it\\'s' AND \"b\" = true AND \"c\" = false"},
    {"SELECT a FROM m WHERE time > now() - 1h30m AND time < 10u",
     "SELECT \"a\" FROM \"m\" WHERE \"time\" > \"now\"() - 1h30m AND \"time\" < 10u"},
    {"SELECT a FROM m WHERE a = 9223372036854775808 AND b = -9223372036854775808 AND c = .5e3",
     "SELECT \"a\" FROM \"m\" WHERE \"a\" = 9223372036854775808 AND \"b\" = -9223372036854775808 "
     "AND \"c\" = 500.0"},
    {"SELECT mean(a) FROM m GROUP BY time(5m, 1m), host, *, /r/ fill(previous)",
     "SELECT \"mean\"(\"a\") FROM \"m\" GROUP BY \"time\"(5m, 1m), \"host\", *, /r/ "
     "fill(previous)"},
    {"SELECT mean(a) FROM m GROUP BY h FILL(-2.5)",
     "SELECT \"mean\"(\"a\") FROM \"m\" GROUP BY \"h\" fill(-2.5)"},
    {"SELECT a FROM m ORDER BY time DESC LIMIT 1 OFFSET 2 SLIMIT 3 SOFFSET 4",
     "SELECT \"a\" FROM \"m\" ORDER BY time DESC LIMIT 1 OFFSET 2 SLIMIT 3 SOFFSET 4"},
    {"SELECT a FROM m ORDER BY \"time\" ASC", "SELECT \"a\" FROM \"m\""},
    /* words of statements are names elsewhere */
    {"SELECT name, key, duration, fill, tag, series FROM measurement GROUP BY field",
     "SELECT \"name\", \"key\", \"duration\", \"fill\", \"tag\", \"series\" FROM \"measurement\" "
     "GROUP BY \"field\""},
    {"SHOW MEASUREMENTS ON d WITH MEASUREMENT =~ /x/ WHERE h = 'a' LIMIT 2",
     "SHOW MEASUREMENTS ON \"d\" WITH MEASUREMENT =~ /x/ WHERE \"h\" = 'a' LIMIT 2"},
    {"SHOW TAG KEYS ON d FROM m WHERE h = 'a'",
     "SHOW TAG KEYS ON \"d\" FROM \"m\" WHERE \"h\" = 'a'"},
    {"SHOW TAG VALUES FROM m WITH KEY IN (a, \"b\")",
     "SHOW TAG VALUES FROM \"m\" WITH KEY IN (\"a\", \"b\")"},
    {"SHOW TAG VALUES WITH KEY !~ /a/", "SHOW TAG VALUES WITH KEY !~ /a/"},
    {"SHOW FIELD KEYS ON d FROM m", "SHOW FIELD KEYS ON \"d\" FROM \"m\""},
    {"SHOW SERIES FROM m WHERE h = 'a' LIMIT 3 OFFSET 4",
     "SHOW SERIES FROM \"m\" WHERE \"h\" = 'a' LIMIT 3 OFFSET 4"},
    {"SHOW SERIES EXACT CARDINALITY ON d", "SHOW SERIES EXACT CARDINALITY ON \"d\""},
    {"SHOW MEASUREMENT CARDINALITY", "SHOW MEASUREMENT CARDINALITY"},
    {"SHOW RETENTION POLICIES ON d", "SHOW RETENTION POLICIES ON \"d\""},
    {"CREATE DATABASE d", "CREATE DATABASE \"d\""},
    {"CREATE DATABASE d WITH PRECISION ms", "CREATE DATABASE \"d\" WITH PRECISION ms"},
    {"CREATE DATABASE d WITH DURATION 3d REPLICATION 2 SHARD DURATION 1h NAME \"r\"",
     "CREATE DATABASE \"d\" WITH DURATION 3d REPLICATION 2 SHARD DURATION 1h NAME \"r\""},
    {"CREATE DATABASE d WITH DURATION INF", "CREATE DATABASE \"d\" WITH DURATION INF"},
    {"alter retention policy autogen on d shard duration 2h duration 9w",
     "ALTER RETENTION POLICY \"autogen\" ON \"d\" DURATION 9w SHARD DURATION 2h"},
    {"ALTER RETENTION POLICY a ON d DEFAULT", "ALTER RETENTION POLICY \"a\" ON \"d\" DEFAULT"},
    {"CREATE RETENTION POLICY a ON d DURATION INF REPLICATION 1 DEFAULT",
     "CREATE RETENTION POLICY \"a\" ON \"d\" DURATION INF REPLICATION 1"},
    {"alter measurement m codec zstd field f decimals 2, field * error .05 field \"g h\" exact",
     "ALTER MEASUREMENT \"m\" CODEC zstd, FIELD \"f\" DECIMALS 2, FIELD * ERROR 0.05, FIELD "
     "\"g h\" EXACT"},
    {"ALTER MEASUREMENT m FIELD error RELATIVE ERROR 1e-3 FIELD codec DEFAULT",
     "ALTER MEASUREMENT \"m\" FIELD \"error\" RELATIVE ERROR 0.001, FIELD \"codec\" DEFAULT"},
    {"CREATE MEASUREMENT m", "CREATE MEASUREMENT \"m\""},
    {"CREATE MEASUREMENT m FIELD f ERROR 0", "CREATE MEASUREMENT \"m\" FIELD \"f\" ERROR 0"},
    {"SHOW MEASUREMENT SETTINGS ON d FROM m", "SHOW MEASUREMENT SETTINGS ON \"d\" FROM \"m\""},
    {"SELECT codec, decimals, error, relative, settings FROM error",
     "SELECT \"codec\", \"decimals\", \"error\", \"relative\", \"settings\" FROM \"error\""},
    {"SELECT default FROM default", "SELECT \"default\" FROM \"default\""},
    {"DROP DATABASE d", "DROP DATABASE \"d\""},
    {"DROP MEASUREMENT m", "DROP MEASUREMENT \"m\""},
    {"DROP SERIES FROM m WHERE h = 'a'", "DROP SERIES FROM \"m\" WHERE \"h\" = 'a'"},
    {"DELETE FROM m", "DELETE FROM \"m\""},
    {"DELETE WHERE time < 5", "DELETE WHERE \"time\" < 5"},
};

static void test_good(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    struct parsed parsed, again;
    parse(&parsed, str_from(good[i].text));
    if (parsed.code) fail_msg("%s: %s", good[i].text, parsed.err.message);
    if (!str_equal(buffer_str(&parsed.text), str_from(good[i].printed)))
      fail_msg("%s: %.*s", good[i].text, STR_ARG(buffer_str(&parsed.text)));
    parse(&again, buffer_str(&parsed.text));
    if (again.code) fail_msg("%s: %s", good[i].printed, again.err.message);
    assert_true(str_equal(buffer_str(&again.text), buffer_str(&parsed.text)));
    parsed_deinit(&again);
    parsed_deinit(&parsed);
  }
}

static void test_parameters(void **state) {
  (void)state;
  static const struct {
    const char *text, *parameters, *printed; /* printed NULL: an error */
  } rows[] = {
      {"SELECT a FROM m WHERE h = $h AND n > $n AND b = $b AND f < $\"a b\"",
       "{\"h\": \"it's; DROP DATABASE x\", \"n\": -5, \"b\": true, \"a b\": 2.5, \"unused\": 1}",
       "SELECT \"a\" FROM \"m\" WHERE \"h\" = 'it\\'s; DROP DATABASE x' AND \"n\" > -5 AND \"b\" = "
       "true AND "
       "\"f\" < 2.5"},
      {"SELECT $u FROM m", "{\"u\": 18446744073709551615}",
       "SELECT 18446744073709551615 FROM \"m\""},
      {"SELECT a FROM m WHERE time > $t", "{\"t\": \"2024-01-01\"}",
       "SELECT \"a\" FROM \"m\" WHERE \"time\" > '2024-01-01'"},
      {"SELECT a FROM m", "", "SELECT \"a\" FROM \"m\""},
      {"SELECT a FROM m", "{}", "SELECT \"a\" FROM \"m\""},
      {"SELECT $a FROM m", "{}", NULL},
      {"SELECT $a FROM m", "{\"a\": [1]}", NULL},
      {"SELECT $a FROM m", "{\"a\": null}", NULL},
      {"SELECT $a FROM m", "{\"a\": {\"x\": 1}}", NULL},
      {"SELECT $a FROM m", "[1]", NULL},
      {"SELECT $a FROM m", "{\"a\": 1", NULL},
      {"SELECT $a FROM m", "{\"a\": 1} {}", NULL},
      {"SELECT a FROM $m", "{\"m\": \"x\"}", NULL}, /* names are no values */
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct mem_account account;
    struct arena arena;
    struct buffer text;
    struct influxql_query query;
    struct err err = {0};
    mem_account_init(&account, "test", NULL, 0);
    arena_init(&arena, &account, 4096);
    buffer_init(&text, &account);
    int code = influxql_parse_bound(str_from(rows[i].text), str_from(rows[i].parameters), &arena,
                                    &query, &err);
    if ((code == ERR_OK) != (rows[i].printed != NULL))
      fail_msg("%s with %s: %d %s", rows[i].text, rows[i].parameters, code, err.message);
    if (!code) {
      influxql_print(&query.statements[0], &text);
      buffer_append_byte(&text, 0);
      assert_string_equal((const char *)text.data, rows[i].printed);
    } else {
      assert_int_equal(code, err.code);
      assert_true(err.message[0]);
    }
    buffer_deinit(&text);
    arena_deinit(&arena);
    mem_account_deinit(&account);
  }
}

static const struct {
  const char *text;
  int code, line, column;
  const char *message, *hint;
} bad_texts[] = {
    {"", ERR_PARSE, 1, 1, "found EOF, expected SELECT, SHOW, CREATE, DROP, DELETE", ""},
    {";", ERR_PARSE, 1, 1, "found ;, expected SELECT, SHOW, CREATE, DROP, DELETE", ""},
    {"SELEC a FROM m", ERR_PARSE, 1, 1, "found SELEC, expected SELECT, SHOW, CREATE, DROP, DELETE",
     "did you mean SELECT?"},
    {"SELECT a\nFROM m\nWERE b = 1", ERR_PARSE, 3, 1,
     "found WERE, expected EOF, semicolon, comma, WHERE, GROUP, ORDER, LIMIT, OFFSET, SLIMIT, "
     "SOFFSET",
     "did you mean WHERE?"},
    {"SELECT a FROM m WHERE", ERR_PARSE, 1, 22, "found EOF, expected identifier", ""},
    {"SELECT a FROM m WHERE b =", ERR_PARSE, 1, 26, "found EOF, expected identifier", ""},
    {"SELECT a FROM m WHERE b =~ 'x'", ERR_PARSE, 1, 28, "found 'x', expected regex", ""},
    {"SELECT a FROM m WHERE (b = 1", ERR_PARSE, 1, 29, "found EOF, expected operator, )", ""},
    {"SELECT from FROM m", ERR_PARSE, 1, 8, "found from, expected identifier",
     "from is a keyword: a name that is one stands in double quotes"},
    {"SELECT a FROM m LIMIT 1.5", ERR_PARSE, 1, 23, "found 1.5, expected integer", ""},
    {"SELECT a FROM m LIMIT 99999999999999999999", ERR_OUT_OF_RANGE, 1, 23, "too large", ""},
    {"SELECT a FROM m WHERE a = 1e999", ERR_OUT_OF_RANGE, 1, 27, "too large", ""},
    {"SELECT a FROM m WHERE a = -9223372036854775809", ERR_OUT_OF_RANGE, 1, 28, "too small", ""},
    {"SELECT a FROM m WHERE time > 99999999999w", ERR_OUT_OF_RANGE, 1, 30, "invalid duration", ""},
    {"ALTER MEASUREMENT m", ERR_PARSE, 1, 20, "found EOF, expected", ""},
    {"ALTER MEASUREMENT m CODEC lz4", ERR_PARSE, 1, 27, "found lz4, expected entropy, zstd, hot",
     ""},
    {"ALTER MEASUREMENT m FIELD f DECIMALS 16", ERR_OUT_OF_RANGE, 1, 38, "decimals are at most 15",
     ""},
    {"ALTER MEASUREMENT m FIELD f ERROR -1", ERR_PARSE, 1, 35, "found -, expected integer, number",
     ""},
    {"SELECT 'a FROM m", ERR_PARSE, 1, 8, "string without its closing '", ""},
    {"SELECT \"a FROM m", ERR_PARSE, 1, 8, "quoted identifier without its closing \"", ""},
    {"SELECT 'a\nb' FROM m", ERR_PARSE, 1, 8, "string without its closing '", ""},
    {"SELECT \"a\\x\" FROM m", ERR_PARSE, 1, 10, "bad escape \\x", ""},
    {"SELECT /a FROM m", ERR_PARSE, 1, 8, "regular expression without its closing /", ""},
    {"SELECT a /* FROM m", ERR_PARSE, 1, 10, "comment without its closing */", ""},
    {"SELECT a FROM m WHERE a ? 1", ERR_PARSE, 1, 25, "found illegal character ?", ""},
    {"SELECT é FROM m", ERR_PARSE, 1, 8, "found illegal character é", ""},
    {"SELECT \x01 FROM m", ERR_PARSE, 1, 8, "found illegal byte 0x01", ""},
    {"SELECT \xff FROM m", ERR_PARSE, 1, 8, "found illegal byte 0xff", ""},
    {"SELECT a::foo FROM m", ERR_PARSE, 1, 11, "found foo, expected float", ""},
    {"SELECT *::float FROM m", ERR_PARSE, 1, 11, "found float, expected field, tag", ""},
    {"SELECT a FROM m GROUP BY b fill(x)", ERR_PARSE, 1, 33, "found x, expected null", ""},
    {"SELECT a FROM m ORDER BY a", ERR_PARSE, 1, 26, "only ORDER BY time supported", ""},
    {"SELECT a FROM (SELECT", ERR_PARSE, 1, 22, "found EOF, expected identifier", ""},
    {"SELECT a FROM (SELECT b FROM m", ERR_PARSE, 1, 31, "found EOF, expected comma, )", ""},
    {"SELECT a FROM (SELECT b INTO c FROM m)", ERR_PARSE, 1, 16, "a subquery cannot have INTO", ""},
    {"SELECT a FROM m WHERE b = $c", ERR_INVALID_ARGUMENT, 1, 27, "missing parameter: c", ""},
    {"SELECT a FROM m WHERE b = $", ERR_PARSE, 1, 27, "found illegal character $", ""},
    {"SHOW TAG VALUES WITH KEY = 'a'", ERR_PARSE, 1, 28, "found 'a', expected identifier", ""},
    {"CREATE DATABASE", ERR_PARSE, 1, 16, "found EOF, expected identifier", ""},
    {"CREATE DATABASE d WITH PRECISION h", ERR_PARSE, 1, 34, "found h, expected ns, us, ms, s", ""},
    {"DELETE", ERR_PARSE, 1, 7, "found EOF, expected FROM, WHERE", ""},
};

static void test_bad(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof bad_texts / sizeof *bad_texts; i++) {
    struct parsed parsed;
    parse(&parsed, str_from(bad_texts[i].text));
    const struct err *err = &parsed.err;
    if (parsed.code != bad_texts[i].code || err->code != bad_texts[i].code ||
        err->line != bad_texts[i].line || err->column != bad_texts[i].column ||
        !strstr(err->message, bad_texts[i].message) || strcmp(err->hint, bad_texts[i].hint) != 0)
      fail_msg("%s: %d at %d:%d %s; %s", bad_texts[i].text, parsed.code, err->line, err->column,
               err->message, err->hint);
    assert_memory_equal(err->message, "error parsing query: ", 21);
    parsed_deinit(&parsed);
  }
}

/* Texts as long and as deep as they may be, and one step further. */
static void test_bounds(void **state) {
  (void)state;
  static char text[1 << 20];
  struct parsed parsed;
  for (int depth = LIMIT_NESTING_DEPTH - 2; depth <= LIMIT_NESTING_DEPTH + 1; depth++) {
    int size = snprintf(text, sizeof text, "SELECT ");
    memset(text + size, '(', (size_t)depth);
    size += depth;
    text[size++] = 'a';
    memset(text + size, ')', (size_t)depth);
    size += depth;
    snprintf(text + size, sizeof text - (size_t)size, " FROM m");
    parse(&parsed, str_from(text));
    assert_int_equal(parsed.code, depth < LIMIT_NESTING_DEPTH ? ERR_OK : ERR_LIMIT_EXCEEDED);
    parsed_deinit(&parsed);
  }
  /* minus upon minus, a sum of very many: deep trees without parentheses */
  int size = snprintf(text, sizeof text, "SELECT a FROM m WHERE a = ");
  for (int i = 0; i < 5000; i++)
    size += snprintf(text + size, sizeof text - (size_t)size, "- ");
  snprintf(text + size, sizeof text - (size_t)size, "b");
  parse(&parsed, str_from(text));
  assert_int_equal(parsed.code, ERR_LIMIT_EXCEEDED);
  parsed_deinit(&parsed);
  size = snprintf(text, sizeof text, "SELECT a FROM m WHERE a = 1");
  for (int i = 0; i < 5000; i++)
    size += snprintf(text + size, sizeof text - (size_t)size, " + b");
  parse(&parsed, str_from(text));
  assert_int_equal(parsed.code, ERR_LIMIT_EXCEEDED);
  parsed_deinit(&parsed);
  /* a long list of alternatives is flat */
  size = snprintf(text, sizeof text, "SELECT a FROM m WHERE h = '0'");
  for (int i = 1; i < 20000; i++)
    size += snprintf(text + size, sizeof text - (size_t)size, " OR h = '%d'", i);
  parse(&parsed, str_from(text));
  assert_int_equal(parsed.code, ERR_OK);
  assert_int_equal(parsed.query.statements[0].condition->count, 20000);
  assert_int_equal(parsed.query.statements[0].condition->depth, 3);
  parsed_deinit(&parsed);
  /* statements */
  size = 0;
  for (int i = 0; i <= LIMIT_STATEMENTS_PER_REQUEST; i++)
    size += snprintf(text + size, sizeof text - (size_t)size, "SHOW DATABASES;");
  parse(&parsed, str_from(text));
  assert_int_equal(parsed.code, ERR_LIMIT_EXCEEDED);
  parsed_deinit(&parsed);
  parse(&parsed, str_of(text, strlen(text) - 15));
  assert_int_equal(parsed.code, ERR_OK);
  assert_int_equal(parsed.query.count, LIMIT_STATEMENTS_PER_REQUEST);
  parsed_deinit(&parsed);
  static char long_text[LIMIT_STATEMENT_SIZE + 1];
  memset(long_text, ' ', sizeof long_text);
  parse(&parsed, str_of(long_text, sizeof long_text));
  assert_int_equal(parsed.code, ERR_LIMIT_EXCEEDED);
  parsed_deinit(&parsed);
}

/* Every prefix of a text, with and without a NUL in the middle, ends in a tree or an error. */
static void test_prefixes(void **state) {
  (void)state;
  static const char whole[] =
      "SELECT mean(\"a\") AS 'b', *::tag, /x\\/y/, a.b::float * -2.5e-3 FROM d.r.m, /z/ WHERE (h "
      "=~ /q/ OR time >= now() - 1h30m) AND s != 'it\\'s' GROUP BY time(5m, 1m), * fill(-1) ORDER "
      "BY time DESC LIMIT 1 SOFFSET 2; SHOW TAG VALUES ON d FROM m WITH KEY IN (a, b) -- end";
  for (size_t size = 0; size < sizeof whole; size++) {
    struct parsed parsed;
    parse(&parsed, str_of(whole, size));
    assert_true(parsed.code == ERR_OK || parsed.code == ERR_PARSE);
    parsed_deinit(&parsed);
    char text[sizeof whole];
    memcpy(text, whole, sizeof whole);
    text[size] = 0;
    parse(&parsed, str_of(text, sizeof whole));
    assert_int_equal(parsed.code, ERR_PARSE);
    parsed_deinit(&parsed);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_parameters),
                                     cmocka_unit_test(test_bad), cmocka_unit_test(test_bounds),
                                     cmocka_unit_test(test_prefixes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
