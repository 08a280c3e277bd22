// web_generate ROWS FOLDER [SEED]
//
// Writes FOLDER/views.csv: one wide table of page views as a web-analytics service collects them.
// 105 columns, few of them interesting, most of them nearly constant; values as skewed as real ones
// (few sites, users, regions and phrases make up most of the rows); text of every kind from flags
// to URLs. Rows are in time order. The columns and their kinds are in the table below; schema.sql
// beside the queries declares the same names. `web_generate --schema` prints it.
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum value_kind {
    UNIQUE,    // 63 random bits
    SKEWED,    // 0..a-1, Zipf-like with exponent b
    SKEWED_ID, // the same, spread over 62 bits by a hash
    MOSTLY,    // 0 but in b percent of the rows, then 1..a
    UNIFORM,   // 0..a-1
    MOMENT,
    DAY,
    LOCAL_MOMENT,
    ADDRESS, // URL of a page
    ORIGIN,  // URL of the page before, often empty
    TITLE,
    PHRASE, // what was searched for, mostly empty
    WORD,   // one of a words; empty but in b percent of the rows
    RATIO,  // REAL 0..a with two decimals
} value_kind;

typedef struct view_column {
    const char *name;
    value_kind kind;
    double a, b;
} view_column;

static const view_column columns[] = {{"view_id", UNIQUE, 0, 0},
                                      {"script_on", MOSTLY, 1, 93},
                                      {"title", TITLE, 0, 0},
                                      {"is_good", MOSTLY, 1, 99},
                                      {"view_time", MOMENT, 0, 0},
                                      {"view_date", DAY, 0, 0},
                                      {"site_id", SKEWED, 5000, 1.1},
                                      {"client_address", SKEWED_ID, 400000, 0.7},
                                      {"region_id", SKEWED, 5000, 1.2},
                                      {"user_id", SKEWED_ID, 600000, 0.8},
                                      {"site_class", MOSTLY, 3, 4},
                                      {"system_id", SKEWED, 90, 1.3},
                                      {"browser_id", SKEWED, 60, 1.2},
                                      {"address", ADDRESS, 0, 0},
                                      {"origin", ORIGIN, 0, 0},
                                      {"is_reload", MOSTLY, 1, 12},
                                      {"origin_category", MOSTLY, 300, 40},
                                      {"origin_region", SKEWED, 2000, 1.3},
                                      {"address_category", MOSTLY, 300, 55},
                                      {"address_region", SKEWED, 2000, 1.3},
                                      {"screen_width", SKEWED, 400, 1.2},
                                      {"screen_height", SKEWED, 300, 1.2},
                                      {"screen_depth", MOSTLY, 32, 90},
                                      {"plugin_major", MOSTLY, 11, 70},
                                      {"plugin_minor", MOSTLY, 9, 60},
                                      {"plugin_build", WORD, 40, 30},
                                      {"net_major", MOSTLY, 4, 5},
                                      {"net_minor", MOSTLY, 8, 5},
                                      {"browser_major", SKEWED, 40, 1.1},
                                      {"browser_minor", WORD, 30, 35},
                                      {"cookie_on", MOSTLY, 1, 99},
                                      {"script_engine_on", MOSTLY, 1, 98},
                                      {"is_mobile", MOSTLY, 1, 18},
                                      {"mobile_maker", MOSTLY, 40, 15},
                                      {"mobile_model", WORD, 120, 14},
                                      {"parameters", WORD, 400, 6},
                                      {"network_id", SKEWED, 3000, 1.0},
                                      {"source_id", MOSTLY, 9, 45},
                                      {"search_engine", MOSTLY, 30, 14},
                                      {"search_phrase", PHRASE, 0, 0},
                                      {"ad_engine", MOSTLY, 20, 6},
                                      {"is_artificial", MOSTLY, 1, 3},
                                      {"window_width", SKEWED, 1800, 1.0},
                                      {"window_height", SKEWED, 1100, 1.0},
                                      {"time_zone", SKEWED, 30, 1.5},
                                      {"event_time", LOCAL_MOMENT, 0, 0},
                                      {"plugin_c_1", MOSTLY, 5, 30},
                                      {"plugin_c_2", MOSTLY, 9, 30},
                                      {"plugin_c_3", MOSTLY, 99, 30},
                                      {"plugin_c_4", MOSTLY, 99, 30},
                                      {"charset", WORD, 6, 95},
                                      {"site_version", SKEWED, 20, 1.5},
                                      {"is_link", MOSTLY, 1, 9},
                                      {"is_download", MOSTLY, 1, 1},
                                      {"is_not_bounce", MOSTLY, 1, 60},
                                      {"first_id", UNIQUE, 0, 0},
                                      {"origin_hash", SKEWED_ID, 300000, 0.9},
                                      {"address_hash", SKEWED_ID, 400000, 0.9},
                                      {"site_user_id", SKEWED_ID, 1000000, 0.6},
                                      {"is_old_counter", MOSTLY, 1, 1},
                                      {"is_event", MOSTLY, 1, 4},
                                      {"is_parameter", MOSTLY, 1, 3},
                                      {"skip_count", MOSTLY, 1, 2},
                                      {"age", MOSTLY, 70, 40},
                                      {"sex", MOSTLY, 2, 60},
                                      {"income", MOSTLY, 4, 50},
                                      {"interests", MOSTLY, 30000, 45},
                                      {"robotness", MOSTLY, 100, 2},
                                      {"remote_id", SKEWED_ID, 100000, 0.9},
                                      {"window_name", MOSTLY, 3, 40},
                                      {"opener_name", MOSTLY, 3, 20},
                                      {"history_length", SKEWED, 200, 1.4},
                                      {"language", WORD, 12, 97},
                                      {"country", WORD, 30, 90},
                                      {"social_network", WORD, 8, 3},
                                      {"social_action", WORD, 5, 2},
                                      {"http_error", MOSTLY, 599, 1},
                                      {"send_ms", SKEWED, 20000, 1.0},
                                      {"dns_ms", SKEWED, 3000, 1.5},
                                      {"connect_ms", SKEWED, 5000, 1.4},
                                      {"response_ms", SKEWED, 20000, 1.2},
                                      {"fetch_ms", SKEWED, 30000, 1.1},
                                      {"source_flags", MOSTLY, 200, 10},
                                      {"social_page", WORD, 50, 1},
                                      {"price", RATIO, 900, 0},
                                      {"order_id", WORD, 500, 1},
                                      {"currency", WORD, 6, 20},
                                      {"currency_id", MOSTLY, 6, 20},
                                      {"goals_reached", MOSTLY, 5, 3},
                                      {"open_stat", WORD, 60, 1},
                                      {"campaign", WORD, 90, 5},
                                      {"campaign_source", WORD, 40, 5},
                                      {"campaign_medium", WORD, 12, 5},
                                      {"campaign_content", WORD, 200, 3},
                                      {"campaign_term", WORD, 300, 2},
                                      {"tag_1", WORD, 20, 4},
                                      {"tag_2", WORD, 20, 1},
                                      {"has_tag", MOSTLY, 1, 2},
                                      {"phrase_hash", SKEWED_ID, 80000, 0.9},
                                      {"window_hash", UNIFORM, 1000000, 0},
                                      {"click_x", MOSTLY, 1900, 30},
                                      {"click_y", MOSTLY, 1100, 30},
                                      {"scroll_depth", UNIFORM, 101, 0},
                                      {"depth", SKEWED, 50, 1.3},
                                      {"load_score", RATIO, 100, 0}};

