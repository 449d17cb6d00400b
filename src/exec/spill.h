/* What a query holds beyond its memory: streams of rows in temporary files.
 *
 * An execution makes its one file when it first needs it, in the directory of the spill space that
 * exec_options name, and removes it when it is closed.
 * A stream is written once, finished, and read any number of times, each reader with a buffer of
 * its own. Rows are stored as images of codec/ at CODEC_FAST with a checksum per piece, so that a
 * disk that lies gives ERR_CORRUPTION and no wrong answer; strings of dictionary columns are stored
 * as strings, and readers give plain columns.
 *
 * The bytes of all spill files of a query are limited, and those of all queries (ERR_DISK_FULL with
 * the name of the setting). One thread at a time per stream while it is written, and per reader. */
#ifndef NILO_EXEC_SPILL_H
#define NILO_EXEC_SPILL_H

#include "exec/exec_private.h"

struct spill_stream;
struct spill_reader;

/* True when the query, or all of them together, have taken so much memory that an operator should
 * spill what it holds rather than ask for more. An allocation that is refused says the same. */
bool exec__memory_tight(const struct exec *exec);
/* The same with `more` bytes taken; true also when they would be refused. */
bool exec__memory_tight_with(const struct exec *exec, size_t more);
/* False when the options name no directory: the query then fails with ERR_MEMORY_LIMIT instead. */
bool exec__can_spill(const struct exec *exec);

/* A stream of rows with these types. What it and the rows on their way to the file take is not the
 * query's memory but the space's (spill_space.h): about a piece, of at most half a MiB and less
 * where the query's limit is small. So an operator whose memory is at an end can spill. A stream
 * that failed is good for nothing but exec__spill_destroy. */
int exec__spill_create(struct exec *exec, const struct type *types, uint32_t column_count,
                       struct spill_stream **stream, struct err *err);
/* Rows [from, from + count) of columns with those types, plain or codes. Different streams may be
 * written by different threads at once. ERR_DISK_FULL with the name of the setting, ERR_IO. */
int exec__spill_append(struct spill_stream *stream, const struct column *columns, int64_t from,
                       int64_t count, struct err *err);
/* Writes what is pending. Nothing can be appended any more. */
int exec__spill_finish(struct spill_stream *stream, struct err *err);
uint64_t exec__spill_rows(const struct spill_stream *stream);
/* Gives the bytes back; readers must be closed. An operator does so in its close at the latest.
 * NULL is allowed. */
void exec__spill_destroy(struct spill_stream *stream);

/* From the first row of a finished stream; several readers at once are allowed, on any threads.
 * From the query's account: about twice a piece. */
int exec__spill_open(struct spill_stream *stream, struct spill_reader **reader, struct err *err);
/* The next rows (at most 8,192), borrowed until the next call; length 0: the end. ERR_CORRUPTION
 * names the file and the place; ERR_IO, ERR_MEMORY_LIMIT. */
int exec__spill_next(struct spill_reader *reader, struct batch *batch, struct err *err);
void exec__spill_close(struct spill_reader *reader);

#endif
