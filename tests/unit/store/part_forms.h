/* One set of rows as a part in each form: an image, a compact directory, a wide one. On the
 * simulated machine. */
#ifndef NILO_TESTS_STORE_PART_FORMS_H
#define NILO_TESTS_STORE_PART_FORMS_H

#include "part_fixture.h"

#include "base/buffer.h"
#include "base/checksum.h"
#include "os/os.h"
#include "os/sim.h"
#include "store/part_private.h"

enum form { FORM_IMAGE, FORM_COMPACT, FORM_WIDE, FORM_COUNT };
static const char *const form_names[] = {"image", "compact", "wide"};

struct forms {
  struct os *os;
  struct mem_account account; /* of handles */
  struct part_handles *handles;
  int (*column_name)(void *context, uint64_t store, uint32_t column, struct buffer *out,
                     struct err *err);
  uint32_t files; /* of the directory written last */
};
static struct forms forms;

/* Runs a test on a new machine. */
static inline void forms_run(uint64_t seed, uint32_t handles, void (*test)(void *context)) {
  struct os_sim_options options = {.seed = seed};
  assert_int_equal(os_sim_create(&options, &forms.os, NULL), ERR_OK);
  mem_account_init(&forms.account, "handles", NULL, 0);
  assert_int_equal(part_handles_create(forms.os, &forms.account, handles, &forms.handles, NULL),
                   ERR_OK);
  forms.column_name = NULL;
  os_sim_run(forms.os, test, NULL);
  assert_int_equal(part_handles_open(forms.handles), 0);
  part_handles_destroy(forms.handles);
  mem_account_deinit(&forms.account);
  os_destroy(forms.os);
}

struct formed {
  enum form form;
  uint64_t epoch;
  struct fixture *fixture;
  struct part_memory *memory;
};

static inline void form_path(const struct formed *formed, const char *name, char *out,
                             size_t size) {
  snprintf(out, size, "/%016llx%s%s", (unsigned long long)formed->epoch, name ? "/" : "",
           name ? name : "");
}

/* Writes all rows in slices of up to slice_max (0: at once). */
static inline int form_write(struct formed *formed, struct fixture *fixture, enum form form,
                             uint64_t epoch, uint32_t slice_max, const struct part_ending *ending,
                             struct err *err) {
  char path[64];
  *formed = (struct formed){.form = form, .epoch = epoch, .fixture = fixture};
  fixture->options.id = epoch << 20;
  if (form == FORM_IMAGE) return fixture_write(fixture, slice_max, ending, &formed->memory, err);
  form_path(formed, NULL, path, sizeof path);
  struct part_directory directory = {.os = forms.os,
                                     .path = path,
                                     .compact_bytes = form == FORM_COMPACT ? 64 << 20 : 0,
                                     .column_name = forms.column_name};
  struct part_writer_options options = fixture->options;
  options.directory = &directory;
  struct part_writer *writer = NULL;
  uint64_t size;
  int code = part_writer_create(&options, &fixture->account, NULL, 0, &writer, err);
  if (!code) code = fixture_append_all(fixture, writer, slice_max, err);
  if (!code) code = part_writer_finish(writer, ending, &size, NULL, err);
  if (!code) forms.files = part_writer_files(writer);
  part_writer_destroy(writer);
  return code;
}

static inline int form_open(const struct formed *formed, struct store_part **part,
                            struct err *err) {
  struct mem_account *account = &formed->fixture->account;
  if (formed->form == FORM_IMAGE)
    return part_open_memory(formed->memory, 0, formed->memory->size, account, 0, part, err);
  struct part_file *file;
  int code = part_directory_open(forms.handles, account, "", formed->epoch, &file, err);
  if (code) return code;
  code = part_open_directory(file, account, part, err);
  part_file_release(file);
  return code;
}

static inline void form_remove(struct formed *formed) {
  char path[64];
  part_memory_release(formed->memory);
  form_path(formed, NULL, path, sizeof path);
  if (formed->form != FORM_IMAGE)
    assert_int_equal(part_directory_remove(forms.os, path, NULL), ERR_OK);
}

/* Opens, compares with the rows, verifies: the first error. */
static inline int form_check(const struct formed *formed, struct err *err) {
  struct store_part *part;
  int code = form_open(formed, &part, err);
  if (code) return code;
  code = fixture_compare(formed->fixture, part, err);
  if (!code) code = part_verify(part, err);
  part_release(part);
  return code;
}

/* Writes bytes over those at an offset of the image, wherever they are. */
static inline void form_patch(const struct formed *formed, const struct store_part *part,
                              uint64_t offset, const void *bytes, size_t size) {
  if (formed->form == FORM_IMAGE) {
    memcpy(formed->memory->data + offset, bytes, size);
    return;
  }
  char name[PART_FILE_NAME_SIZE] = "part.bin", path[256];
  if (formed->form == FORM_WIDE) {
    const struct part_extent *extent = part__extent(part, offset);
    part__extent_name(part, extent, name);
    offset -= extent->offset;
  }
  form_path(formed, name, path, sizeof path);
  struct os_file *file;
  assert_int_equal(os_file_open(forms.os, path, OS_WRITE, &file, NULL), ERR_OK);
  assert_int_equal(os_file_write(file, offset, bytes, size, NULL), ERR_OK);
  os_file_close(file);
}

/* Bytes of the image into memory that the caller frees. */
static inline uint8_t *form_bytes(struct store_part *part, uint64_t offset, size_t size) {
  uint8_t *bytes = malloc(size + 1);
  if (part->memory)
    memcpy(bytes, part->memory->data + part->offset + offset, size);
  else
    assert_int_equal(part__read(part, offset, bytes, size, NULL), ERR_OK);
  return bytes;
}

/* The whole of a file in a directory. */
static inline uint8_t *form_file(const struct formed *formed, const char *name, size_t *size) {
  char path[256];
  uint64_t length;
  struct os_file *file;
  form_path(formed, name, path, sizeof path);
  assert_int_equal(os_file_open(forms.os, path, OS_READ, &file, NULL), ERR_OK);
  assert_int_equal(os_file_size(file, &length, NULL), ERR_OK);
  uint8_t *bytes = calloc(1, length + 1);
  assert_int_equal(os_file_read_exact(file, 0, bytes, length, NULL), ERR_OK);
  os_file_close(file);
  *size = length;
  return bytes;
}

#endif
