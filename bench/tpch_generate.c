// tpch_generate SCALE FOLDER [SEED]
//
// Writes the eight tables of TPC-H (specification 3.0.1, clauses 4.2.2 and 4.2.3) as FOLDER/*.tbl,
// `|` between fields and none at the end. Same domains, distributions and correlations as the
// specification asks for, from a random generator of its own: the rows differ from dbgen's, and are
// the same for the same scale and seed.
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT_POOL_BYTES = 8 << 20, // 4.2.2.10 asks for 300 MB; a smaller pool has the same sentences
    SUPPLIERS_PER_PART = 4,
    DAYS_FIRST = 8035,   // 1992-01-01
    DAYS_LAST = 10591,   // 1998-12-31
    DAYS_CURRENT = 9298, // 1995-06-17, "current date" of the specification
};

typedef struct generator {
    uint64_t random;
    double scale;
    int64_t suppliers, parts, customers, orders, clerks;
    const char *folder;
    char *texts; // TEXT_POOL_BYTES of sentences, 4.2.2.14
} generator;

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define PICK(self, list) (list)[below((self), COUNT(list))]
#define PICK_COMMON(self, list, common)                                                            \
    (list)[below((self), below((self), 100) < COMMON_PERCENT ? (common) : COUNT(list))]

// ---- chance ------------------------------------------------------------------------------------

