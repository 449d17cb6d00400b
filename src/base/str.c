#include "base/str.h"

static unsigned char lower(unsigned char c) {
  return (unsigned char)(c - 'A') < 26 ? (unsigned char)(c | 0x20) : c;
}

bool str_equal_ignoring_case(struct str a, struct str b) {
  if (a.size != b.size) return false;
  for (size_t i = 0; i < a.size; i++)
    if (lower((unsigned char)a.data[i]) != lower((unsigned char)b.data[i])) return false;
  return true;
}
