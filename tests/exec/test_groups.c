// test_groups.c - group numbers and sort orders of random rows against the plainest way to get them.
//
// The same random values come as vectors of every kind, batch by batch; a list of the keys seen so
// far, searched from the start with br_value_compare, says which group a row belongs to. Hashes that
// are all alike make every row take the slow way through the table.
// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"
#include "base/heap.h"
#include "exec/groups.h"
#include "exec/kernels/kernels.h"
#include "exec/sort.h"
#include "tests/test.h"

enum { KEYS_MAX = 3, ROWS_MAX = 6000, BATCH = 700, DICTIONARY = 40 };

static uint64_t random_state = 20261120;

typedef struct table {  // rows as values, and what the code under test may use
    uint32_t key_count, row_count;
    br_value values[KEYS_MAX][ROWS_MAX];
    br_collation collations[KEYS_MAX];
    br_quota quota;
    br_exec_env env;
    br_run run;
    br_arena *arena, *scratch;
} table;

static table rows;

static uint32_t below(uint32_t limit) { return (uint32_t)(test_random(&random_state) >> 33) % limit; }

typedef enum flavour {
    INTS, SMALL_INTS, ASCENDING, REALS, WHOLE_REALS, TEXTS, DATES, DATETIMES, MIXED, BLOBS, FLAVOURS
} flavour;

static br_text random_text(uint32_t spread)
{
    static const char *const heads[] = {"", "a", "A", "b ", "b", "long enough to need its bytes "};
    char *text = br_arena_format(rows.arena, "%s%u", heads[below(6)], below(spread));
    if (below(6) == 0) text[strlen(text) - 1] = ' ';
    return br_text_make(text, (uint32_t)strlen(text));
}

static br_value random_value(flavour kind, uint32_t row)
{
    char *text;
    switch (kind) {
    case INTS: return br_value_int((int64_t)(test_random(&random_state) % 3000) * 1000003 - 7);
    case SMALL_INTS: return br_value_int((int64_t)below(20) - 10);
    case ASCENDING: return br_value_int(row / 3 + (row > 4000 ? below(3) : 0));
    case REALS: return br_value_real(below(50) / 4.0 - 3);
    case WHOLE_REALS: return br_value_real(below(2) ? (double)below(9) : -0.0);
    case TEXTS: return br_value_text(random_text(30));
    case DATES:
        text = br_arena_alloc(rows.arena, 10, 1);
        br_date_format(9000 + below(60), text);
        return br_value_text(br_text_make(text, 10));
    case DATETIMES:
        text = br_arena_alloc(rows.arena, 19, 1);
        br_datetime_format(800000000 + below(60), text);
        return br_value_text(br_text_make(text, 19));
    case BLOBS: return br_value_blob(random_text(10));
    default: return random_value((flavour)below(MIXED), row);
    }
}

static void fill_table(uint32_t key_count, const flavour *kinds, uint32_t row_count, bool nulls)
{
    rows.key_count = key_count;
    rows.row_count = row_count;
    for (uint32_t k = 0; k < key_count; k++) {
        rows.collations[k] = (br_collation)(below(3) == 0 ? below(3) : 0);
        for (uint32_t i = 0; i < row_count; i++)
            rows.values[k][i] = nulls && below(9) == 0 ? br_value_null() : random_value(kinds[k], i);
    }
}

// ---- vectors of every kind -------------------------------------------------------------------

