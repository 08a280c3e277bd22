// test_hostile.c - pages whose bytes are damaged but whose checksum is right: opening must fail, or
// everything the page then says must stay inside its memory. Meant to run under ASan.
// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"
#include "tests/format/fixture.h"

static uint64_t seed = 4711;

static br_status pass_all(void *context, uint32_t worker, const br_vector *values,
                          uint32_t row_count, uint64_t *selected_out, br_error *err)
{
    (void)context, (void)worker, (void)values, (void)err;
    for (uint32_t row = 0; row < row_count; row++) br_bitmap_set(selected_out, row);
    return BR_OK;
}

// Reads every byte of every value.
static uint64_t touch_values(const br_vector *vector, uint32_t count, br_arena *arena)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        br_value value = br_vector_value(vector, i, arena);
        if (value.class_ == BR_INT) sum += (uint64_t)value.i64;
        if (value.class_ < BR_TEXT) continue;
        for (uint32_t b = 0; b < value.text.size; b++) sum += (uint8_t)value.text.data[b];
    }
    return sum;
}

static uint64_t touch_page(const br_page *page)
{
    br_error err = {0};
    br_arena *arena = br_arena_new(NULL);
    uint64_t sum = 0;
    const br_filter filters[] = {
        {.kind = BR_FILTER_COMPARE, .compare = BR_LE, .value = br_value_int(40)},
        {.kind = BR_FILTER_COMPARE, .compare = BR_NE, .value = br_value_real(12.5)},
        {.kind = BR_FILTER_COMPARE, .compare = BR_GT, .value = fixture_text("1995-06-17")},
        {.kind = BR_FILTER_IS_NULL},
        {.kind = BR_FILTER_PREDICATE, .select = pass_all},
    };
    for (uint32_t f = 0; f < 5; f++) {
        br_select_cache cache = {0};
        uint64_t selected[BR_CHUNK_ROWS / 64];
        br_bitmap_fill(selected, br_page_rows(page));
        MUST(br_page_select(page, &filters[f], 0, 0, br_page_rows(page), &cache, arena, selected,
                            &err),
             err);
        sum += br_bitmap_count(selected, br_page_rows(page));
    }
    for (uint32_t first = 0; first < br_page_rows(page); first += 2048) {
        uint32_t left = br_page_rows(page) - first, count = left < 2048 ? left : 2048;
        uint16_t positions[2] = {(uint16_t)(count / 2), (uint16_t)(count - 1)};
        br_vector vector;
        MUST(br_page_decode(page, first, count, arena, &vector, &err), err);
        sum += touch_values(&vector, count, arena);
        if (count < 3) continue;
        MUST(br_page_gather(page, first, positions, 2, arena, &vector, &err), err);
        sum += touch_values(&vector, 2, arena);
    }
    br_arena_free(arena);
    return sum;
}

// Damages the bytes in one of several ways; returns the new size.
static uint32_t damage(uint8_t *bytes, uint32_t size)
{
    uint32_t head = size < 600 ? size : 600;
    uint64_t bits = test_random(&seed);
    uint32_t at = (uint32_t)(bits >> 8) % (bits % 4 == 0 ? size : head);
    switch (bits >> 40 & 3) {
    case 0: bytes[at] ^= (uint8_t)(1u << (bits >> 50 & 7)); break;
    case 1: bytes[at] = (uint8_t)(bits >> 50); break;
    case 2:
        for (uint32_t i = 0; i < 4 && at + i < size; i++) bytes[at + i] = (uint8_t)(bits >> (50 + i));
        break;
    default: return at;
    }
    return size;
}

static void attack(const fixture_shape *shape, uint32_t row_count, uint32_t rounds)
{
    br_error err = {0};
    br_column column;
    br_buffer bytes = {0};
    br_page_entry entry;
    MUST(br_column_init(&column, NULL, &err), err);
    fixture_fill(shape, row_count, &seed, &column);
    MUST(br_page_encode(&column, BR_ENCODE_SMALL, &bytes, &entry, NULL, &err), err);
    uint8_t *copy = malloc(bytes.size_bytes);
    uint32_t refused = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        memcpy(copy, bytes.bytes, bytes.size_bytes);
        br_page_entry hostile = entry;
        hostile.stored_bytes = damage(copy, entry.stored_bytes);
        hostile.checksum = br_checksum(copy, hostile.stored_bytes);
        hostile.encoding = copy[8] < BR_ENCODING_COUNT ? copy[8] : entry.encoding;
        br_page *page = NULL;
        br_status status =
            br_page_open(copy, hostile.stored_bytes, &hostile,
                         br_format_kernels_for(br_cpu_isa_best()), "hostile", NULL, &page, &err);
        refused += status != BR_OK;
        CHECK(status == BR_OK || status == BR_CORRUPT || status == BR_NOMEM);
        if (status == BR_OK) touch_page(page);
        br_page_free(page);
    }
    CHECK(refused > 0);
    free(copy);
    br_buffer_release(&bytes);
    br_column_release(&column);
}

static void test_hostile_pages(void)
{
    for (int i = 0; i < FIXTURE_SHAPES; i++) attack(&fixture_shapes[i], 2500, 250);
}

static void test_wrong_checksum_is_refused(void)
{
    br_error err = {0};
    br_column column;
    fixture_page page;
    fixture_shape shape = {.value = fixture_comment};
    MUST(br_column_init(&column, NULL, &err), err);
    fixture_fill(&shape, 100, &seed, &column);
    fixture_open(&column, BR_ENCODE_FAST, br_format_kernels_for(BR_ISA_SCALAR), &page);
    page.bytes.bytes[page.entry.stored_bytes / 2] ^= 1;
    br_page *refused = NULL;
    CHECK_INT(br_page_open(page.bytes.bytes, page.entry.stored_bytes, &page.entry,
                           br_format_kernels_for(BR_ISA_SCALAR), "a place", NULL, &refused, &err),
              BR_CORRUPT);
    CHECK(strstr(err.message, "a place: page checksum") != NULL);
    CHECK(refused == NULL);
    fixture_close(&page);
    br_column_release(&column);
}

int main(int argc, char **argv)
{
    if (argc > 1) seed = strtoull(argv[1], NULL, 10);
    printf("seed %" PRIu64 "\n", seed);
    RUN(test_hostile_pages);
    RUN(test_wrong_checksum_is_refused);
    return test_result();
}
