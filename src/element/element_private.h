/* What the files of the module share.
 *
 *   element.c           opening, closing, driving, errors, health, figures
 *   element_registry.c  tags: names, types, ids; notes of commits; names in parts
 *   element_list.c      lists as bytes
 *   element_batch.c     elements one by one
 *   element_write.c     arrays into rows of the store: checking, sorting, folding
 *   element_filter.c    conditions: checked and compiled
 *   element_test.c      conditions: evaluated over the columns of a chunk
 *   element_transfer.c  snapshots, parts that leave and come
 *   element_regex.c     regular expressions, bounded
 *   element_query.c     a query: opening, answers, closing
 *   element_window.c    which range of keys comes next
 *   element_collect.c   the rows of a window, put in order */
#ifndef NILO_ELEMENT_ELEMENT_PRIVATE_H
#define NILO_ELEMENT_ELEMENT_PRIVATE_H

#include "base/buffer.h"
#include "base/err.h"
#include "base/hash_table.h"
#include "base/log.h"
#include "base/memory.h"
#include "columnar/builder.h"
#include "element/element.h"
#include "os/os.h"
#include "store/predicate.h"
#include "store/store.h"

enum { ELEMENT_STORE = 1 /* the id of the only store of the shard */ };

/* ---- tags ---- */
struct element_tag {
  uint32_t id;
  struct type type; /* fixed once `written` */
  bool written;     /* a commit with it is visible */
  uint32_t pending; /* commits on their way that use it */
  size_t name_size;
  char name[]; /* terminated */
};
struct element_registry {
  struct os_mutex lock;
  struct mem_account *account;
  struct str_table by_name; /* name -> index in tags */
  struct u64_table by_id;   /* id -> index */
  struct element_tag **tags;
  size_t count, capacity;
  uint32_t id_next;
};

struct nilo_store {
  struct os *os;
  bool owns_os;
  struct mem_account account; /* all that the store holds; its limit is memory_max */
  struct logger logger;
  struct nilo_store_options options; /* path and indexed_tags belong to the store */
  struct arena memory;               /* of the store's life */
  struct store_shard *shard;
  struct element_registry registry;
  _Atomic bool has_horizon;
  _Atomic int64_t horizon; /* keys below it have expired */
  _Atomic uint64_t queries, rows_returned;
};

/* ---- element.c ---- */
/* Refuses what a newer header put into reserved fields; `what` names the struct. */
int element__check_reserved(const uint64_t *reserved, size_t count, const char *what,
                            struct err *err);
/* The store's policy for rows. */
enum store_policy element__policy(const struct nilo_store *store);

/* ---- element_registry.c ---- */
/* An empty registry; deinit frees it with all its tags. */
void element_registry_init(struct element_registry *registry, struct os *os,
                           struct mem_account *account);
void element_registry_deinit(struct element_registry *registry);
/* The type of a tag's column; physical 0 for NULL and for what is no type. */
struct type element_column_type(enum nilo_store_type type);
/* NILO_STORE_NULL for a column that is no tag. */
enum nilo_store_type element_tag_type(struct type type);
/* "string", "int64 list" …: the words of error texts. */
const char *element_type_name(enum nilo_store_type type);
/* The tag of a name for a write that is about to be submitted: made if it is new. The caller
 * settles it when the commit is over. ERR_INVALID_ARGUMENT for a name of 0 or over 65,535 bytes,
 * ERR_TYPE_CONFLICT with both types. */
int element_registry_use(struct element_registry *registry, struct str name, struct type type,
                         struct element_tag **tag, struct err *err);
void element_registry_settle(struct element_registry *registry, struct element_tag *tag,
                             bool written);
/* What is known of a name; false: nothing. */
bool element_registry_find(struct element_registry *registry, struct str name, uint32_t *id,
                           struct type *type);
/* Tags that were written, by name, into an array of the arena: names are borrowed from the
 * registry, which never gives them up. */
struct element_known {
  struct str name;
  uint32_t id;
  struct type type;
};
int element_registry_list(struct element_registry *registry, struct arena *arena,
                          struct element_known **known, size_t *count, struct err *err);
/* The note of a commit: each tag that it uses. */
void element_note_begin(struct buffer *note);
void element_note_append(struct buffer *note, const struct element_tag *tag);
/* hooks of the store: notes that are replayed, names for columns of parts. */
int element_registry_replay(struct element_registry *registry, struct str note, struct err *err);
int element_registry_name(struct element_registry *registry, uint32_t column, struct buffer *out);
/* Learns what the parts on disk name. */
int element_registry_load(struct nilo_store *store, struct err *err);
/* Enters a tag that a part names. */
int element_registry_enter(struct element_registry *registry, struct str name, uint32_t id,
                           struct type type, struct err *err);

/* ---- element_write.c ---- */
/* A column of a write: its tag's name and values. */
struct element_column {
  struct str name;
  struct column column; /* `rows` long; lists as BYTES */
};
struct element_rows {
  uint32_t rows;
  const uint64_t *series;
  const int64_t *keys;
  const struct column *data; /* NULL: no element has any */
  struct element_column *columns;
  size_t column_count;
};
/* Sorts, folds, names and writes rows whose columns were checked. Scratch memory comes from
 * `arena`. */
int element_write(struct nilo_store *store, const struct element_rows *rows, struct arena *arena,
                  uint64_t *commit, struct err *err);