enum { COLUMN_COUNT = sizeof columns / sizeof *columns, MOMENT_FIRST = 1372636800 }; // 2013-07-01
_Static_assert(COLUMN_COUNT == 105, "as wide as the table it is meant to resemble");

typedef struct generator {
    uint64_t random;
    int64_t row, rows;
} generator;

static uint64_t next_random(generator *self) // splitmix64 (Steele, Lea, Flood 2014)
{
    uint64_t z = self->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double unit(generator *self)
{
    return (double)(next_random(self) >> 11) * 0x1p-53;
}

static int64_t below(generator *self, double limit)
{
    return (int64_t)(unit(self) * limit);
}

// Rank 0..limit-1 with density ~ 1 / rank^exponent, by inverting the continuous distribution.
static int64_t skewed(generator *self, double limit, double exponent)
{
    double u = unit(self), power = 1 - exponent;
    double rank = fabs(power) < 1e-6 ? exp(u * log(limit + 1))
                                     : pow(u * (pow(limit + 1, power) - 1) + 1, 1 / power);
    int64_t index = (int64_t)rank - 1;
    return index < 0 ? 0 : index >= (int64_t)limit ? (int64_t)limit - 1 : index;
}

static int64_t spread(int64_t rank) // a fixed big number for each rank
{
    uint64_t z = (uint64_t)(rank + 1) * 0x9e3779b97f4a7c15u;
    return (int64_t)((z ^ z >> 29) >> 2);
}

static const char *const words[] = {
    "river",   "stone",    "market", "garden", "winter", "summer", "travel",  "kitchen",
    "bicycle", "football", "music",  "video",  "photo",  "recipe", "weather", "news",
    "review",  "forum",    "shop",   "price",  "repair", "school", "doctor",  "flight",
    "hotel",   "google",   "camera", "phone",  "laptop", "shoes",  "dress",   "car",
    "engine",  "house",    "credit", "bank",   "movie",  "series", "game",    "book"};
enum { WORD_COUNT = sizeof words / sizeof *words };

static const char *word(generator *self)
{
    return words[skewed(self, WORD_COUNT, 0.6)];
}

static void write_address(generator *self, FILE *file)
{
    int64_t site = skewed(self, 3000, 1.0);
    fprintf(file, "http%s://%s%s%" PRId64 ".example/%s/", site % 3 == 0 ? "s" : "",
            site % 2 == 0 ? "www." : "", words[site % WORD_COUNT], site, word(self));
    if (unit(self) < 0.7) fprintf(file, "%s-%s/", word(self), word(self));
    if (unit(self) < 0.6) fprintf(file, "page%" PRId64 ".html", skewed(self, 2000, 0.9));
    if (unit(self) < 0.3) fprintf(file, "?q=%s&id=%" PRId64, word(self), skewed(self, 100000, 0.8));
}

static void write_words(generator *self, FILE *file, int64_t least, int64_t most)
{
    for (int64_t i = 0, count = least + below(self, (double)(most - least + 1)); i < count; i++)
        fprintf(file, "%s%s", i == 0 ? "" : " ", word(self));
}

static void write_title(generator *self, FILE *file)
{
    if (unit(self) < 0.15) return;
    write_words(self, file, 3, 9);
    int64_t site = skewed(self, 500, 1.1);
    fprintf(file, " - %c%s %" PRId64, words[site % WORD_COUNT][0] - 'a' + 'A',
            words[site % WORD_COUNT] + 1, site);
}

static void write_moment(int64_t moment, int with_time, FILE *file)
{
    int64_t day = 1 + (moment - MOMENT_FIRST) / 86400, second = moment % 86400;
    fprintf(file, "2013-07-%02" PRId64, day);
    if (with_time)
        fprintf(file, " %02" PRId64 ":%02" PRId64 ":%02" PRId64, second / 3600, second / 60 % 60,
                second % 60);
}

static void write_value(generator *self, const view_column *column, int64_t moment, FILE *file)
{
    switch (column->kind) {
    case UNIQUE:
        fprintf(file, "%" PRIu64, next_random(self) >> 1);
        break;
    case SKEWED:
        fprintf(file, "%" PRId64, skewed(self, column->a, column->b));
        break;
    case SKEWED_ID:
        fprintf(file, "%" PRId64, spread(skewed(self, column->a, column->b)));
        break;
    case MOSTLY:
        fprintf(file, "%" PRId64, unit(self) * 100 < column->b ? 1 + below(self, column->a) : 0);
        break;
    case UNIFORM:
        fprintf(file, "%" PRId64, below(self, column->a));
        break;
    case MOMENT:
        write_moment(moment, 1, file);
        break;
    case DAY:
        write_moment(moment, 0, file);
        break;
    case LOCAL_MOMENT:
        moment += below(self, 3600);
        write_moment(moment < MOMENT_FIRST + 31 * 86400 ? moment : moment - 7200, 1, file);
        break;
    case ADDRESS:
        write_address(self, file);
        break;
    case ORIGIN:
        if (unit(self) < 0.6) write_address(self, file);
        break;
    case TITLE:
        write_title(self, file);
        break;
    case PHRASE:
        if (unit(self) < 0.13) write_words(self, file, 1, 5);
        break;
    case WORD:
        if (unit(self) * 100 < column->b) {
            int64_t rank = skewed(self, column->a, 1.1);
            fprintf(file, "%s%" PRId64, words[rank % WORD_COUNT], rank / WORD_COUNT);
        }
        break;
    case RATIO:
        fprintf(file, "%.2f", unit(self) < 0.8 ? 0.0 : unit(self) * column->a);
        break;
    }
}

static const char *declared_type(value_kind kind)
{
    switch (kind) {
    case MOMENT:
    case DAY:
    case LOCAL_MOMENT:
    case ADDRESS:
    case ORIGIN:
    case TITLE:
    case PHRASE:
    case WORD:
        return "TEXT";
    case RATIO:
        return "REAL";
    default:
        return "INTEGER";
    }
}

static void print_schema(void)
{
    printf("-- Page views of a web-analytics service; made by web_generate --schema.\nCREATE TABLE "
           "views(\n");
    for (int i = 0; i < COLUMN_COUNT; i++)
        printf("  %s %s NOT NULL%s\n", columns[i].name, declared_type(columns[i].kind),
               i + 1 < COLUMN_COUNT ? "," : ");");
}

int main(int argument_count, char **arguments)
{
    if (argument_count == 2 && strcmp(arguments[1], "--schema") == 0) return print_schema(), 0;
    if (argument_count < 3) return fprintf(stderr, "usage: web_generate ROWS FOLDER [SEED]\n"), 2;
    generator self = {.rows = atoll(arguments[1]), .random = 1};
    if (argument_count > 3) self.random = strtoull(arguments[3], NULL, 10);
    char path[4096];
    snprintf(path, sizeof path, "%s/views.csv", arguments[2]);
    FILE *file = fopen(path, "wb");
    if (file == NULL) return fprintf(stderr, "web_generate: %s: cannot be written\n", path), 1;
    for (int i = 0; i < COLUMN_COUNT; i++)
        fprintf(file, "%s%s", columns[i].name, i + 1 < COLUMN_COUNT ? "," : "\n");
    for (self.row = 0; self.row < self.rows; self.row++) {
        int64_t moment =
            MOMENT_FIRST + (int64_t)((double)self.row / (double)self.rows * (31 * 86400 - 1));
        for (int i = 0; i < COLUMN_COUNT; i++) {
            write_value(&self, &columns[i], moment, file);
            fputc(i + 1 < COLUMN_COUNT ? ',' : '\n', file);
        }
    }
    return fclose(file) != 0;
}