static br_vector flat_vector(const br_value *values, uint32_t count, br_class class_)
{
    br_vector vector = {.class_ = (uint8_t)class_};
    uint64_t *bits = BR_ALLOC(rows.scratch, uint64_t, br_bitmap_words(count));
    br_text *texts = BR_ALLOC(rows.scratch, br_text, count);
    int64_t *numbers = BR_ALLOC(rows.scratch, int64_t, count);
    bool has_nulls = false;
    for (uint32_t i = 0; i < count; i++) {
        bool is_null = values[i].class_ == BR_NULL;
        has_nulls |= is_null;
        if (!is_null) br_bitmap_set(bits, i);
        if (class_ == BR_TEXT || class_ == BR_BLOB) {
            texts[i] = is_null ? br_text_make("garbage", 7) : values[i].text;
            // Bytes of a batch do not outlive it.
            texts[i].data = br_arena_copy_text(rows.scratch, texts[i].data, texts[i].size);
        } else {
            numbers[i] = is_null ? 77 : values[i].i64;
        }
    }
    vector.data = class_ == BR_TEXT || class_ == BR_BLOB ? (const void *)texts : numbers;
    if (has_nulls) vector.validity = bits;
    return vector;
}

static bool as_times(br_vector *vector, uint32_t count)
{
    int64_t *numbers = BR_ALLOC(rows.scratch, int64_t, count);
    for (int kind = BR_VECTOR_DATE; kind <= BR_VECTOR_DATETIME; kind++) {
        uint32_t fitting = 0;
        for (uint32_t i = 0; i < count; i++) {
            br_text text = vector->text[i];
            if (vector->validity != NULL && !br_bitmap_get(vector->validity, i)) fitting++;
            else if (kind == BR_VECTOR_DATE) fitting += br_date_parse(text.data, text.size, &numbers[i]);
            else fitting += br_datetime_parse(text.data, text.size, &numbers[i]);
        }
        if (fitting < count) continue;
        vector->kind = (uint8_t)kind;
        vector->i64 = numbers;
        return true;
    }
    return false;
}

static void as_dictionary(br_vector *vector, uint32_t count)
{
    static uint64_t next_id = 1;
    br_dictionary *dictionary = BR_ALLOC(rows.scratch, br_dictionary, 1);
    br_text *entries = BR_ALLOC(rows.scratch, br_text, count);
    uint32_t *codes = BR_ALLOC(rows.scratch, uint32_t, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t code = 0;
        while (code < dictionary->size && !br_text_equal(entries[code], vector->text[i])) code++;
        if (code == dictionary->size) entries[dictionary->size++] = vector->text[i];
        codes[i] = code;
    }
    dictionary->id = next_id++;
    dictionary->values = (br_vector){.class_ = vector->class_, .text = entries};
    vector->kind = BR_VECTOR_DICT;
    vector->codes = codes;
    vector->dictionary = dictionary;
}

static br_vector make_vector(uint32_t key, uint32_t first, uint32_t count)
{
    const br_value *values = &rows.values[key][first];
    unsigned mask = 0;
    br_vector vector;
    br_error err;
    for (uint32_t i = 0; i < count; i++) mask |= 1u << values[i].class_;
    br_class class_ = br_class_of_mask(mask);
    if (class_ == BR_NULL) return br_vector_null();
    if (class_ != BR_ANY) vector = flat_vector(values, count, class_);
    else vector = (br_vector){.class_ = BR_ANY, .any = values};
    if (class_ == BR_ANY || below(5) == 0) {
        MUST(br_vector_to_any(&vector, count, rows.scratch, &vector, &err), err);
        return vector;
    }
    if (class_ == BR_TEXT && below(3) > 0 && as_times(&vector, count)) return vector;
    if ((class_ == BR_TEXT || class_ == BR_BLOB) && below(2) == 0) as_dictionary(&vector, count);
    return vector;
}

// ---- groups ----------------------------------------------------------------------------------

static bool same_keys(uint32_t left, uint32_t right)
{
    for (uint32_t k = 0; k < rows.key_count; k++) {
        if (br_value_compare(&rows.values[k][left], &rows.values[k][right], rows.collations[k]))
            return false;
    }
    return true;
}

