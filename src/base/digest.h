/* Digests of bytes: MD5 (RFC 1321) and SHA-2 (FIPS 180-4). For checks and names that others
 * compute, too; nothing here keeps secrets. Pure functions. */
#ifndef NILO_BASE_DIGEST_H
#define NILO_BASE_DIGEST_H

#include "base/str.h"

enum { DIGEST_SIZE_MAX = 64 };
enum digest_kind { DIGEST_MD5, DIGEST_SHA224, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };

/* Writes the digest and returns its size in bytes: 16, 28, 32, 48, 64. */
size_t digest_of(enum digest_kind kind, struct str bytes, unsigned char out[DIGEST_SIZE_MAX]);

#endif
