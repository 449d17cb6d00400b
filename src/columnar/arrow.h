/* The Arrow C data and stream interfaces: batches to and from other programs in this process.
 *
 * Specification: "The Arrow C data interface" and "The Arrow C stream interface" of the Apache
 * Arrow columnar format, version 1. The three structures are that specification's, names and layout
 * included, and are guarded as it asks, so that a program may include other headers that declare
 * them.
 *
 * Exported are the types of columnar/column.h (boolean "b", integer "l", unsigned "L", float "g",
 * string "u", bytes "z", timestamp "tsn:UTC" …, without a zone "tsn:" …, duration "tDn" …, days in
 * 32 bits "tdD", dictionary codes "i"). Imported are these and the other widths: int8 to int32 and
 * uint8 to uint32 widen, float32 widens, large strings narrow. */
#ifndef NILO_COLUMNAR_ARROW_H
#define NILO_COLUMNAR_ARROW_H

#include "columnar/column.h"

struct arena;
struct mem_account;

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE           2
#define ARROW_FLAG_MAP_KEYS_SORTED    4

struct ArrowSchema {
  const char *format;
  const char *name;
  const char *metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema **children;
  struct ArrowSchema *dictionary;
  void (*release)(struct ArrowSchema *);
  void *private_data;
};

struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void **buffers;
  struct ArrowArray **children;
  struct ArrowArray *dictionary;
  void (*release)(struct ArrowArray *);
  void *private_data;
};
#endif

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
  int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
  int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
  const char *(*get_last_error)(struct ArrowArrayStream *);
  void (*release)(struct ArrowArrayStream *);
  void *private_data;
};
#endif

/* What is told about one column of a batch. */
struct arrow_field {
  struct str name;
  struct type type; /* of the values, not INT32 for a dictionary */
  bool dictionary;  /* the column holds codes */
  bool nullable;
};

/* Keeps the memory of an exported batch alive: called once, from whatever thread lets go of its
 * last part. */
struct arrow_owner {
  void (*release)(void *context);
  void *context;
};

/* Fills `out` with a struct schema of these fields; the receiver releases it. Names are copied.
 * On failure `out->release` is NULL. */
int arrow_export_schema(const struct arrow_field *fields, uint32_t count,
                        struct mem_account *account, struct ArrowSchema *out, struct err *err);

/* Fills `out` with a struct array whose children are the batch's columns, without copying values.
 * The receiver releases it; children may be moved out and outlive it. `owner` is taken over on
 * success only (its release may be NULL). The account must outlive the array. */
int arrow_export_batch(const struct batch *batch, struct arrow_owner owner,
                       struct mem_account *account, struct ArrowArray *out, struct err *err);

/* Where an exported stream takes its batches from. next gives a batch and its owner, or a batch
 * with column_count 0 at the end; an error ends the stream. close is called once. */
struct arrow_source {
  int (*next)(void *context, struct batch *batch, struct arrow_owner *owner, struct err *err);
  void (*close)(void *context);
  void *context;
};
/* Fills `out` with a stream over a source, which it takes over on success only. */
int arrow_export_stream(const struct arrow_field *fields, uint32_t count,
                        struct arrow_source source, struct mem_account *account,
                        struct ArrowArrayStream *out, struct err *err);

/* Checks a struct schema and describes its children as they will be imported; memory of `arena`,
 * the names borrowed from the schema. ERR_UNSUPPORTED names a type that has no counterpart,
 * ERR_INVALID_ARGUMENT a schema that contradicts the specification. */
int arrow_import_schema(const struct ArrowSchema *schema, struct arena *arena,
                        struct arrow_field **fields, uint32_t *count, struct err *err);

/* Describes a struct array of that schema as a batch. Values of our own widths are borrowed from
 * the array, which must live as long as the batch and is released by the caller; bitmaps, other
 * widths and values at odd addresses are copied into `arena`. Lengths, offsets and codes are
 * checked before they are used; sizes of buffers, which the interface does not tell, are believed.
 * A struct whose rows are null themselves makes its children null there. */
int arrow_import_batch(const struct ArrowSchema *schema, const struct ArrowArray *array,
                       struct arena *arena, struct batch *batch, struct err *err);

#endif
