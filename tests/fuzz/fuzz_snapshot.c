/* The two files of a snapshot, of any bytes: how long the .state is (two bytes), the .state, the
 * list. Checksums are made to hold first, so that what stands behind them is reached; the highest
 * bit of the length switches that off. A list that is taken reads back as it was written. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/err.h"
#include "store/snapshot_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EPOCH = 42 };

static void seal(uint8_t *state, size_t size, const uint8_t *list, size_t list_size) {
  struct manifest_header header;
  struct manifest_record record;
  if (size < sizeof header + sizeof record) return;
  memcpy(&header, state, sizeof header);
  memcpy(header.magic, MANIFEST_MAGIC, sizeof header.magic);
  header.number = EPOCH;
  header.list = checksum64(list, list_size);
  header.checksum = checksum64(&header, offsetof(struct manifest_header, checksum));
  memcpy(state, &header, sizeof header);
  uint8_t *at = state + sizeof header;
  memcpy(&record, at, sizeof record);
  record.magic = MANIFEST_RECORD_MAGIC;
  record.flags |= MANIFEST_CHECKPOINT;
  record.epoch = EPOCH;
  record.edit_count =
      (uint32_t)((size - sizeof header - sizeof record) / sizeof(struct manifest_edit));
  memcpy(at, &record, sizeof record);
  size_t length = sizeof record + record.edit_count * sizeof(struct manifest_edit);
  record.checksum = checksum64(at + 8, length - 8);
  memcpy(at, &record.checksum, sizeof record.checksum);
}

/* What is written of a state is what fits it. */
static void expect_round_trip(struct manifest *manifest, struct mem_account *account) {
  struct buffer text, epochs;
  buffer_init(&text, account);
  buffer_init(&epochs, account);
  snapshot_list_write(manifest, &text);
  if (!text.failed && !snapshot_list_read(buffer_str(&text), &epochs) && !epochs.failed) abort();
  if (!text.failed && !epochs.failed && epochs.size / sizeof(uint64_t) != manifest->part_count)
    abort();
  buffer_deinit(&text);
  buffer_deinit(&epochs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  size_t state_size = (size_t)(data[0] | data[1] << 8), rest = size - 2;
  bool as_it_is = state_size & 0x8000;
  state_size &= 0x7fff;
  if (state_size > rest) state_size = rest;
  struct mem_account account;
  mem_account_init(&account, "fuzz", NULL, 64 << 20);
  struct manifest manifest = {.options = {.account = &account}};
  u64_table_init(&manifest.index, &account);
  uint8_t *state = malloc(state_size + 1), *list = malloc(rest - state_size + 1);
  if (!state || !list) abort();
  memcpy(state, data + 2, state_size);
  memcpy(list, data + 2 + state_size, rest - state_size);
  if (!as_it_is) seal(state, state_size, list, rest - state_size);
  struct snapshot_wholeness whole;
  int code = snapshot_read_bytes(&manifest, EPOCH, (struct str){(const char *)state, state_size},
                                 (struct str){(const char *)list, rest - state_size}, "fuzz",
                                 &whole, NULL);
  if (code == ERR_OK && !whole.state && (manifest.store_count || whole.list)) abort();
  if (code == ERR_OK && whole.state) expect_round_trip(&manifest, &account);
  manifest_reset(&manifest);
  u64_table_deinit(&manifest.index);
  mem_account_deinit(&account);
  free(state);
  free(list);
  return 0;
}