static uint64_t next_random(generator *self) // splitmix64 (Steele, Lea, Flood 2014)
{
    uint64_t z = self->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t below(generator *self, uint64_t limit)
{
    return next_random(self) % limit;
}

static int64_t between(generator *self, int64_t low, int64_t high)
{
    return low + (int64_t)below(self, (uint64_t)(high - low + 1));
}

// ---- words, 4.2.2.13 and 4.2.2.14
// ----------------------------------------------------------------

static const char *const colours[] = {
    "almond",   "antique",   "aquamarine", "azure",      "beige",     "bisque",    "black",
    "blanched", "blue",      "blush",      "brown",      "burlywood", "burnished", "chartreuse",
    "chiffon",  "chocolate", "coral",      "cornflower", "cornsilk",  "cream",     "cyan",
    "dark",     "deep",      "dim",        "dodger",     "drab",      "firebrick", "floral",
    "forest",   "frosted",   "gainsboro",  "ghost",      "goldenrod", "green",     "grey",
    "honeydew", "hot",       "indian",     "ivory",      "khaki",     "lace",      "lavender",
    "lawn",     "lemon",     "light",      "lime",       "linen",     "magenta",   "maroon",
    "medium",   "metallic",  "midnight",   "mint",       "misty",     "moccasin",  "navajo",
    "navy",     "olive",     "orange",     "orchid",     "pale",      "papaya",    "peach",
    "peru",     "pink",      "plum",       "powder",     "puff",      "purple",    "red",
    "rose",     "rosy",      "royal",      "saddle",     "salmon",    "sandy",     "seashell",
    "sienna",   "sky",       "slate",      "smoke",      "snow",      "spring",    "steel",
    "tan",      "thistle",   "tomato",     "turquoise",  "violet",    "wheat",     "white",
    "yellow"};
static const char *const type_1[] = {"STANDARD", "SMALL", "MEDIUM", "LARGE", "ECONOMY", "PROMO"};
static const char *const type_2[] = {"ANODIZED", "BURNISHED", "PLATED", "POLISHED", "BRUSHED"};
static const char *const type_3[] = {"TIN", "NICKEL", "BRASS", "STEEL", "COPPER"};
static const char *const container_1[] = {"SM", "LG", "MED", "JUMBO", "WRAP"};
static const char *const container_2[] = {"CASE", "BOX",  "BAG", "JAR",
                                          "PKG",  "PACK", "CAN", "DRUM"};
static const char *const segments[] = {"AUTOMOBILE", "BUILDING", "FURNITURE", "MACHINERY",
                                       "HOUSEHOLD"};
static const char *const priorities[] = {"1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED",
                                         "5-LOW"};
static const char *const instructions[] = {"DELIVER IN PERSON", "COLLECT COD", "NONE",
                                           "TAKE BACK RETURN"};
static const char *const modes[] = {"REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB"};
static const char *const regions[] = {"AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"};
static const struct {
    const char *name;
    int region;
} nations[] = {{"ALGERIA", 0},      {"ARGENTINA", 1}, {"BRAZIL", 1}, {"CANADA", 1},
               {"EGYPT", 4},        {"ETHIOPIA", 0},  {"FRANCE", 3}, {"GERMANY", 3},
               {"INDIA", 2},        {"INDONESIA", 2}, {"IRAN", 4},   {"IRAQ", 4},
               {"JAPAN", 2},        {"JORDAN", 4},    {"KENYA", 0},  {"MOROCCO", 0},
               {"MOZAMBIQUE", 0},   {"PERU", 1},      {"CHINA", 2},  {"ROMANIA", 3},
               {"SAUDI ARABIA", 4}, {"VIETNAM", 2},   {"RUSSIA", 3}, {"UNITED KINGDOM", 3},
               {"UNITED STATES", 1}};

// The lists of the specification are weighted: nine nouns and ten adjectives make up most of the
// text. Those come first; see PICK_COMMON.
enum { COMMON_NOUNS = 9, COMMON_ADJECTIVES = 10, COMMON_PERCENT = 80 };

static const char *const nouns[] = {
    "packages",    "requests",    "accounts",       "deposits",     "foxes",     "ideas",
    "theodolites", "pinto beans", "instructions",   "dependencies", "excuses",   "platelets",
    "asymptotes",  "courts",      "dolphins",       "multipliers",  "sauternes", "warthogs",
    "frets",       "dinos",       "attainments",    "somas",        "Tiresias",  "patterns",
    "forges",      "braids",      "hockey players", "frays",        "warhorses", "dugouts",
    "notornis",    "epitaphs",    "pearls",         "tithes",       "waters",    "orbits",
    "gifts",       "sheaves",     "depths",         "sentiments",   "decoys",    "realms",
    "pains",       "grouches",    "escapades"};
static const char *const verbs[] = {
    "sleep",  "wake",   "are",       "cajole",   "haggle", "nag",   "use",     "boost",
    "affix",  "detect", "integrate", "maintain", "nod",    "was",   "lose",    "sublate",
    "solve",  "thrash", "promise",   "engage",   "hinder", "print", "x-ray",   "breach",
    "eat",    "grow",   "impress",   "mold",     "poach",  "serve", "run",     "dazzle",
    "snooze", "doze",   "unwind",    "kindle",   "play",   "hang",  "believe", "doubt"};
static const char *const adjectives[] = {
    "special",  "pending",   "express",  "regular", "final",   "ironic", "unusual", "even",
    "bold",     "silent",    "furious",  "sly",     "careful", "blithe", "quick",   "fluffy",
    "slow",     "quiet",     "ruthless", "thin",    "close",   "dogged", "daring",  "brave",
    "stealthy", "permanent", "enticing", "idle",    "busy"};
static const char *const adverbs[] = {
    "sometimes", "always",    "never",   "furiously",  "slyly",       "carefully",  "blithely",
    "quickly",   "fluffily",  "slowly",  "quietly",    "ruthlessly",  "thinly",     "closely",
    "doggedly",  "daringly",  "bravely", "stealthily", "permanently", "enticingly", "idly",
    "busily",    "regularly", "finally", "ironically", "evenly",      "boldly",     "silently"};
static const char *const prepositions[] = {
    "about",        "above",   "according to", "across",  "after",       "against", "along",
    "alongside of", "among",   "around",       "at",      "atop",        "before",  "behind",
    "beneath",      "beside",  "besides",      "between", "beyond",      "by",      "despite",
    "during",       "except",  "for",          "from",    "in place of", "inside",  "instead of",
    "into",         "near",    "of",           "on",      "outside",     "over",    "past",
    "since",        "through", "throughout",   "to",      "toward",      "under",   "until",
    "up",           "upon",    "without",      "with",    "within"};
static const char *const auxiliaries[] = {
    "do",           "may",          "might",         "shall",         "will",
    "would",        "can",          "could",         "should",        "ought to",
    "must",         "will have to", "shall have to", "could have to", "should have to",
    "must have to", "need to",      "try to"};
static const char *const terminators[] = {".", ";", ":", "?", "!", "--"};

// ---- text, 4.2.2.14
// ------------------------------------------------------------------------------

static char *add_word(char *at, const char *word)
{
    size_t size = strlen(word);
    memcpy(at, word, size);
    at[size] = ' ';
    return at + size + 1;
}

static char *add_noun_phrase(generator *self, char *at)
{
    uint64_t form = below(self, 4);
    if (form == 1 || form == 3) at = add_word(at, PICK_COMMON(self, adjectives, COMMON_ADJECTIVES));
    if (form == 2) {
        at = add_word(at, PICK_COMMON(self, adjectives, COMMON_ADJECTIVES));
        at[-1] = ',', *at++ = ' ';
        at = add_word(at, PICK_COMMON(self, adjectives, COMMON_ADJECTIVES));
    }
    if (form == 3) at = add_word(at, PICK(self, adverbs));
    if (form == 3) at = add_word(at, PICK_COMMON(self, adjectives, COMMON_ADJECTIVES));
    return add_word(at, PICK_COMMON(self, nouns, COMMON_NOUNS));
}

static char *add_verb_phrase(generator *self, char *at)
{
    uint64_t form = below(self, 4);
    if (form == 1 || form == 3) at = add_word(at, PICK(self, auxiliaries));
    if (form == 2) at = add_word(at, PICK(self, adverbs));
    at = add_word(at, PICK(self, verbs));
    if (form == 3) at = add_word(at, PICK(self, adverbs));
    return at;
}

static char *add_prepositional_phrase(generator *self, char *at)
{
    at = add_word(at, PICK(self, prepositions));
    at = add_word(at, "the");
    return add_noun_phrase(self, at);
}

static char *add_sentence(generator *self, char *at)
{
    uint64_t form = below(self, 5);
    at = add_noun_phrase(self, at);
    if (form == 2) at = add_prepositional_phrase(self, at);
    at = add_verb_phrase(self, at);
    if (form == 1 || form == 4) at = add_noun_phrase(self, at);
    if (form == 3 || form == 4) at = add_prepositional_phrase(self, at);
    at = add_word(at - 1, PICK(self, terminators)); // no space before the full stop
    return at;
}

static void make_texts(generator *self)
{
    self->texts = malloc(TEXT_POOL_BYTES + 1024);
    if (self->texts == NULL) exit(2);
    for (char *at = self->texts; at < self->texts + TEXT_POOL_BYTES;) at = add_sentence(self, at);
}

// A stretch of the pool, of a random length within the bounds.
static void write_text(generator *self, FILE *file, int64_t low, int64_t high)
{
    size_t size = (size_t)between(self, low, high);
    fwrite(self->texts + below(self, TEXT_POOL_BYTES - 512), 1, size, file);
}

static void write_address(generator *self, FILE *file)
{
    static const char letters[] =
        "0123456789abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ,";
    for (int64_t i = between(self, 10, 40); i > 0; i--) fputc(letters[below(self, 64)], file);
    fputc('|', file);
}

static void write_phone(generator *self, FILE *file, int64_t nation)
{
    fprintf(file, "%" PRId64 "-%" PRId64 "-%" PRId64 "-%" PRId64 "|", nation + 10,
            between(self, 100, 999), between(self, 100, 999), between(self, 1000, 9999));
}

static void write_money(FILE *file, int64_t cents)
{
    fprintf(file, "%s%" PRId64 ".%02" PRId64 "|", cents < 0 ? "-" : "", (int64_t)llabs(cents) / 100,
            (int64_t)llabs(cents) % 100);
}

static void write_date(FILE *file, int64_t days) // days since 1970-01-01
{
    int64_t z = days + 719468, era = z / 146097, day_of_era = z - era * 146097;
    int64_t year =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    fprintf(file, "%04" PRId64 "-%02" PRId64 "-%02" PRId64 "|", year + era * 400 + (month >= 10),
            month < 10 ? month + 3 : month - 9, day_of_year - (153 * month + 2) / 5 + 1);
}

// ---- tables, 4.2.3
// -------------------------------------------------------------------------------

static FILE *table_open(const generator *self, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.tbl", self->folder, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        fprintf(stderr, "tpch_generate: %s: cannot be written\n", path);
        exit(1);
    }
    setvbuf(file, NULL, _IOFBF, 1 << 20);
    return file;
}

