/* A manifest of any bytes. Checksums are made to hold first, record by record, so that what stands
 * behind them is reached; the first byte of the input switches that off. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/err.h"
#include "store/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void seal(uint8_t *bytes, size_t size) {
  struct manifest_header header;
  if (size < sizeof header) return;
  memcpy(&header, bytes, sizeof header);
  memcpy(header.magic, MANIFEST_MAGIC, sizeof header.magic);
  header.number = 1;
  header.checksum = checksum64(&header, offsetof(struct manifest_header, checksum));
  memcpy(bytes, &header, sizeof header);
  for (size_t at = sizeof header; at + sizeof(struct manifest_record) <= size;) {
    struct manifest_record record;
    memcpy(&record, bytes + at, sizeof record);
    size_t rest = size - at - sizeof record;
    if (record.edit_count > rest / sizeof(struct manifest_edit)) return;
    record.magic = MANIFEST_RECORD_MAGIC;
    memcpy(bytes + at, &record, sizeof record);
    size_t length = sizeof record + record.edit_count * sizeof(struct manifest_edit);
    record.checksum = checksum64(bytes + at + 8, length - 8);
    memcpy(bytes + at, &record.checksum, sizeof record.checksum);
    at += length;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  struct mem_account account;
  mem_account_init(&account, "fuzz", NULL, 64 << 20);
  struct manifest manifest = {.options = {.account = &account}};
  u64_table_init(&manifest.index, &account);
  uint8_t *bytes = malloc(size);
  if (!bytes) abort();
  memcpy(bytes, data + 1, size - 1);
  if (!(data[0] & 1)) seal(bytes, size - 1);
  size_t valid;
  int code = manifest_read_bytes(&manifest, bytes, size - 1, 1, "fuzz", &valid, NULL);
  if (code == ERR_OK && valid > size - 1) abort();
  size_t parts = 0;
  for (size_t i = 0; i < manifest.store_count; i++) {
    for (uint32_t j = 1; j < manifest.stores[i].part_count; j++)
      if (manifest.stores[i].parts[j].commit_min < manifest.stores[i].parts[j - 1].commit_min)
        abort();
    parts += manifest.stores[i].part_count;
  }
  if (parts != manifest.part_count) abort();
  manifest_reset(&manifest);
  u64_table_deinit(&manifest.index);
  mem_account_deinit(&account);
  free(bytes);
  return 0;
}