// first_of[row]: the first row with equal keys.
static void find_plainly(uint32_t *first_of)
{
    uint32_t *heads = br_heap_array(rows.row_count, sizeof *heads), count = 0;
    for (uint32_t row = 0; row < rows.row_count; row++) {
        uint32_t g = 0;
        while (g < count && !same_keys(heads[g], row)) g++;
        if (g == count) heads[count++] = row;
        first_of[row] = heads[g];
    }
    br_heap_free(heads);
}

typedef enum hashing { OWN_HASHES, ONE_HASH, FEW_HASHES } hashing;

static void check_groups(hashing how, bool dense)
{
    static uint32_t first_of[ROWS_MAX], group_of[ROWS_MAX];
    br_error err;
    br_groups groups;
    br_vector keys[KEYS_MAX];
    uint64_t hashes[BATCH];
    find_plainly(first_of);
    br_arena *arena = br_arena_new(NULL), *keep = br_arena_new(NULL);
    MUST(br_groups_init(&groups, &rows.run, arena, keep, rows.collations, rows.key_count, &err), err);
    if (dense) MUST(br_groups_enable_dense(&groups, &err), err);
    for (uint32_t first = 0, count; first < rows.row_count; first += count) {
        count = 1 + below(BATCH - 1);
        if (count > rows.row_count - first) count = rows.row_count - first;
        for (uint32_t k = 0; k < rows.key_count; k++) keys[k] = make_vector(k, first, count);
        for (uint32_t i = 0; i < count; i++)
            hashes[i] = how == ONE_HASH ? 5 : br_hash_u64(first_of[first + i]) & 0x7ull << 31;
        MUST(br_groups_find(&groups, keys, count, how == OWN_HASHES ? NULL : hashes, rows.scratch,
                            group_of + first, &err), err);
        br_arena_reset(rows.scratch);
    }
    uint32_t wrong = 0;
    for (uint32_t row = 0; row < rows.row_count; row++) {
        // Numbers go up with the first rows, and the stored key is the first row's.
        if (group_of[row] != group_of[first_of[row]] || group_of[row] >= groups.count) wrong++;
        for (uint32_t k = 0; wrong == 0 && k < rows.key_count; k++) {
            br_vector stored = br_groups_key(&groups, k);
            br_value value = br_vector_value(&stored, group_of[row], rows.scratch);
            if (br_value_compare(&value, &rows.values[k][row], rows.collations[k]) != 0) wrong++;
            if (value.class_ != rows.values[k][first_of[row]].class_) wrong++;
        }
    }
    CHECK_INT(wrong, 0);
    br_arena_free(arena);
    br_arena_free(keep);
    br_arena_reset(rows.scratch);
}

static void test_groups_match_plain_search(void)
{
    for (uint32_t round = 0; round < 120; round++) {
        flavour kinds[KEYS_MAX];
        uint32_t key_count = 1 + below(KEYS_MAX);
        for (uint32_t k = 0; k < key_count; k++) kinds[k] = (flavour)below(FLAVOURS);
        br_arena_reset(rows.arena);
        fill_table(key_count, kinds, 1 + below(round % 4 == 0 ? 3000 : 400), below(2) == 0);
        check_groups(OWN_HASHES, true);
        check_groups(OWN_HASHES, false);
        check_groups(FEW_HASHES, false);
        if (rows.row_count < 1000) check_groups(ONE_HASH, false);
    }
}

static void test_groups_of_ascending_keys(void)
{
    const flavour kinds[] = {ASCENDING};
    for (uint32_t round = 0; round < 4; round++) {
        br_arena_reset(rows.arena);
        fill_table(1, kinds, round < 2 ? 3000 : ROWS_MAX, round % 2 == 1);
        check_groups(OWN_HASHES, round < 3);
    }
}

// ---- sorting ---------------------------------------------------------------------------------

static br_sort_key sort_keys[KEYS_MAX];

