// page.c - opened pages: verify once, then decode, gather and search.
// SPDX-License-Identifier: Apache-2.0
#include "format/page.h"

#include "base/hash.h"
#include "base/heap.h"

enum {
    // Of the rows between the first and the last position: picking more single values than one in
    // this many costs more than decoding them all (micro_format, unpack against gather).
    GATHER_SHARE_MIN = 4,
};

static br_status open_root(br_page *page, br_opener *opener, const br_page_entry *entry,
                           br_error *err)
{
    unsigned mask = BR_MASK_ALL | 1u << BR_ANY;
    BR_TRY(br_validity_open(opener, entry->row_count, &page->validity, err));
    BR_TRY(br_node_open(opener, entry->row_count, mask, &page->root, err));
    if (page->root.encoding != entry->encoding)
        return br_opener_corrupt(opener, err, "encoding", page->root.encoding, entry->encoding);
    if (opener->left_bytes != 0)
        return br_opener_corrupt(opener, err, "bytes after the end", opener->left_bytes, 0);
    return BR_OK;
}

static br_status check_entry(const uint8_t *bytes, uint32_t size_bytes, const br_page_entry *entry,
                             const char *place, br_error *err)
{
    br_opener opener = {.place = place};
    if (size_bytes != entry->stored_bytes)
        return br_opener_corrupt(&opener, err, "page bytes", size_bytes, entry->stored_bytes);
    if (entry->row_count == 0 || entry->row_count > BR_CHUNK_ROWS)
        return br_opener_corrupt(&opener, err, "page rows", entry->row_count, BR_CHUNK_ROWS);
    uint64_t checksum = br_checksum(bytes, size_bytes);
    if (checksum != entry->checksum)
        return br_fail(err, BR_CORRUPT, "%s: page checksum: found %016llx, want %016llx", place,
                       (unsigned long long)checksum, (unsigned long long)entry->checksum);
    return BR_OK;
}

br_status br_page_open(const uint8_t *bytes, uint32_t size_bytes, const br_page_entry *entry,
                       const br_format_kernels *kernels, const char *place, br_quota *quota,
                       br_page **page_out, br_error *err)
{
    BR_TRY(check_entry(bytes, size_bytes, entry, place, err));
    br_page *page = br_heap_zalloc(sizeof *page);
    if (page == NULL) return br_fail_nomem(err, sizeof *page);
    page->arena = br_arena_new(quota);
    br_opener opener = {.bytes = bytes,
                        .left_bytes = size_bytes,
                        .place = place,
                        .arena = page->arena,
                        .kernels = kernels};
    br_status status = page->arena != NULL ? open_root(page, &opener, entry, err)
                                           : br_fail_nomem(err, sizeof *page);
    if (status != BR_OK) {
        br_page_free(page);
        return status;
    }
    *page_out = page;
    return BR_OK;
}

void br_page_free(br_page *page)
{
    if (page == NULL) return;
    br_arena_free(page->arena);
    br_heap_free(page);
}

size_t br_page_bytes(const br_page *page) { return sizeof *page + br_arena_bytes(page->arena); }

uint32_t br_page_rows(const br_page *page) { return page->root.row_count; }

br_class br_page_class(const br_page *page) { return (br_class)page->root.class_; }

const br_dictionary *br_page_dictionary(const br_page *page)
{
    const br_node *root = &page->root;
    bool has_texts = root->class_ == BR_TEXT || root->class_ == BR_BLOB;
    if (root->encoding == BR_ENCODING_DICT && has_texts) return &root->dict.dictionary;
    if (root->encoding == BR_ENCODING_RLE && root->rle.values.kind == BR_VECTOR_DICT)
        return root->rle.values.dictionary;
    return NULL;
}

// ---- decoding --------------------------------------------------------------------------------

// The validity of rows first..first+count, or NULL when none is NULL.
static const uint64_t *validity_of(const br_page *page, uint32_t first, uint32_t count)
{
    if (page->validity == NULL) return NULL;
    const uint64_t *bits = page->validity + first / 64;
    return br_bitmap_count(bits, count) == count ? NULL : bits;
}

