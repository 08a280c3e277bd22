// test_page.c - every shape of column reads back, is gathered, filtered and searched like the values
// it was made from, under every instruction set.
// SPDX-License-Identifier: Apache-2.0
#include "tests/format/fixture.h"

static uint64_t seed = 20240611;

static void check_decode(const char *name, const br_column *column, const br_page *page,
                         br_arena *arena)
{
    br_error err = {0};
    for (uint32_t first = 0; first < column->row_count; first += 2048) {
        uint32_t left = column->row_count - first, count = left < 2048 ? left : 2048;
        br_arena_mark mark = br_arena_get_mark(arena);
        br_vector vector;
        MUST(br_page_decode(page, first, count, arena, &vector, &err), err);
        uint32_t wrong = 0;
        for (uint32_t i = 0; i < count; i++) {
            br_value got = br_vector_value(&vector, i, arena);
            br_value want = br_column_value(column, first + i);
            wrong += !fixture_equal(&got, &want);
        }
        if (wrong > 0) fprintf(stderr, "%s: decode of %u: %u wrong\n", name, first, wrong);
        CHECK_INT(wrong, 0);
        br_arena_rewind(arena, mark);
    }
}

// One position in `share` is taken.
static void check_gather(const char *name, const br_column *column, const br_page *page,
                         uint32_t share, br_arena *arena)
{
    br_error err = {0};
    for (uint32_t first = 0; first < column->row_count; first += 2048) {
        uint32_t left = column->row_count - first, rows = left < 2048 ? left : 2048;
        uint16_t positions[2048];
        uint32_t count = 0, wrong = 0;
        for (uint32_t i = 0; i < rows; i++)
            if (test_random(&seed) % share == 0) positions[count++] = (uint16_t)i;
        br_arena_mark mark = br_arena_get_mark(arena);
        br_vector vector;
        MUST(br_page_gather(page, first, positions, count, arena, &vector, &err), err);
        for (uint32_t i = 0; i < count; i++) {
            br_value got = br_vector_value(&vector, i, arena);
            br_value want = br_column_value(column, first + positions[i]);
            wrong += !fixture_equal(&got, &want);
        }
        if (wrong > 0) fprintf(stderr, "%s: gather of %u: %u wrong\n", name, first, wrong);
        CHECK_INT(wrong, 0);
        br_arena_rewind(arena, mark);
    }
}

// ---- filters ---------------------------------------------------------------------------------

static int rank(uint8_t class_) { return class_ == BR_TEXT ? 1 : class_ == BR_BLOB ? 2 : 0; }

// The specification, written apart from the code under test.
static bool passes(const br_filter *filter, const br_value *value)
{
    switch (filter->kind) {
    case BR_FILTER_IS_NULL: return value->class_ == BR_NULL;
    case BR_FILTER_NOT_NULL: return value->class_ != BR_NULL;
    case BR_FILTER_RANGE:
        return value->class_ == BR_INT && value->i64 >= filter->int_min &&
               value->i64 <= filter->int_max;
    default: break;
    }
    if (value->class_ == BR_NULL)
        return filter->kind == BR_FILTER_PREDICATE && filter->null_result;
    if (filter->kind == BR_FILTER_PREDICATE) {
        if (value->class_ == BR_INT) return value->i64 % 3 == 0;
        if (value->class_ == BR_REAL) return value->f64 < 10;
        return value->text.size % 2 == 0;
    }
    int order = rank(value->class_) - rank(filter->value.class_);
    if (order == 0) order = br_value_compare(value, &filter->value, BR_COLLATION_BINARY);
    switch (filter->compare) {
    case BR_EQ: return order == 0;
    case BR_NE: return order != 0;
    case BR_LT: return order < 0;
    case BR_LE: return order <= 0;
    case BR_GT: return order > 0;
    default: return order >= 0;
    }
}

static br_status predicate(void *context, uint32_t worker, const br_vector *values,
                           uint32_t row_count, uint64_t *selected_out, br_error *err)
{
    (void)err;
    CHECK_INT(worker, 3);
    CHECK(row_count <= BR_BATCH_ROWS);
    br_arena *arena = br_arena_new(NULL);
    for (uint32_t row = 0; row < row_count; row++) {
        CHECK(!br_bitmap_get(selected_out, row));
        br_value value = br_vector_value(values, row, arena);
        if (passes(context, &value)) br_bitmap_set(selected_out, row);
    }
    br_arena_free(arena);
    return BR_OK;
}

