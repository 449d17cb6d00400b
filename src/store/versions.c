#include "store/versions.h"

#include "base/bitmap.h"
#include "base/err.h"

void versions_init(struct versions *versions, struct mem_account *account) {
  *versions = (struct versions){0};
  builder_init(&versions->marks, TYPE_BOOL, account);
}

void versions_deinit(struct versions *versions) { builder_deinit(&versions->marks); }

int versions_mark(struct versions *versions, const uint64_t *series, const int64_t *keys,
                  uint32_t rows, const struct column *given, struct column *column,
                  struct err *err) {
  builder_reset(&versions->marks);
  for (uint32_t i = 0; i < rows; i++) {
    bool mark = given && column_is_valid(given, i) && bit_get(given->bits, i);
    bool behind = versions->begun && versions->series == series[i] && versions->key == keys[i];
    if (mark || behind)
      builder_append_bool(&versions->marks, mark);
    else
      builder_append_null(&versions->marks);
    versions->begun = true;
    versions->series = series[i];
    versions->key = keys[i];
  }
  int code = builder_check(&versions->marks, err);
  *column = builder_view(&versions->marks);
  return code;
}
