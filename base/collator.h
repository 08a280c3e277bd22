// collator.h - a collation of the application: its order of texts, and hashes that respect it.
//
// Equal texts need equal hashes, and only the application can tell which are equal. So a collator
// gathers the texts that it has hashed into classes: a search tree of one text per class finds the
// class of a text that is new, and a hash table remembers it. A text costs its comparisons once.
//
// Ownership: the caller's. Texts that are hashed are copied. Threads: any, but for new, forget and
// free. Errors: without memory a hash is wrong, and `failed` tells.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_COLLATOR_H
#define BR_BASE_COLLATOR_H

#include "base/arena.h"
#include "base/type.h"

typedef int (*br_collator_order)(void *context, br_text left, br_text right);

br_collator *br_collator_new(const char *name, br_collator_order order, void *context,
                             br_quota *quota);  // NULL: no memory; `name` is copied
void br_collator_free(br_collator *collator);   // NULL is a no-op
const char *br_collator_name(const br_collator *collator);
int br_collator_compare(const br_collator *collator, br_text left, br_text right);
uint64_t br_collator_hash(br_collator *collator, br_text text);
bool br_collator_failed(br_collator *collator);
void br_collator_forget(br_collator *collator);  // the classes; hashes from before count no more

#endif
