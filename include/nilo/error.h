/* nilo/error.h: what Nilo's libraries say when something fails.
 *
 * A function that can fail returns NILO_OK (0) or a code of this table and fills the caller's
 * `struct nilo_error`, which may be NULL. Nothing is global; nothing allocates. */
#ifndef NILO_ERROR_H
#define NILO_ERROR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define NILO_API __attribute__((visibility("default")))
#else
#define NILO_API
#endif

/* What kind of thing went wrong (R7). */
enum nilo_error_class {
  NILO_CLASS_NONE = 0,
  NILO_CLASS_VALIDATION = 1,  /* the call was wrong: it will fail again */
  NILO_CLASS_NOT_FOUND = 2,   /* what it names is not there */
  NILO_CLASS_CORRUPTION = 3,  /* stored bytes are damaged */
  NILO_CLASS_RESOURCE = 4,    /* memory, disk or rate: it may work later */
  NILO_CLASS_CONCURRENCY = 5, /* another process or thread is in the way */
  NILO_CLASS_CANCELLED = 6,   /* cancelled, or past its deadline */
  NILO_CLASS_IO = 7,          /* the system failed a call */
  NILO_CLASS_INTERNAL = 8,    /* a defect of the store */
};

/* Codes; a number is never given to another error. Statements of SQL may fail with further ones,
 * from 50 on: their `sqlstate` tells. */
enum nilo_error_code {
  NILO_OK = 0,
  NILO_INVALID_ARGUMENT = 1,
  NILO_PARSE = 2,
  NILO_TYPE_CONFLICT = 3,
  NILO_OUT_OF_RANGE = 4,
  NILO_LIMIT_EXCEEDED = 5,
  NILO_UNKNOWN_DATABASE = 6,
  NILO_UNKNOWN_TABLE = 7,
  NILO_UNKNOWN_COLUMN = 8,
  NILO_NOT_FOUND = 9,
  NILO_ALREADY_EXISTS = 10,
  NILO_UNSUPPORTED = 11,
  NILO_PARTIAL_WRITE = 12, /* good lines are written, a bad one is told */
  NILO_HISTORY_GONE = 16,  /* as_of: what was overwritten by then is not kept any more */
  NILO_CORRUPTION = 20,
  NILO_BAD_FORMAT = 21,
  NILO_BAD_VERSION = 22,
  NILO_NO_MEMORY = 30,
  NILO_MEMORY_LIMIT = 31,
  NILO_DISK_FULL = 32,
  NILO_BUSY = 33,
  NILO_DEADLINE = 34,
  NILO_CANCELLED = 35,
  NILO_LOCKED = 36,
  NILO_CLOSED = 37,
  NILO_CONFLICT = 38,
  NILO_RATE_LIMIT = 39,
  NILO_IO = 40,
  NILO_END_OF_INPUT = 41,
  NILO_NO_FILE = 42,
  NILO_FILE_EXISTS = 43,
  NILO_INTERNAL = 99,
};

/* Filled on failure only. All texts are terminated and may be empty. */
struct nilo_error {
  int code;                          /* enum nilo_error_code */
  enum nilo_error_class error_class; /* of the code */
  int64_t offset;                    /* byte offset in the file at fault; -1: none */
  int32_t retry_ms;                  /* it may work after so long; 0: nothing is known of that */
  int32_t line, column;              /* in the text of a statement or of lines, from 1; 0: none */
  char sqlstate[8];                  /* PostgreSQL's code, "42P01" */
  char message[256];                 /* what is wrong, in one sentence without a full stop */
  char place[256];                   /* where and why: a file, a part, the system's text */
  char hint[192];                    /* what to do about it */
};

/* "message (place); hint" as one line, always terminated, cut at size; returns its length. */
NILO_API int nilo_store_error_text(const struct nilo_error *error, char *out, size_t size);
/* "TYPE_CONFLICT"; static. */
NILO_API const char *nilo_store_error_name(int code);
/* The library's version, "0.1.0"; static. */
NILO_API const char *nilo_store_version(void);

#ifdef __cplusplus
}
#endif

#endif