static void table_close(FILE *file)
{
    if (fclose(file) != 0) {
        fprintf(stderr, "tpch_generate: write failed\n");
        exit(1);
    }
}

static int64_t part_cents(int64_t part)
{
    return 90000 + part / 10 % 20001 + 100 * (part % 1000);
}

static int64_t part_supplier(const generator *self, int64_t part, int64_t i)
{
    int64_t s = self->suppliers;
    return (part + i * (s / SUPPLIERS_PER_PART + (part - 1) / s)) % s + 1;
}

static void make_regions_and_nations(generator *self)
{
    FILE *file = table_open(self, "region");
    for (size_t i = 0; i < COUNT(regions); i++) {
        fprintf(file, "%zu|%s|", i, regions[i]);
        write_text(self, file, 31, 115);
        fputc('\n', file);
    }
    table_close(file);
    file = table_open(self, "nation");
    for (size_t i = 0; i < COUNT(nations); i++) {
        fprintf(file, "%zu|%s|%d|", i, nations[i].name, nations[i].region);
        write_text(self, file, 31, 114);
        fputc('\n', file);
    }
    table_close(file);
}

// SF x 5 suppliers each have "Customer ... Complaints" and "Customer ... Recommends" in their
// comment.
static void write_supplier_comment(generator *self, FILE *file, int64_t supplier)
{
    int64_t every = 2000; // 10,000 suppliers, 5 of each kind
    int64_t turn = (supplier * 7919) % every;
    if (turn > 1) {
        write_text(self, file, 25, 100);
        return;
    }
    write_text(self, file, 10, 30);
    fputs("Customer ", file);
    write_text(self, file, 5, 20);
    fputs(turn == 0 ? "Complaints" : "Recommends", file);
    write_text(self, file, 5, 20);
}