static void check_prune(const char *name, const br_column *column, const br_filter *filter,
                        const br_zone_stats *stats, uint32_t first)
{
    uint32_t passed = 0;
    for (uint32_t i = 0; i < stats->row_count; i++) {
        br_value value = br_column_value(column, first + i);
        passed += passes(filter, &value);
    }
    br_prune prune = br_filter_prune(filter, stats);
    bool is_right = (prune != BR_PRUNE_NONE || passed == 0) &&
                    (prune != BR_PRUNE_ALL || passed == stats->row_count);
    if (!is_right)
        fprintf(stderr, "%s: prune says %d, %u of %u pass\n", name, prune, passed,
                stats->row_count);
    CHECK(is_right);
}

static void check_filter(const char *name, const br_column *column, const fixture_page *page,
                         const br_filter *filter, br_arena *arena)
{
    br_error err = {0};
    br_select_cache cache = {0};
    br_arena_mark mark = br_arena_get_mark(arena);
    for (uint32_t first = 0; first < column->row_count; first += 8192) {
        uint32_t left = column->row_count - first, count = left < 8192 ? left : 8192;
        uint64_t selected[128] = {0}, before[128];
        uint32_t share = first % 16384 == 0 ? 1 : 20, wrong = 0;
        for (uint32_t i = 0; i < count; i++)
            if (test_random(&seed) % share == 0) br_bitmap_set(selected, i);
        memcpy(before, selected, sizeof before);
        MUST(br_page_select(page->page, filter, 3, first, count, &cache, arena, selected, &err),
             err);
        for (uint32_t i = 0; i < count; i++) {
            br_value value = br_column_value(column, first + i);
            bool want = br_bitmap_get(before, i) && passes(filter, &value);
            wrong += br_bitmap_get(selected, i) != want;
        }
        for (uint32_t i = count; i < 8192; i++) wrong += br_bitmap_get(selected, i);
        if (wrong > 0)
            fprintf(stderr, "%s: filter %d %d class %d at %u: %u wrong\n", name, filter->kind,
                    filter->compare, filter->value.class_, first, wrong);
        CHECK_INT(wrong, 0);
        check_prune(name, column, filter, &page->entry.zones[first / BR_ZONE_ROWS], first);
    }
    check_prune(name, column, filter, &page->entry.stats, 0);
    br_arena_rewind(arena, mark);
}

static void check_compares(const char *name, const br_column *column, const fixture_page *page,
                           br_value constant, br_arena *arena)
{
    for (int compare = BR_EQ; compare <= BR_GE; compare++) {
        br_filter filter = {
            .kind = BR_FILTER_COMPARE, .compare = (br_compare)compare, .value = constant};
        check_filter(name, column, page, &filter, arena);
    }
}

static void check_filters(const char *name, const br_column *column, const fixture_page *page,
                          br_arena *arena)
{
    br_value own = br_column_value(column, (uint32_t)(test_random(&seed) % column->row_count));
    br_value constants[] = {
        own, own, br_value_int(0), br_value_real(0.5), fixture_text("1995-06-17"),
        fixture_text("1995-06-1"), fixture_text("word 1"), fixture_text(""),
        br_value_blob(br_text_make("\x80", 1)), br_value_real(-1e19), br_value_real(1e19),
        br_value_int(INT64_MAX), br_value_int(INT64_MIN), br_value_real(49.99),
        br_value_real(__builtin_inf()), fixture_text("1995-06-17 12:00:00"), fixture_text("zz")};
    if (own.class_ == BR_INT) constants[1] = br_value_real((double)own.i64 + 0.5);
    if (own.class_ == BR_REAL && own.f64 > -1e15 && own.f64 < 1e15)
        constants[1] = br_value_int((int64_t)own.f64);
    if (own.class_ == BR_TEXT && own.text.size > 1)
        constants[1] = br_value_text(br_text_make(own.text.data, own.text.size - 1));
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++)
        if (constants[i].class_ != BR_NULL)
            check_compares(name, column, page, constants[i], arena);
    int64_t low = own.class_ == BR_INT ? own.i64 : 10;
    br_filter others[] = {
        {.kind = BR_FILTER_RANGE, .int_min = low, .int_max = low > INT64_MAX - 99 ? low : low + 99},
        {.kind = BR_FILTER_RANGE, .int_min = 5, .int_max = 4},
        {.kind = BR_FILTER_RANGE, .int_min = INT64_MIN, .int_max = INT64_MAX},
        {.kind = BR_FILTER_NOT_NULL},
        {.kind = BR_FILTER_IS_NULL},
        {.kind = BR_FILTER_PREDICATE, .select = predicate},
        {.kind = BR_FILTER_PREDICATE, .select = predicate, .null_result = true}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        others[i].context = &others[i];
        check_filter(name, column, page, &others[i], arena);
    }
}

