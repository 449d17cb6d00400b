/* MD5 and the SHA-2 family: whole blocks of the message, then one or two that hold the rest, a bit
 * and the length. */
#include "base/digest.h"

#include <math.h>

#include "base/bytes.h"

/* ---- blocks ---- */

struct message {
  struct str bytes;
  size_t block;      /* 64 or 128 */
  bool little;       /* how the length is written */
  size_t at;         /* of the next block */
  bool marked, done; /* the bit behind the bytes, and the length, are out */
  unsigned char padded[128];
};

/* The next block, or NULL. */
static const unsigned char *next_block(struct message *message) {
  if (message->done) return NULL;
  size_t left = message->bytes.size - message->at;
  if (left >= message->block) {
    const char *block = message->bytes.data + message->at;
    message->at += message->block;
    return (const unsigned char *)block;
  }
  memset(message->padded, 0, message->block);
  if (!message->marked) {
    if (left) memcpy(message->padded, message->bytes.data + message->at, left);
    message->padded[left] = 0x80;
    message->at += left;
    message->marked = true;
  } else {
    left = 0;
  }
  size_t used = left + 1, length = message->block / 8;
  if (used + length <= message->block) {
    uint64_t bits = (uint64_t)message->bytes.size * 8;
    for (int i = 0; i < 8; i++)
      message->padded[message->block - 8 + (size_t)i] =
          (unsigned char)(bits >> 8 * (message->little ? i : 7 - i));
    message->done = true;
  }
  return message->padded;
}

static uint32_t rotate_left(uint32_t x, unsigned n) { return x << n | x >> (32 - n); }
static uint32_t rotate_right(uint32_t x, unsigned n) { return x >> n | x << (32 - n); }
static uint64_t rotate_right_64(uint64_t x, unsigned n) { return x >> n | x << (64 - n); }

/* ---- MD5 ---- */

static void md5_block(uint32_t state[4], const unsigned char *block, const uint32_t sines[64]) {
  static const unsigned char shifts[4][4] = {
      {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  uint32_t words[16], a = state[0], b = state[1], c = state[2], d = state[3];
  for (unsigned i = 0; i < 16; i++)
    words[i] = (uint32_t)block[4 * i] | (uint32_t)block[4 * i + 1] << 8 |
               (uint32_t)block[4 * i + 2] << 16 | (uint32_t)block[4 * i + 3] << 24;
  for (unsigned i = 0; i < 64; i++) {
    unsigned round = i / 16;
    uint32_t mixed = round == 0   ? (b & c) | (~b & d)
                     : round == 1 ? (d & b) | (~d & c)
                     : round == 2 ? b ^ c ^ d
                                  : c ^ (b | ~d);
    unsigned word = round == 0 ? i : round == 1 ? 5 * i + 1 : round == 2 ? 3 * i + 5 : 7 * i;
    mixed += a + sines[i] + words[word % 16];
    a = d;
    d = c;
    c = b;
    b += rotate_left(mixed, shifts[round][i % 4]);
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
}

static size_t md5(struct str bytes, unsigned char *out) {
  uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}, sines[64];
  struct message message = {.bytes = bytes, .block = 64, .little = true};
  for (int i = 0; i < 64; i++)
    sines[i] = (uint32_t)(int64_t)(fabs(sin(i + 1)) * 4294967296.0);
  for (const unsigned char *block; (block = next_block(&message));)
    md5_block(state, block, sines);
  for (unsigned i = 0; i < 16; i++)
    out[i] = (unsigned char)(state[i / 4] >> 8 * (i % 4));
  return 16;
}

/* ---- SHA-2 ---- */

/* The first 64 bits behind the point of the cube roots of the first 80 primes … */
static const uint64_t keys[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};
/* … and of the square roots of the first 16. */
static const uint64_t begin[16] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
    0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17, 0x152fecd8f70e5939,
    0x67332667ffc00b31, 0x8eb44a8768581511, 0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4,
};

static void sha256_block(uint32_t state[8], const unsigned char *block) {
  uint32_t words[64], s[8];
  for (unsigned i = 0; i < 16; i++)
    words[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | (uint32_t)block[4 * i + 3];
  for (unsigned i = 16; i < 64; i++) {
    uint32_t x = words[i - 15], y = words[i - 2];
    words[i] = words[i - 16] + (rotate_right(x, 7) ^ rotate_right(x, 18) ^ x >> 3) + words[i - 7] +
               (rotate_right(y, 17) ^ rotate_right(y, 19) ^ y >> 10);
  }
  memcpy(s, state, sizeof s);
  for (unsigned i = 0; i < 64; i++) {
    uint32_t e = s[4], a = s[0];
    uint32_t first = s[7] + (rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25)) +
                     ((e & s[5]) ^ (~e & s[6])) + (uint32_t)(keys[i] >> 32) + words[i];
    uint32_t second = (rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22)) +
                      ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
    memmove(s + 1, s, 7 * sizeof *s);
    s[4] += first;
    s[0] = first + second;
  }
  for (unsigned i = 0; i < 8; i++)
    state[i] += s[i];
}

