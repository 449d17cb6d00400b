/* What parts and commits say about series, gathered for the repair of series sections: complete tag
 * sets only, since half of one would be another series.
 *
 * Threads: one at a time. */
#ifndef NILO_SERIES_KNOWLEDGE_H
#define NILO_SERIES_KNOWLEDGE_H

#include "series/series.h"

struct series_knowledge;

/* ERR_NO_MEMORY. */
int series_knowledge_create(struct os *os, struct mem_account *account,
                            struct series_knowledge **knowledge, struct err *err);
/* Every part that was learnt from must have been released. NULL is allowed. */
void series_knowledge_destroy(struct series_knowledge *knowledge);
/* Takes what is whole of a part's section, chunk by chunk; damage is passed over. Errors: memory.
 */
int series_knowledge_part(struct series_knowledge *knowledge, uint64_t store,
                          struct store_part *part, struct err *err);
/* The same of the note of a commit. */
int series_knowledge_note(struct series_knowledge *knowledge, uint64_t store, struct str note,
                          struct err *err);
/* Stores below SERIES_STORE_FIRST have no tag sets, so all of their series are known. */
bool series_knowledge_has(const struct series_knowledge *knowledge, uint64_t store, uint64_t id);
/* Appends the section of these ids (ascending, all known). */
int series_knowledge_describe(struct series_knowledge *knowledge, uint64_t store,
                              const uint64_t *ids, size_t count, struct buffer *out,
                              struct err *err);
/* The registry that it reads sections with, for series_check_part. */
struct series_registry *series_knowledge_registry(struct series_knowledge *knowledge);

#endif