// ---- pages -----------------------------------------------------------------------------------

static void check_entry(const fixture_shape *shape, const br_column *column,
                        const fixture_page *page)
{
    const br_page_entry *entry = &page->entry;
    uint64_t raw_bytes = 0;
    uint32_t nulls = 0;
    uint8_t mask = 0;
    for (uint32_t row = 0; row < column->row_count; row++) {
        br_value value = br_column_value(column, row);
        mask |= (uint8_t)(1u << value.class_);
        nulls += value.class_ == BR_NULL;
        if (value.class_ == BR_INT || value.class_ == BR_REAL) raw_bytes += 8;
        if (value.class_ >= BR_TEXT) raw_bytes += value.text.size;
    }
    CHECK_INT(entry->row_count, column->row_count);
    CHECK_INT(entry->raw_bytes, raw_bytes);
    CHECK_INT(entry->stats.class_mask, mask);
    CHECK_INT(entry->stats.null_count, nulls);
    CHECK_INT(entry->stored_bytes, page->bytes.size_bytes);
    CHECK_INT(br_page_rows(page->page), column->row_count);
    bool is_large = column->row_count > 20000;
    if (is_large && shape->encoding != FIXTURE_ANY)
        CHECK_TEXT(br_encoding_name((br_encoding)entry->encoding),
                   br_encoding_name(shape->encoding));
    if (shape->encoding != BR_ENCODING_MIXED)
        CHECK_INT(br_page_class(page->page), br_class_of_mask(mask));
}

static void check_shape(const fixture_shape *shape, uint32_t row_count, br_encode_effort effort,
                        const br_format_kernels *kernels, bool with_filters)
{
    br_error err = {0};
    br_column column;
    fixture_page page;
    br_arena *arena = br_arena_new(NULL);
    MUST(br_column_init(&column, NULL, &err), err);
    fixture_fill(shape, row_count, &seed, &column);
    fixture_open(&column, effort, kernels, &page);
    check_entry(shape, &column, &page);
    check_decode(shape->name, &column, page.page, arena);
    check_gather(shape->name, &column, page.page, 2, arena);
    check_gather(shape->name, &column, page.page, 10, arena);
    check_gather(shape->name, &column, page.page, 300, arena);
    if (with_filters) check_filters(shape->name, &column, &page, arena);
    fixture_close(&page);
    br_column_release(&column);
    br_arena_free(arena);
}

static void test_page_all_shapes_on_all_instruction_sets(void)
{
    const uint32_t sizes[] = {1, 2, 63, 1025, 8191, 20500};
    for (br_isa isa = BR_ISA_SCALAR; isa <= br_cpu_isa_best(); isa++) {
        for (int i = 0; i < FIXTURE_SHAPES; i++) {
            br_encode_effort effort = i % 2 ? BR_ENCODE_FAST : BR_ENCODE_SMALL;
            uint32_t size = sizes[test_random(&seed) % 6];
            check_shape(&fixture_shapes[i], size, effort, br_format_kernels_for(isa), true);
            check_shape(&fixture_shapes[i], 20481, effort, br_format_kernels_for(isa),
                        isa == br_cpu_isa_best());
        }
    }
}

static void test_page_full_chunks(void)
{
    const br_format_kernels *kernels = br_format_kernels_for(br_cpu_isa_best());
    for (int i = 0; i < FIXTURE_SHAPES; i++)
        check_shape(&fixture_shapes[i], BR_CHUNK_ROWS, BR_ENCODE_SMALL, kernels, false);
}