/* Null bits in a bitmap of `rows` bits; 0 for NULL. */
uint32_t element_null_count(const uint64_t *present, size_t rows);

/* ---- element_regex.c ---- */
struct element_regex;
/* Compiles; its memory is charged to the account. ERR_INVALID_ARGUMENT names pattern and place. */
int element_regex_create(struct str pattern, struct mem_account *account,
                         struct element_regex **regex, struct err *err);
void element_regex_destroy(struct element_regex *regex); /* NULL is allowed */
/* ERR_LIMIT_EXCEEDED when it takes too many steps. Bytes that are not UTF-8 don't match. */
int element_regex_match(struct element_regex *regex, struct str text, bool *matches,
                        struct err *err);

/* ---- element_filter.c, element_test.c ---- */
/* A compiled condition, in negation normal form: NOT stands at the tests alone. Because a test of
 * a null is false whether negated or not, that is the same as three-valued logic whose "unknown"
 * counts as false at the end. */
struct element_condition {
  enum nilo_store_operator op; /* AND, OR or a test */
  bool negated;                /* a present value passes when the test fails */
  struct element_condition **children;
  size_t child_count;
  uint32_t id;     /* the tag's column; 0: never written */
  uint32_t column; /* index in the list that the scan is given */
  struct type type;
  enum nilo_store_type tag_type;
  struct u64_table numbers; /* IN of numbers: canonical bits */
  struct str_table texts;   /* IN of strings, bytes, lists (their stored form); items of HAS_… */
  struct str lower_text, upper_text; /* RANGE */
  union statistics_value lower, upper;
  bool has_lower, has_upper, lower_exclusive, upper_exclusive;
  struct element_regex *regex;
  struct element_condition *next; /* all of a filter, for freeing */
};
struct element_filter {
  struct mem_account *account;
  struct arena *arena;
  struct element_condition *root; /* NULL: everything passes */
  struct element_condition *all;
  size_t count;
  /* Asked now and then by tests that take long; an error ends the testing. */
  int (*going)(void *context, struct err *err);
  void *context;
};
/* Checks and compiles a filter of the caller. `known` as from element_registry_list. */
int element_filter_compile(struct element_filter *filter, const struct nilo_store_filter *source,
                           const struct element_known *known, size_t known_count,
                           struct mem_account *account, struct arena *arena, struct err *err);
void element_filter_deinit(struct element_filter *filter);
/* What a block must hold for a row of it to pass: for store_scan_spec.filter; terms are of the
 * arena. */
int element_filter_terms(const struct element_filter *filter, struct store_filter *out,
                         struct err *err);
/* Sets passes[row] for each of `rows` rows of the columns that the scan loaded. */
int element_filter_test(const struct element_filter *filter, const struct column *columns,
                        uint32_t rows, struct arena *scratch, uint8_t *passes, struct err *err);
const struct element_known *element_known_find(const struct element_known *known, size_t count,
                                               struct str name);

/* ---- element_window.c ---- */
/* Keys in the direction of the query. */
static inline int64_t element_distance(bool descending, int64_t key) {
  return descending ? ~key : key;
}
struct element_span {
  int64_t from, to; /* distances */
  double rows;
};
struct element_windows {
  struct mem_account *account;
  struct element_span *spans; /* ascending by `from`; those before `first` are done */
  size_t count, capacity, first;
  double share; /* rows found of rows expected, as the last windows had it */
};
int element_windows_add(struct element_windows *windows, int64_t from, int64_t to, double rows,
                        struct err *err);
void element_windows_sort(struct element_windows *windows);
void element_windows_deinit(struct element_windows *windows);
/* The last distance of a window that begins at `from`, ends at `end` at the latest and holds about
 * `rows` rows. */
int64_t element_windows_cut(struct element_windows *windows, int64_t from, int64_t end,
                            uint64_t rows, double *expected);
/* So many rows were found where so many had been expected. */
void element_windows_learn(struct element_windows *windows, double expected, uint64_t found);

/* ---- element_collect.c ---- */
/* Rows in the order of (series, key, writing), as the scan gives them, and the order in which they
 * are handed out. */
struct element_rows_held {
  struct mem_account *account;
  uint64_t *series;
  int64_t *keys;
  uint32_t count, capacity;
  struct builder *columns; /* per column that is returned */
  uint32_t column_count;
  bool ordered; /* false: as they stand */
  uint32_t *order;
  uint32_t order_capacity;
  uint32_t at; /* rows handed out */
};
int element_held_init(struct element_rows_held *held, struct mem_account *account,
                      uint32_t column_count, struct err *err);
void element_held_deinit(struct element_rows_held *held);
void element_held_reset(struct element_rows_held *held);
size_t element_held_bytes(const struct element_rows_held *held);
/* Adds rows of a chunk, by index; its wanted columns are loaded. `columns[i]` of the chunk becomes
 * column i. */
int element_held_add(struct element_rows_held *held, const struct store_chunk *chunk,
                     const uint32_t *rows, uint32_t count, struct err *err);
/* Puts them in the order of keys; equal keys stay as they stand. Descending: read the order from
 * its end. */
int element_held_sort(struct element_rows_held *held, struct err *err);
/* A distance such that about half of the rows are not beyond it, at least one is, and at least one
 * is not; *found false when all rows have one key. */
int element_held_pivot(struct element_rows_held *held, bool descending, bool *found, int64_t *pivot,
                       struct err *err);

#endif
