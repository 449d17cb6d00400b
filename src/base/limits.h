/* Every limit of the engine, in one place, each with its reason. What an operator may change is a
 * setting whose default is here; what stands in a format or protects a loop is fixed. Sizes are in
 * bytes. */
#ifndef NILO_BASE_LIMITS_H
#define NILO_BASE_LIMITS_H

#include <stdint.h>

#define LIMIT_KIB(n) ((int64_t)(n) << 10)
#define LIMIT_MIB(n) ((int64_t)(n) << 20)
#define LIMIT_GIB(n) ((int64_t)(n) << 30)

/* ---- names and series ---- */

/* A name of a database, policy, table, tag or field: lengths of names are 16 bits in the formats,
 * and InfluxDB has the same bound on the key that contains them. */
#define LIMIT_NAME_SIZE 65535
/* Measurement and all tags of one series, as line protocol spells them: InfluxDB's own limit
 * (models.MaxKeyLength). */
#define LIMIT_SERIES_KEY_SIZE 65535
/* Tags of one series: a key of 65,535 bytes holds no more pairs than this. */
#define LIMIT_TAGS_PER_SERIES 16384

/* ---- rows ---- */

/* One string or bytes value; the default keeps a row within a block, the maximum within one
 * commit's share of a log segment. */
#define LIMIT_STRING_SIZE_DEFAULT LIMIT_MIB(1)
#define LIMIT_STRING_SIZE_MAX     LIMIT_MIB(16)
/* One line of line protocol: the largest key and one value of the largest size with escapes. */
#define LIMIT_LINE_SIZE LIMIT_MIB(36)
/* Fields in one line: what fits a body of small fields, and bounds the array of one row. */
#define LIMIT_FIELDS_PER_LINE 65536
/* Columns of a table: column ordinals are 16 bits in commits; a table that grows past it is fed
 * with data as names. */
#define LIMIT_COLUMNS_PER_TABLE 65535
/* Rows of a block, and of a batch in a query: the unit of pruning; two vectors of it stay in the
 * second-level cache. */
#define LIMIT_BLOCK_ROWS 8192
/* Rows of a vector inside a block: the lanes of the bit-packing layout. */
#define LIMIT_VECTOR_ROWS 1024

/* ---- bodies and commits ---- */

/* A request body after decompression: bounds the memory of one request; InfluxDB's default is 25 MB
 * (max-body-size). */
#define LIMIT_BODY_SIZE_DEFAULT LIMIT_MIB(32)
#define LIMIT_BODY_SIZE_MAX     LIMIT_GIB(1)
/* A body is cut at line ends into pieces of about this size for the workers: long enough to hide
 * the hand-over, short enough to share. */
#define LIMIT_BODY_PIECE_SIZE LIMIT_KIB(256)
/* Rows of one commit: row ordinals are 32 bits. */
#define LIMIT_ROWS_PER_COMMIT INT32_MAX
/* Faults of one body that are told one by one; the rest is counted. */
#define LIMIT_REPORTED_FAULTS 100

/* ---- metrics ---- */

/* Tables with metrics of their own; the rest share one row. Up to nine rows a table: whoever
 * scrapes keeps each of them as a series. */
#define LIMIT_METRIC_TABLES 50

/* ---- statements ---- */

/* Text of one request's statements. */
#define LIMIT_STATEMENT_SIZE LIMIT_MIB(1)
/* Statements of one request: a request is one answer in memory of its own statements' heads. */
#define LIMIT_STATEMENTS_PER_REQUEST 4096
/* Nesting of expressions and subqueries: the walkers are recursive and a thread's stack is not. */
#define LIMIT_NESTING_DEPTH 128
/* Items of one SELECT list, after wildcards: bounds a row of the answer. */
#define LIMIT_SELECT_ITEMS 16384
/* Buckets of GROUP BY time in one answer per series: fill() makes them out of nothing. InfluxDB's
 * max-select-buckets is unlimited by default; a bucket costs at least eight bytes per column. */
#define LIMIT_BUCKETS_DEFAULT 10000000
/* The highest $n of a statement: PostgreSQL's protocol counts parameters in 16 bits. */
#define LIMIT_PARAMETERS 65535
/* Steps of one regular expression match, as PCRE2 counts them. */
#define LIMIT_REGEX_MATCH_STEPS 1000000
/* Different regular expressions of one statement; each is compiled to machine code. */
#define LIMIT_REGEX_PATTERNS 1000
/* Size of one regular expression. */
#define LIMIT_REGEX_SIZE LIMIT_KIB(64)

/* ---- HTTP ---- */

/* Request line and headers together; URLs carry whole InfluxQL statements. */
#define LIMIT_HTTP_HEAD_SIZE LIMIT_MIB(1)
#define LIMIT_HTTP_HEADERS   128
/* Connections open at once, by default; each idle one costs about a page. */
#define LIMIT_CONNECTIONS_DEFAULT 10000

/* ---- files ---- */

/* A path, terminator included: Linux's PATH_MAX. */
#define LIMIT_PATH_SIZE 4096
/* One unit with a checksum of its own: nothing is read into memory whole before its size is below
 * it. */
#define LIMIT_UNIT_SIZE LIMIT_GIB(1)

#endif
