/* A file of parts without its manifest: images lie one behind another, and each ends with a footer
 * that holds its size, so the file can be walked from its end. Private to the store. */
#ifndef NILO_STORE_PART_WALK_H
#define NILO_STORE_PART_WALK_H

#include "store/part.h"

struct part_walk {
  struct part_file *file; /* borrowed */
  uint64_t offset;        /* everything from here on was walked; 0: the beginning was reached */
};
/* Begins at the end of the file. */
void part_walk_begin(struct part_walk *walk, struct part_file *file);
/* The image before: moves to its beginning and opens it. ERR_CORRUPTION where no image ends (the
 * walk cannot go on), or where one cannot be opened (it can: *skipped is true). */
int part_walk_next(struct part_walk *walk, struct mem_account *account, struct store_part **part,
                   bool *skipped, struct err *err);

#endif