// Adds NULLs to a vector of values. A CONST vector has no room for them, br_values carry their own.
static br_status apply_validity(br_vector *vector, const uint64_t *validity, uint32_t count,
                                br_arena *arena, br_error *err)
{
    if (validity == NULL || vector->class_ == BR_NULL) return BR_OK;
    if (vector->kind == BR_VECTOR_CONST)
        BR_TRY(br_vector_flatten(vector, count, arena, vector, err));
    if (vector->class_ != BR_ANY) {
        vector->validity = validity;
        return BR_OK;
    }
    // A MIXED page made this array in the arena for this call.
    br_value *values = (br_value *)(uintptr_t)vector->any;
    for (uint32_t row = 0; row < count; row++)
        if (!br_bitmap_get(validity, row)) values[row] = br_value_null();
    return BR_OK;
}

br_status br_page_decode(const br_page *page, uint32_t first, uint32_t count, br_arena *arena,
                         br_vector *out, br_error *err)
{
    const br_node *root = &page->root;
    br_assert(first % BR_VECTOR_ROWS == 0);
    br_assert(first <= root->row_count && count <= root->row_count - first);
    br_vector vector;
    BR_TRY(root->ops->decode(root, first, count, arena, &vector, err));
    BR_TRY(apply_validity(&vector, validity_of(page, first, count), count, arena, err));
    *out = vector;
    return BR_OK;
}

static br_status gather_validity(const br_page *page, uint32_t first, const uint16_t *positions,
                                 uint32_t count, br_arena *arena, const uint64_t **validity_out,
                                 br_error *err)
{
    *validity_out = NULL;
    if (page->validity == NULL) return BR_OK;
    uint64_t *bits = BR_ALLOC(arena, uint64_t, br_bitmap_words(count));
    if (bits == NULL) return br_fail_nomem(err, br_bitmap_words(count) * sizeof *bits);
    uint32_t valid = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bit = br_bitmap_get(page->validity, first + positions[i]);
        bits[i >> 6] |= bit << (i & 63);
        valid += (uint32_t)bit;
    }
    if (valid < count) *validity_out = bits;
    return BR_OK;
}

// Encodings that gather value by value are better decoded whole when most values are wanted.
static bool is_dense(const br_node *root, const uint16_t *positions, uint32_t count)
{
    if (root->encoding == BR_ENCODING_CONSTANT || root->encoding == BR_ENCODING_RAW) return false;
    if (root->encoding == BR_ENCODING_SEQUENCE || count == 0) return false;
    return count * GATHER_SHARE_MIN > (uint32_t)positions[count - 1] + 1;
}

br_status br_page_gather(const br_page *page, uint32_t first, const uint16_t *positions,
                         uint32_t count, br_arena *arena, br_vector *out, br_error *err)
{
    const br_node *root = &page->root;
    br_assert(first % BR_VECTOR_ROWS == 0);
    br_assert(count == 0 || first + positions[count - 1] < root->row_count);
    br_vector vector;
    if (is_dense(root, positions, count)) {
        BR_TRY(root->ops->decode(root, first, positions[count - 1] + 1u, arena, &vector, err));
        BR_TRY(br_vector_gather(&vector, positions, count, arena, &vector, err));
    } else {
        BR_TRY(root->ops->gather(root, first, positions, count, arena, &vector, err));
    }
    const uint64_t *validity;
    BR_TRY(gather_validity(page, first, positions, count, arena, &validity, err));
    BR_TRY(apply_validity(&vector, validity, count, arena, err));
    *out = vector;
    return BR_OK;
}

uint32_t br_page_lower_bound(const br_page *page, int64_t key)
{
    const br_node *root = &page->root;
    br_assert(root->class_ == BR_INT && page->validity == NULL);
    uint32_t low = 0, high = root->row_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        uint16_t position = middle % BR_VECTOR_ROWS;
        int64_t value;
        root->ops->integers->gather(root, middle - position, &position, 1, &value);
        if (value < key) low = middle + 1;
        else high = middle;
    }
    return low;
}
