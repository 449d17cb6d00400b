/* Errors: a code that is returned and an object that says more.
 *
 * Every function that can fail returns an int: ERR_OK (0) or a code of errors.def. Its last
 * argument is a `struct err *` that the caller owns and may leave NULL. The object is written only
 * on failure, by whoever finds the failure; layers above may add a position or a hint, or move the
 * text into `detail` with err_wrap. Nothing here is global, nothing allocates, any thread may use
 * its own object. */
#ifndef NILO_BASE_ERR_H
#define NILO_BASE_ERR_H

#include <stdint.h>

enum err_code {
#define ERROR(name, number, class, http, sqlstate, grpc, text) ERR_##name = number,
#include "base/errors.def"
#undef ERROR
};

enum err_class {
  ERR_CLASS_NONE,
  ERR_CLASS_VALIDATION,
  ERR_CLASS_NOT_FOUND,
  ERR_CLASS_CORRUPTION,
  ERR_CLASS_RESOURCE,
  ERR_CLASS_CONCURRENCY,
  ERR_CLASS_CANCELLED,
  ERR_CLASS_IO,
  ERR_CLASS_INTERNAL,
};

struct err {
  int code;          /* enum err_code */
  int32_t line;      /* 1-based line of the input, 0: unknown */
  int32_t column;    /* 1-based byte column in that line, 0: unknown */
  int64_t offset;    /* byte offset in the file or text, -1: unknown */
  int32_t retry_ms;  /* the same call may succeed after so long; 0: nothing is known of that */
  char message[256]; /* what is wrong, in one sentence without a full stop */
  char detail[256];  /* the place and the cause: a file, a system error, the error below */
  char hint[192];    /* what to do about it */
};

/* The facts of a code that do not depend on the occasion. */
struct err_info {
  const char *name; /* "TYPE_CONFLICT" */
  const char *text; /* the general text */
  const char *sqlstate;
  enum err_class class;
  int http;
  int grpc;
};

/* Empties an error object. A zeroed one with offset -1 is the same. NULL is allowed. */
void err_reset(struct err *err);

/* Sets code and message (printf style; cut at the field's size), empties the rest, returns the
 * code, so that failing is one line: `return err_set(err, ERR_PARSE, "…")`. NULL err: only returns.
 */
int err_set(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets the hint of an error that is already set. NULL err is allowed. */
void err_hint(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets the detail of an error that is already set. NULL err is allowed. */
void err_detail(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets the position. Any of the three may be "unknown" (0, 0, -1). NULL err is allowed. */
void err_position(struct err *err, int32_t line, int32_t column, int64_t offset);

/* Says after how many milliseconds the same call may succeed (at least 1 is kept). For errors of
 * the class RESOURCE; doors pass it on (Retry-After). NULL err is allowed. */
void err_retry(struct err *err, int64_t ms);

/* Puts a new message in front: the old message becomes the detail (joined with an old detail by ":
 * "); code, position, hint and retry_ms stay. Returns the code that err holds, or ERR_INTERNAL for
 * NULL err.
 */
int err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The facts of a code; those of ERR_INTERNAL for a number that is not in the table. Static storage.
 */
const struct err_info *err_info(int code);
/* The class of a code: what kind of failure it is, whatever the occasion. ERR_CLASS_NONE for ERR_OK
 * only. */
enum err_class err_class(int code);
/* "validation", "not found", "corruption", "resource", "concurrency", "cancelled", "io",
 * "internal"; "none". Static storage. */
const char *err_class_name(enum err_class class);

/* Writes "message (detail); hint" as one line of text into out, always terminated. Returns its
 * length (cut to size - 1). */
int err_format(const struct err *err, char *out, int size);

#endif
