/* A store opened alone, for tools: opened with what its own parts say of its settings, since a tool
 * has no program beside it that knows them. Private to the api. */
#ifndef NILO_API_API_ALONE_H
#define NILO_API_API_ALONE_H

#include "api/api_tools.h"

struct buffer;
struct nilo_store;
struct store_shard;

struct api_alone {
  struct nilo_store *store;
  struct store_shard *shard; /* under it */
  uint64_t id;               /* of the only store in it */
};
/* `options`: path, os, account. Not read-only it is opened with the partitions, filters and history
 * that its parts have, so that what is merged keeps them. Nothing happens in the background. */
int api__alone_open(const struct api_options *options, bool read_only, struct api_alone *alone,
                    struct err *err);
void api__alone_close(struct api_alone *alone);
/* The overview of `nilo inspect`. */
int api__alone_overview(const struct api_alone *alone, bool json, struct buffer *out,
                        struct err *err);

#endif