static int compare_plainly(uint32_t left, uint32_t right)
{
    for (uint32_t k = 0; k < rows.key_count; k++) {
        const br_value *l = &rows.values[k][left], *r = &rows.values[k][right];
        bool left_null = l->class_ == BR_NULL, right_null = r->class_ == BR_NULL;
        if (left_null != right_null) return left_null != sort_keys[k].nulls_last ? -1 : 1;
        int order = br_value_compare(l, r, rows.collations[k]);
        if (order != 0) return sort_keys[k].descending ? -order : order;
    }
    return left < right ? -1 : 1;
}

static void check_sort(void)
{
    br_error err;
    br_vector columns[KEYS_MAX];
    uint32_t *order, wrong = 0;
    for (uint32_t k = 0; k < rows.key_count; k++) {
        sort_keys[k] = (br_sort_key){.descending = below(2) == 0,
                                     .nulls_last = below(2) == 0,
                                     .collation = rows.collations[k]};
        columns[k] = make_vector(k, 0, rows.row_count);
        if (columns[k].kind == BR_VECTOR_DICT)
            MUST(br_vector_flatten(&columns[k], rows.row_count, rows.scratch, &columns[k], &err), err);
    }
    br_sort_columns sort = {.key_count = rows.key_count, .columns = columns, .keys = sort_keys};
    MUST(br_sort_rows(&rows.run, &sort, rows.row_count, rows.arena, &order, &err), err);
    for (uint32_t i = 1; i < rows.row_count; i++) wrong += compare_plainly(order[i - 1], order[i]) > 0;
    CHECK_INT(wrong, 0);
    br_arena_reset(rows.scratch);
}

static void test_sort_is_stable_and_right(void)
{
    for (uint32_t round = 0; round < 300; round++) {
        flavour kinds[KEYS_MAX];
        uint32_t key_count = 1 + below(KEYS_MAX);
        for (uint32_t k = 0; k < key_count; k++) kinds[k] = (flavour)below(FLAVOURS);
        br_arena_reset(rows.arena);
        fill_table(key_count, kinds, 1 + below(2000), below(2) == 0);
        check_sort();
    }
}

// Numbers that differ only where doubles do not, and the ends of their range.
static void test_sort_extreme_numbers(void)
{
    static const int64_t ints[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX,
                                   9007199254740993, 9007199254740992};
    for (uint32_t round = 0; round < 60; round++) {
        br_arena_reset(rows.arena);
        rows.key_count = 2;
        rows.row_count = 300;
        for (uint32_t k = 0; k < 2; k++) {
            rows.collations[k] = BR_COLLATION_BINARY;
            for (uint32_t i = 0; i < rows.row_count; i++) {
                int64_t number = ints[below(9)];
                uint32_t choice = below(k + round % 2 == 0 ? 1 : 3);
                rows.values[k][i] = choice == 0   ? br_value_int(number)
                                    : choice == 1 ? br_value_real((double)number)
                                                  : br_value_null();
            }
        }
        check_sort();
    }
}

int main(int argc, char **argv)
{
    br_error err;
    if (argc > 1) random_state = strtoull(argv[1], NULL, 10);
    printf("seed %" PRIu64 "\n", random_state);
    br_quota_init(&rows.quota, SIZE_MAX, NULL);
    MUST(br_task_pool_new(1, &rows.env.pool, &err), err);
    rows.env.quota = &rows.quota;
    rows.run = (br_run){.env = &rows.env, .worker_count = 1};
    rows.arena = br_arena_new(NULL);
    rows.scratch = br_arena_new(NULL);
    for (br_isa isa = BR_ISA_SCALAR; isa <= br_cpu_isa_best(); isa++) {
        rows.run.kernels = br_exec_kernels_for(isa);
        RUN(test_groups_match_plain_search);
        RUN(test_groups_of_ascending_keys);
        RUN(test_sort_is_stable_and_right);
        RUN(test_sort_extreme_numbers);
    }
    br_arena_free(rows.arena);
    br_arena_free(rows.scratch);
    br_task_pool_free(rows.env.pool);
    return test_result();
}