static void sha512_block(uint64_t state[8], const unsigned char *block) {
  uint64_t words[80], s[8];
  for (unsigned i = 0; i < 16; i++) {
    words[i] = 0;
    for (unsigned b = 0; b < 8; b++)
      words[i] = words[i] << 8 | block[8 * i + b];
  }
  for (unsigned i = 16; i < 80; i++) {
    uint64_t x = words[i - 15], y = words[i - 2];
    words[i] = words[i - 16] + (rotate_right_64(x, 1) ^ rotate_right_64(x, 8) ^ x >> 7) +
               words[i - 7] + (rotate_right_64(y, 19) ^ rotate_right_64(y, 61) ^ y >> 6);
  }
  memcpy(s, state, sizeof s);
  for (unsigned i = 0; i < 80; i++) {
    uint64_t e = s[4], a = s[0];
    uint64_t first = s[7] +
                     (rotate_right_64(e, 14) ^ rotate_right_64(e, 18) ^ rotate_right_64(e, 41)) +
                     ((e & s[5]) ^ (~e & s[6])) + keys[i] + words[i];
    uint64_t second = (rotate_right_64(a, 28) ^ rotate_right_64(a, 34) ^ rotate_right_64(a, 39)) +
                      ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
    memmove(s + 1, s, 7 * sizeof *s);
    s[4] += first;
    s[0] = first + second;
  }
  for (unsigned i = 0; i < 8; i++)
    state[i] += s[i];
}

static size_t sha2(enum digest_kind kind, struct str bytes, unsigned char *out) {
  bool small = kind == DIGEST_SHA224 || kind == DIGEST_SHA256;
  bool cut = kind == DIGEST_SHA224 || kind == DIGEST_SHA384;
  uint64_t wide[8];
  uint32_t narrow[8];
  struct message message = {.bytes = bytes, .block = small ? 64 : 128};
  for (unsigned i = 0; i < 8; i++) { /* those that are cut begin with the next eight primes */
    wide[i] = begin[cut ? i + 8 : i];
    narrow[i] = (uint32_t)(cut ? wide[i] : wide[i] >> 32);
  }
  for (const unsigned char *block; (block = next_block(&message));) {
    if (small)
      sha256_block(narrow, block);
    else
      sha512_block(wide, block);
  }
  size_t size = kind == DIGEST_SHA224 ? 28 : small ? 32 : cut ? 48 : 64;
  for (size_t i = 0; i < size; i++)
    out[i] =
        (unsigned char)(small ? narrow[i / 4] >> 8 * (3 - i % 4) : wide[i / 8] >> 8 * (7 - i % 8));
  return size;
}

size_t digest_of(enum digest_kind kind, struct str bytes, unsigned char out[DIGEST_SIZE_MAX]) {
  return kind == DIGEST_MD5 ? md5(bytes, out) : sha2(kind, bytes, out);
}
