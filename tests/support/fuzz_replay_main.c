/* The main of a fuzz target that is built without libFuzzer: runs it once over every file of the
 * given folders and files, in bytewise order of the names, so that a corpus is a normal test. An
 * input that once broke a decoder is added to the corpus and stays there.
 *
 * Usage: fuzz_<name> FOLDER-OR-FILE… Fails if there was nothing to replay or a file can't be read;
 * a broken target ends by its own assertion or by a sanitizer. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_BYTES_MAX = 16 << 20, PATH_BYTES_MAX = 4096 };

static int replay_file(const char *path, size_t bytes) {
  if (bytes > INPUT_BYTES_MAX) {
    fprintf(stderr, "%s: larger than an input may be (%d bytes)\n", path, INPUT_BYTES_MAX);
    return 1;
  }
  FILE *file = fopen(path, "rb");
  if (!file) {
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return 1;
  }
  /* Exactly as long as the input, so that a sanitizer sees a read beyond its end. */
  uint8_t *data = malloc(bytes ? bytes : 1);
  size_t got = data ? fread(data, 1, bytes, file) : 0;
  fclose(file);
  if (!data || got != bytes) {
    fprintf(stderr, "%s: could not be read\n", path);
    free(data);
    return 1;
  }
  fprintf(stderr, "replay %s\n", path); /* the last line before a crash names the input */
  LLVMFuzzerTestOneInput(data, bytes);
  free(data);
  return 0;
}

/* Replays one path, adding to the count; non-zero on the first that can't be read. */
static int replay_path(const char *path, unsigned *count) {
  struct stat status;
  if (stat(path, &status) != 0) {
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return 1;
  }
  if (!S_ISDIR(status.st_mode)) {
    (*count)++;
    return replay_file(path, (size_t)status.st_size);
  }
  struct dirent **entries;
  int entry_count = scandir(path, &entries, NULL, alphasort);
  int failed = entry_count < 0;
  for (int i = 0; i < entry_count; i++) {
    char child[PATH_BYTES_MAX];
    int length = snprintf(child, sizeof(child), "%s/%s", path, entries[i]->d_name);
    if (entries[i]->d_name[0] != '.' && length < (int)sizeof(child) && !failed)
      failed = replay_path(child, count);
    free(entries[i]);
  }
  if (entry_count >= 0) free(entries);
  return failed;
}

int main(int argc, char **argv) {
  unsigned count = 0;
  for (int i = 1; i < argc; i++)
    if (replay_path(argv[i], &count) != 0) return 1;
  if (!count) {
    fprintf(stderr, "%s: no input to replay\n", argv[0]);
    return 1;
  }
  printf("%u inputs replayed\n", count);
  return 0;
}
