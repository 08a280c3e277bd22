// SPDX-License-Identifier: Apache-2.0
#include "base/collator.h"

#include <string.h>

#include "base/hash.h"
#include "base/heap.h"
#include "base/thread.h"

enum { SLOTS_MIN = 64 };

// A treap: ordered by text, and no node's hash is below its children's.
typedef struct text_class {
    br_text text;   // the first one of the class
    uint64_t hash;  // of its bytes
    struct text_class *less, *more;
} text_class;

typedef struct known_text {
    br_text text;
    uint64_t hash;        // of its bytes
    uint64_t class_hash;
} known_text;

struct br_collator {
    char *name;
    br_collator_order order;
    void *context;
    br_lock lock;  // around what follows
    br_arena *arena;
    text_class *root;
    uint32_t slot_count, known_count;  // a power of two, or 0
    const known_text **slots;
};

br_collator *br_collator_new(const char *name, br_collator_order order, void *context,
                             br_quota *quota)
{
    br_collator *collator = br_heap_zalloc(sizeof *collator);
    if (collator == NULL) return NULL;
    collator->name = br_heap_copy_text(name);
    collator->arena = br_arena_new(quota);
    collator->order = order;
    collator->context = context;
    br_lock_init(&collator->lock);
    if (collator->name != NULL && collator->arena != NULL) return collator;
    br_collator_free(collator);
    return NULL;
}

void br_collator_free(br_collator *collator)
{
    if (collator == NULL) return;
    br_arena_free(collator->arena);
    br_lock_release(&collator->lock);
    br_heap_free(collator->name);
    br_heap_free(collator);
}

const char *br_collator_name(const br_collator *collator)
{
    return collator->name;
}

int br_collator_compare(const br_collator *collator, br_text left, br_text right)
{
    return collator->order(collator->context, left, right);
}

bool br_collator_failed(br_collator *collator)
{
    br_lock_take(&collator->lock);
    bool failed = br_arena_failed(collator->arena);
    br_lock_give(&collator->lock);
    return failed;
}

void br_collator_forget(br_collator *collator)
{
    br_arena_reset(collator->arena);
    collator->root = NULL;
    collator->slots = NULL;
    collator->slot_count = collator->known_count = 0;
}

// ---- classes ---------------------------------------------------------------------------------

static text_class *find_class(const br_collator *collator, br_text text)
{
    text_class *node = collator->root;
    while (node != NULL) {
        int order = br_collator_compare(collator, text, node->text);
        if (order == 0) break;
        node = order < 0 ? node->less : node->more;
    }
    return node;
}

// Takes the place of the first node that has to be below it, whose tree it divides.
static void insert_class(br_collator *collator, text_class *added)
{
    text_class **link = &collator->root;
    while (*link != NULL && (*link)->hash >= added->hash) {
        bool is_less = br_collator_compare(collator, added->text, (*link)->text) < 0;
        link = is_less ? &(*link)->less : &(*link)->more;
    }
    text_class *node = *link, **less = &added->less, **more = &added->more;
    *link = added;
    while (node != NULL) {
        if (br_collator_compare(collator, node->text, added->text) < 0) {
            *less = node;
            less = &node->more;
            node = node->more;
        } else {
            *more = node;
            more = &node->less;
            node = node->less;
        }
    }
    *less = *more = NULL;
}

static text_class *class_of(br_collator *collator, br_text text, uint64_t hash)
{
    text_class *found = find_class(collator, text);
    if (found != NULL) return found;
    found = BR_ALLOC(collator->arena, text_class, 1);
    if (found == NULL) return NULL;
    *found = (text_class){.text = text, .hash = hash};
    insert_class(collator, found);
    return found;
}

// ---- known texts -----------------------------------------------------------------------------

static const known_text **find_slot(const br_collator *collator, br_text text, uint64_t hash)
{
    uint32_t mask = collator->slot_count - 1;
    for (uint32_t at = (uint32_t)hash & mask;; at = (at + 1) & mask) {
        const known_text *known = collator->slots[at];
        if (known == NULL || (known->hash == hash && br_text_equal(known->text, text)))
            return &collator->slots[at];
    }
}

// At most half of the slots are taken.
static bool reserve_slot(br_collator *collator)
{
    uint32_t old_count = collator->slot_count;
    if (2 * (collator->known_count + 1) <= old_count) return true;
    const known_text **old = collator->slots;
    uint32_t count = old_count == 0 ? SLOTS_MIN : 2 * old_count;
    const known_text **slots = BR_ALLOC(collator->arena, const known_text *, count);
    if (count == 0 || slots == NULL) return false;
    collator->slots = slots;
    collator->slot_count = count;
    for (uint32_t i = 0; i < old_count; i++)
        if (old[i] != NULL) *find_slot(collator, old[i]->text, old[i]->hash) = old[i];
    return true;
}

static const known_text *add_text(br_collator *collator, br_text text, uint64_t hash)
{
    known_text *known = BR_ALLOC(collator->arena, known_text, 1);
    char *bytes = br_arena_copy(collator->arena, text.data, text.size);
    if (known == NULL || bytes == NULL) return NULL;
    *known = (known_text){.text = br_text_make(bytes, text.size), .hash = hash};
    const text_class *class_ = class_of(collator, known->text, hash);
    if (class_ == NULL) return NULL;
    known->class_hash = class_->hash;
    *find_slot(collator, text, hash) = known;
    collator->known_count++;
    return known;
}

uint64_t br_collator_hash(br_collator *collator, br_text text)
{
    uint64_t hash = br_hash_bytes(text.data, text.size), class_hash = 0;
    br_lock_take(&collator->lock);
    if (reserve_slot(collator)) {
        const known_text *known = *find_slot(collator, text, hash);
        if (known == NULL) known = add_text(collator, text, hash);
        if (known != NULL) class_hash = known->class_hash;
    }
    br_lock_give(&collator->lock);
    return class_hash;
}