static void make_suppliers(generator *self)
{
    FILE *file = table_open(self, "supplier");
    for (int64_t key = 1; key <= self->suppliers; key++) {
        int64_t nation = between(self, 0, 24);
        fprintf(file, "%" PRId64 "|Supplier#%09" PRId64 "|", key, key);
        write_address(self, file);
        fprintf(file, "%" PRId64 "|", nation);
        write_phone(self, file, nation);
        write_money(file, between(self, -99999, 999999));
        write_supplier_comment(self, file, key);
        fputc('\n', file);
    }
    table_close(file);
}

static void write_part_name(generator *self, FILE *file)
{
    uint64_t words[5];
    for (int i = 0; i < 5; i++) {
        words[i] = below(self, COUNT(colours));
        for (int k = 0; k < i; k++) {
            if (words[k] == words[i]) words[i] = below(self, COUNT(colours)), k = -1;
        }
        fprintf(file, "%s%s", i == 0 ? "" : " ", colours[words[i]]);
    }
    fputc('|', file);
}

static void make_parts(generator *self)
{
    FILE *part = table_open(self, "part"), *partsupp = table_open(self, "partsupp");
    for (int64_t key = 1; key <= self->parts; key++) {
        int64_t maker = between(self, 1, 5);
        fprintf(part, "%" PRId64 "|", key);
        write_part_name(self, part);
        fprintf(part, "Manufacturer#%" PRId64 "|Brand#%" PRId64 "%" PRId64 "|", maker, maker,
                between(self, 1, 5));
        fprintf(part, "%s %s %s|", PICK(self, type_1), PICK(self, type_2), PICK(self, type_3));
        fprintf(part, "%" PRId64 "|%s %s|", between(self, 1, 50), PICK(self, container_1),
                PICK(self, container_2));
        write_money(part, part_cents(key));
        write_text(self, part, 5, 22);
        fputc('\n', part);
        for (int64_t i = 0; i < SUPPLIERS_PER_PART; i++) {
            fprintf(partsupp, "%" PRId64 "|%" PRId64 "|%" PRId64 "|", key,
                    part_supplier(self, key, i), between(self, 1, 9999));
            write_money(partsupp, between(self, 100, 100000));
            write_text(self, partsupp, 49, 198);
            fputc('\n', partsupp);
        }
    }
    table_close(part);
    table_close(partsupp);
}