static void check_lower_bound(br_value (*value)(uint64_t *, uint32_t, char *))
{
    br_error err = {0};
    br_column column;
    fixture_page page;
    fixture_shape shape = {.name = "key", .value = value};
    MUST(br_column_init(&column, NULL, &err), err);
    fixture_fill(&shape, 9000, &seed, &column);
    fixture_open(&column, BR_ENCODE_FAST, br_format_kernels_for(BR_ISA_SCALAR), &page);
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t row = (uint32_t)(test_random(&seed) % 9000);
        int64_t key = (int64_t)column.payloads[row] + (int64_t)(i % 3) - 1;
        uint32_t want = 0;
        while (want < 9000 && (int64_t)column.payloads[want] < key) want++;
        CHECK_INT(br_page_lower_bound(page.page, key), want);
    }
    CHECK_INT(br_page_lower_bound(page.page, INT64_MIN), 0);
    CHECK_INT(br_page_lower_bound(page.page, INT64_MAX), 9000);
    fixture_close(&page);
    br_column_release(&column);
}

static void test_page_lower_bound_finds_first_key(void)
{
    check_lower_bound(fixture_dense_key);
    check_lower_bound(fixture_key_with_gaps);
    check_lower_bound(fixture_one_int);
}

static void test_page_encode_refuses_empty(void)
{
    br_error err = {0};
    br_column column;
    br_buffer out = {0};
    br_page_entry entry;
    MUST(br_column_init(&column, NULL, &err), err);
    CHECK_INT(br_page_encode(&column, BR_ENCODE_FAST, &out, &entry, NULL, &err), BR_MISUSE);
    br_column_release(&column);
    br_buffer_release(&out);
}

static void test_page_open_respects_quota(void)
{
    br_error err = {0};
    br_column column;
    br_buffer bytes = {0};
    br_page_entry entry;
    br_page *page = NULL;
    MUST(br_column_init(&column, NULL, &err), err);
    fixture_shape shape = {.value = fixture_comment};
    fixture_fill(&shape, 5000, &seed, &column);
    MUST(br_page_encode(&column, BR_ENCODE_FAST, &bytes, &entry, NULL, &err), err);
    br_quota quota;
    br_quota_init(&quota, 20000, NULL);
    CHECK_INT(br_page_open(bytes.bytes, entry.stored_bytes, &entry,
                           br_format_kernels_for(BR_ISA_SCALAR), "t", &quota, &page, &err),
              BR_NOMEM);
    CHECK_INT(atomic_load(&quota.used_bytes), 0);
    br_quota_init(&quota, SIZE_MAX, NULL);
    MUST(br_page_open(bytes.bytes, entry.stored_bytes, &entry,
                      br_format_kernels_for(BR_ISA_SCALAR), "t", &quota, &page, &err),
         err);
    CHECK(br_page_bytes(page) >= entry.raw_bytes);
    CHECK(atomic_load(&quota.used_bytes) > 0);
    br_page_free(page);
    CHECK_INT(atomic_load(&quota.used_bytes), 0);
    br_column_release(&column);
    br_buffer_release(&bytes);
}

// Every amount of memory, from none to enough: a clean error or a page, and nothing left behind.
static void starve(const fixture_shape *shape)
{
    br_error err = {0};
    br_column column;
    br_buffer bytes = {0};
    br_page_entry entry;
    MUST(br_column_init(&column, NULL, &err), err);
    fixture_fill(shape, 3000, &seed, &column);
    MUST(br_page_encode(&column, BR_ENCODE_FAST, &bytes, &entry, NULL, &err), err);
    br_status status = BR_NOMEM;
    for (size_t limit = 0; status != BR_OK; limit += limit / 16 + 512) {
        br_quota quota;
        br_page *page = NULL;
        br_quota_init(&quota, limit, NULL);
        status = br_page_open(bytes.bytes, entry.stored_bytes, &entry,
                              br_format_kernels_for(br_cpu_isa_best()), "t", &quota, &page, &err);
        CHECK(status == BR_OK || status == BR_NOMEM);
        br_page_free(page);
        CHECK_INT(atomic_load(&quota.used_bytes), 0);
    }
    fixture_page page;
    fixture_open(&column, BR_ENCODE_FAST, br_format_kernels_for(br_cpu_isa_best()), &page);
    br_filter filter = {.kind = BR_FILTER_PREDICATE, .select = predicate, .context = &filter};
    const uint16_t positions[] = {0, 1, 900, 1999};
    for (size_t limit = 0, passed = 0; passed < 3; limit += limit / 16 + 512) {
        br_quota quota;
        br_vector vector;
        br_select_cache cache = {0};
        uint64_t selected[47];
        br_bitmap_fill(selected, 3000);
        br_quota_init(&quota, limit, NULL);
        br_arena *arena = br_arena_new(&quota);
        const br_status got[] = {
            br_page_decode(page.page, 0, 2048, arena, &vector, &err),
            br_page_gather(page.page, 0, positions, 4, arena, &vector, &err),
            br_page_select(page.page, &filter, 3, 0, 3000, &cache, arena, selected, &err)};
        passed = 0;
        for (int i = 0; i < 3; i++) {
            CHECK(got[i] == BR_OK || got[i] == BR_NOMEM);
            passed += got[i] == BR_OK;
        }
        br_arena_free(arena);
        CHECK_INT(atomic_load(&quota.used_bytes), 0);
    }
    fixture_close(&page);
    br_column_release(&column);
    br_buffer_release(&bytes);
}

