/* The Arrow IPC stream: batches as bytes, for readers in other processes.
 *
 *     schema message, record batch messages, end of stream
 *
 * Specification: "Serialization and Interprocess Communication" of the Apache Arrow columnar
 * format, metadata version 5. Buffers are aligned to 8 bytes, neither compressed nor
 * dictionary-coded. docs/format/arrow-stream.md says which types are written how. */
#ifndef NILO_COLUMNAR_ARROW_IPC_H
#define NILO_COLUMNAR_ARROW_IPC_H

#include "columnar/arrow.h"

struct buffer;

/* Copies a batch into `arena` in the layout that readers of other programs know: plain strings for
 * dictionaries, 32 bits for dates. ERR_LIMIT_EXCEEDED for more than 2 GiB of texts. */
int arrow_plain_batch(const struct batch *batch, struct arena *arena, struct batch *plain,
                      struct err *err);
/* The type that values of a type have in a plain batch. */
struct type arrow_plain_type(struct type type);

/* Appends the schema message. ERR_UNSUPPORTED names a type without a counterpart. The buffer's
 * failure is sticky as always. */
int arrow_ipc_schema(const struct arrow_field *fields, uint32_t count, struct buffer *out,
                     struct err *err);
/* Appends a record batch message of a plain batch. */
void arrow_ipc_batch(const struct batch *batch, struct buffer *out);
/* Appends the end of the stream. */
void arrow_ipc_end(struct buffer *out);

#endif