static void make_customers(generator *self)
{
    FILE *file = table_open(self, "customer");
    for (int64_t key = 1; key <= self->customers; key++) {
        int64_t nation = between(self, 0, 24);
        fprintf(file, "%" PRId64 "|Customer#%09" PRId64 "|", key, key);
        write_address(self, file);
        fprintf(file, "%" PRId64 "|", nation);
        write_phone(self, file, nation);
        write_money(file, between(self, -99999, 999999));
        fprintf(file, "%s|", PICK(self, segments));
        write_text(self, file, 29, 116);
        fputc('\n', file);
    }
    table_close(file);
}

typedef struct order_sums {
    double total;
    int64_t open_lines, lines;
} order_sums;

static void make_line(generator *self, FILE *file, int64_t order, int64_t line, int64_t order_date,
                      order_sums *sums)
{
    int64_t part = between(self, 1, self->parts), quantity = between(self, 1, 50);
    int64_t discount = between(self, 0, 10), tax = between(self, 0, 8);
    int64_t cents = quantity * part_cents(part);
    int64_t ship = order_date + between(self, 1, 121), receipt = ship + between(self, 1, 30);
    bool is_open = ship > DAYS_CURRENT;
    sums->total += floor((double)(cents * (100 - discount) * (100 + tax)) / 10000) / 100;
    sums->open_lines += is_open, sums->lines++;
    fprintf(file, "%" PRId64 "|%" PRId64 "|%" PRId64 "|%" PRId64 "|%" PRId64 "|", order, part,
            part_supplier(self, part, between(self, 0, 3)), line, quantity);
    write_money(file, cents);
    write_money(file, discount);
    write_money(file, tax);
    fprintf(file, "%c|%c|",
            receipt > DAYS_CURRENT ? 'N'
            : below(self, 2)       ? 'R'
                                   : 'A',
            is_open ? 'O' : 'F');
    write_date(file, ship);
    write_date(file, order_date + between(self, 30, 90));
    write_date(file, receipt);
    fprintf(file, "%s|%s|", PICK(self, instructions), PICK(self, modes));
    write_text(self, file, 10, 43);
    fputc('\n', file);
}

static void make_orders(generator *self)
{
    FILE *orders = table_open(self, "orders"), *lines = table_open(self, "lineitem");
    for (int64_t i = 0; i < self->orders; i++) {
        int64_t key = i / 8 * 32 + i % 8 + 1; // 8 of every 32 keys are used
        int64_t customer = between(self, 1, self->customers);
        while (customer % 3 == 0) customer = between(self, 1, self->customers);
        int64_t date = between(self, DAYS_FIRST, DAYS_LAST - 151);
        order_sums sums = {0};
        for (int64_t line = 1, count = between(self, 1, 7); line <= count; line++)
            make_line(self, lines, key, line, date, &sums);
        fprintf(orders, "%" PRId64 "|%" PRId64 "|%c|%.2f|", key, customer,
                sums.open_lines == 0            ? 'F'
                : sums.open_lines == sums.lines ? 'O'
                                                : 'P',
                sums.total);
        write_date(orders, date);
        fprintf(orders, "%s|Clerk#%09" PRId64 "|0|", PICK(self, priorities),
                between(self, 1, self->clerks));
        write_text(self, orders, 19, 78);
        fputc('\n', orders);
    }
    table_close(orders);
    table_close(lines);
}

static int64_t scaled(double scale, double rows)
{
    return scale * rows < 1 ? 1 : (int64_t)llround(scale * rows);
}

int main(int argument_count, char **arguments)
{
    double scale = argument_count > 2 ? atof(arguments[1]) : 0;
    if (scale <= 0) return fprintf(stderr, "usage: tpch_generate SCALE FOLDER [SEED]\n"), 2;
    generator self = {
        .random = argument_count > 3 ? strtoull(arguments[3], NULL, 10) : 1,
        .scale = scale,
        .suppliers = scaled(scale, 10000),
        .parts = scaled(scale, 200000),
        .customers = scaled(scale, 150000),
        .orders = scaled(scale, 1500000),
        .clerks = scaled(scale, 1000),
        .folder = arguments[2],
    };
    make_texts(&self);
    make_regions_and_nations(&self);
    make_suppliers(&self);
    make_parts(&self);
    make_customers(&self);
    make_orders(&self);
    free(self.texts);
    return 0;
}
