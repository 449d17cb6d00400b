/* The ordered store behind include/nilo/store.h: what its tests and fuzz targets need besides the
 * public header. */
#ifndef NILO_ELEMENT_ELEMENT_H
#define NILO_ELEMENT_ELEMENT_H

#include <nilo/store.h>

#include "base/str.h"

struct buffer;
struct err;
struct os;
struct store_shard;

/* nilo_store_open on another machine (the simulated one), which must outlive the store. */
int element_open(struct os *os, const struct nilo_store_options *options, struct nilo_store **store,
                 struct nilo_error *error);

/* Tells an error in the words of the public headers (`error` may be NULL); returns its code. */
int element_fail(const struct err *err, struct nilo_error *error);

/* What is under it, as long as it is open: for tools. The store's id there. */
struct store_shard *element_shard(const struct nilo_store *store);
uint64_t element_shard_store(const struct nilo_store *store);

/* ---- lists as bytes (docs/format/element.md) ---- */
enum { ELEMENT_LIST_ITEMS_MAX = 65536 };
/* Appends the stored form of a list value (STRING_LIST, INT64_LIST) to `out`. ERR_LIMIT_EXCEEDED
 * over 65,536 items; what `out` refuses is found by buffer_check. */
int element_list_encode(const struct nilo_store_value *value, struct buffer *out, struct err *err);
/* Checks the stored form; *items gets how many there are. ERR_CORRUPTION when it is not one: every
 * count and size is bounded by the bytes, and each list has exactly one form. */
int element_list_check(enum nilo_store_type type, struct str bytes, uint32_t *items,
                       struct err *err);
/* Reads a checked list: `items` integers into `integers`, or strings, borrowed from `bytes`. */
void element_list_integers(struct str bytes, int64_t *integers);
void element_list_strings(struct str bytes, uint32_t items, struct nilo_store_bytes *strings);

#endif