static void test_page_with_too_little_memory(void)
{
    for (int i = 0; i < FIXTURE_SHAPES; i++) starve(&fixture_shapes[i]);
}

static void test_page_dictionaries_have_their_own_ids(void)
{
    br_error err = {0};
    br_column column;
    fixture_page left, right;
    MUST(br_column_init(&column, NULL, &err), err);
    fixture_shape shape = {.value = fixture_color};
    fixture_fill(&shape, 5000, &seed, &column);
    fixture_open(&column, BR_ENCODE_FAST, br_format_kernels_for(BR_ISA_SCALAR), &left);
    fixture_open(&column, BR_ENCODE_FAST, br_format_kernels_for(BR_ISA_SCALAR), &right);
    CHECK_INT(br_page_dictionary(left.page)->size, 6);
    CHECK_INT(left.entry.stats.distinct_estimate, 6);
    CHECK(br_page_dictionary(left.page)->id != br_page_dictionary(right.page)->id);
    fixture_close(&left);
    fixture_close(&right);
    br_column_release(&column);
}

// Too many for a dictionary, and of several classes.
static void test_page_counts_distinct_values(void)
{
    br_error err = {0};
    br_column texts, mixed;
    fixture_page page;
    MUST(br_column_init(&texts, NULL, &err), err);
    MUST(br_column_init(&mixed, NULL, &err), err);
    for (uint32_t i = 0; i < BR_CHUNK_ROWS; i++) {
        char text[16];
        int size = snprintf(text, sizeof text, "%08x", i * 2654435761u % 30011);
        br_value value = br_value_text(br_text_make(text, (uint32_t)size));
        MUST(br_column_append(&texts, &value, &err), err);
        value = i % 3 == 0 ? br_value_text(br_text_make("several", i / 3 % 7 + 1))
                           : br_value_int(i % 5);
        MUST(br_column_append(&mixed, &value, &err), err);
    }
    fixture_open(&texts, BR_ENCODE_FAST, br_format_kernels_for(BR_ISA_SCALAR), &page);
    CHECK(page.entry.stats.distinct_estimate > 26000 && page.entry.stats.distinct_estimate < 30012);
    fixture_close(&page);
    fixture_open(&mixed, BR_ENCODE_FAST, br_format_kernels_for(BR_ISA_SCALAR), &page);
    CHECK_INT(page.entry.stats.distinct_estimate, 12);
    fixture_close(&page);
    br_column_release(&texts);
    br_column_release(&mixed);
}

int main(int argc, char **argv)
{
    if (argc > 1) seed = strtoull(argv[1], NULL, 10);
    printf("seed %" PRIu64 "\n", seed);
    RUN(test_page_all_shapes_on_all_instruction_sets);
    RUN(test_page_full_chunks);
    RUN(test_page_lower_bound_finds_first_key);
    RUN(test_page_encode_refuses_empty);
    RUN(test_page_open_respects_quota);
    RUN(test_page_with_too_little_memory);
    RUN(test_page_dictionaries_have_their_own_ids);
    RUN(test_page_counts_distinct_values);
    return test_result();
}
