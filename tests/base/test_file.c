// test_file.c - files, folders and locks; each operation made to fail by the hook and by the system.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <errno.h>
#include <unistd.h>

#include "tests/test.h"

static char folder[64] = "/tmp/braid-test-file-XXXXXX";
static br_error err;

static const char *in_folder(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static br_file *must_open(const char *path, br_file_mode mode, const br_file_hook *hook)
{
    br_file *file = NULL;
    MUST(br_file_open(path, mode, hook, &file, &err), err);
    return file;
}

static void test_file_writes_and_reads_at_offsets(void)
{
    const char *path = in_folder("data");
    br_file *file = must_open(path, BR_FILE_CREATE, NULL);
    CHECK_TEXT(br_file_path(file), path);
    MUST(br_file_write(file, 0, "hello world", 11, &err), err);
    MUST(br_file_write(file, 6, "there", 5, &err), err);
    MUST(br_file_write(file, 100000, "far", 3, &err), err);
    MUST(br_file_sync(file, &err), err);
    char bytes[12] = {0};
    uint64_t size_bytes = 0;
    MUST(br_file_read(file, 0, bytes, 11, &err), err);
    CHECK_TEXT(bytes, "hello there");
    MUST(br_file_read(file, 50000, bytes, 11, &err), err);
    CHECK_TEXT(bytes, "");
    MUST(br_file_read(file, 0, bytes, 0, &err), err);
    MUST(br_file_size(file, &size_bytes, &err), err);
    CHECK_INT(size_bytes, 100003);
    br_file_close(file);
    br_file_close(NULL);
}

static void test_file_modes(void)
{
    const char *path = in_folder("modes");
    br_file *file = NULL;
    uint64_t size_bytes;
    CHECK_INT(br_file_open(path, BR_FILE_READ, NULL, &file, &err), BR_IO);
    CHECK(file == NULL);
    CHECK(strstr(err.message, path) != NULL && strstr(err.message, "No such file") != NULL);
    file = must_open(path, BR_FILE_READ_WRITE, NULL);
    MUST(br_file_write(file, 0, "abc", 3, &err), err);
    br_file_close(file);
    file = must_open(path, BR_FILE_READ_WRITE, NULL);
    MUST(br_file_size(file, &size_bytes, &err), err);
    CHECK_INT(size_bytes, 3);
    br_file_close(file);
    file = must_open(path, BR_FILE_READ, NULL);
    CHECK_INT(br_file_write(file, 0, "x", 1, &err), BR_IO);
    br_file_close(file);
    file = must_open(path, BR_FILE_CREATE, NULL);
    MUST(br_file_size(file, &size_bytes, &err), err);
    CHECK_INT(size_bytes, 0);
    br_file_close(file);
}

static void test_file_temporary_has_no_name(void)
{
    br_file *file = NULL;
    char bytes[4] = "";
    char path[300];
    snprintf(path, sizeof path, "%s", in_folder("temporary"));
    MUST(br_folder_make(path, NULL, &err), err);
    MUST(br_file_open_temporary(path, NULL, &file, &err), err);
    MUST(br_file_write(file, 100, "abc", 3, &err), err);
    MUST(br_file_read(file, 100, bytes, 3, &err), err);
    CHECK_TEXT(bytes, "abc");
    MUST(br_folder_remove(path, &err), err);  // works: nothing is in it
    br_file_close(file);
    CHECK_INT(br_file_open_temporary(path, NULL, &file, &err), BR_IO);
    CHECK(strstr(err.message, "temporary file: cannot open") != NULL);
}

static void test_file_short_read_is_corrupt(void)
{
    br_file *file = must_open(in_folder("short"), BR_FILE_CREATE, NULL);
    char bytes[8];
    MUST(br_file_write(file, 0, "12345", 5, &err), err);
    CHECK_INT(br_file_read(file, 2, bytes, 8, &err), BR_CORRUPT);
    CHECK(strstr(err.message, "8 bytes wanted at offset 2") != NULL);
    CHECK(strstr(err.message, "ends after 3") != NULL);
    br_file_close(file);
}

static void test_file_full_disk(void)
{
    br_file *file = NULL;
    if (br_file_open("/dev/full", BR_FILE_READ_WRITE, NULL, &file, &err) != BR_OK) return;
    CHECK_INT(br_file_write(file, 0, "x", 1, &err), BR_FULL);
    CHECK(strstr(err.message, "/dev/full") != NULL);
    br_file_close(file);
}

static void test_file_lock_is_exclusive_between_descriptors(void)
{
    bool locked = false;
    br_file *first = must_open(in_folder("lock"), BR_FILE_READ_WRITE, NULL);
    br_file *second = must_open(in_folder("lock"), BR_FILE_READ_WRITE, NULL);
    MUST(br_file_try_lock(first, &locked, &err), err);
    CHECK(locked);
    MUST(br_file_try_lock(second, &locked, &err), err);
    CHECK(!locked);
    br_file_close(first);
    MUST(br_file_try_lock(second, &locked, &err), err);
    CHECK(locked);
    br_file_close(second);
}

typedef struct countdown {
    int left;   // operations to let through
    int code;   // then fail with this
    char seen[32];
} countdown;

static int count_down(void *context, const char *operation, const char *path)
{
    countdown *c = context;
    CHECK(strstr(path, "braid-test-file") != NULL);
    snprintf(c->seen, sizeof c->seen, "%s", operation);
    return c->left-- > 0 ? 0 : c->code;
}

// One of each operation that asks the hook, in the order of `operations` below.
static br_status all_operations(const br_file_hook *hook, br_error *error)
{
    br_file *file = NULL;
    uint64_t size_bytes;
    bool locked;
    char bytes[3];
    BR_TRY(br_file_open(in_folder("hooked"), BR_FILE_CREATE, hook, &file, error));
    br_status status = br_file_write(file, 0, "abc", 3, error);
    if (status == BR_OK) status = br_file_read(file, 0, bytes, 3, error);
    if (status == BR_OK) status = br_file_size(file, &size_bytes, error);
    if (status == BR_OK) status = br_file_sync(file, error);
    if (status == BR_OK) status = br_file_try_lock(file, &locked, error);
    br_file_close(file);
    if (status == BR_OK) status = br_file_remove(in_folder("hooked"), hook, error);
    if (status == BR_OK) status = br_folder_make(in_folder("made"), hook, error);
    if (status == BR_OK) status = br_folder_sync(folder, hook, error);
    return status;
}

static void test_file_hook_fails_each_operation(void)
{
    static const char *const operations[] = {"open", "write", "read", "size", "sync", "lock",
                                             "remove", "make folder", "sync folder"};
    int count = sizeof operations / sizeof *operations;
    for (int i = 0; i < count; i++) {
        countdown c = {.left = i, .code = i % 2 ? ENOSPC : EIO};
        br_file_hook hook = {.before = count_down, .context = &c};
        CHECK_INT(all_operations(&hook, &err), i % 2 ? BR_FULL : BR_IO);
        CHECK_TEXT(c.seen, operations[i]);
        CHECK(strstr(err.message, folder) != NULL);
        CHECK(strstr(err.message, strerror(c.code)) != NULL);
    }
    countdown c = {.left = count};
    br_file_hook hook = {.before = count_down, .context = &c};
    MUST(all_operations(&hook, &err), err);
    CHECK_INT(c.left, 0);
}

typedef struct name_list {
    int count;
    bool seen[3];
} name_list;

static br_status note_name(void *context, const char *name, br_error *error)
{
    name_list *names = context;
    if (names->count++ == 3) return br_fail(error, BR_MISUSE, "enough");
    if (name[0] >= 'a' && name[0] <= 'c') names->seen[name[0] - 'a'] = true;
    return BR_OK;
}

static void test_folder_list_make_and_remove(void)
{
    const char *path = in_folder("tree");
    char inner[200];
    MUST(br_folder_make(path, NULL, &err), err);
    MUST(br_folder_make(path, NULL, &err), err);  // there already
    snprintf(inner, sizeof inner, "%s/a", path);
    MUST(br_folder_make(inner, NULL, &err), err);
    static const char *const files[] = {"b", "c", "a/deep"};
    for (int i = 0; i < 3; i++) {
        snprintf(inner, sizeof inner, "%s/%s", path, files[i]);
        br_file_close(must_open(inner, BR_FILE_CREATE, NULL));
        CHECK(br_file_exists(inner));
    }
    CHECK_INT(br_folder_make(inner, NULL, &err), BR_IO);  // a file of that name
    name_list names = {0};
    MUST(br_folder_list(path, note_name, &names, &err), err);
    CHECK_INT(names.count, 3);
    CHECK(names.seen[0] && names.seen[1] && names.seen[2]);
    CHECK_INT(br_folder_list(path, note_name, &names, &err), BR_MISUSE);
    CHECK_TEXT(err.message, "enough");
    MUST(br_folder_remove(path, &err), err);
    CHECK(!br_file_exists(path));
    CHECK_INT(br_folder_remove(path, &err), BR_IO);
    CHECK_INT(br_folder_list(path, note_name, &names, &err), BR_IO);
    CHECK_INT(br_folder_sync(path, NULL, &err), BR_IO);
    CHECK_INT(br_file_remove(path, NULL, &err), BR_IO);
}

static void test_file_identity_changes_with_the_file(void)
{
    uint64_t device, inode, other_device, other_inode;
    const char *path = in_folder("identity"), *other = in_folder("other");
    CHECK(!br_file_identity(path, &device, &inode));
    br_file_close(must_open(path, BR_FILE_CREATE, NULL));
    br_file_close(must_open(other, BR_FILE_CREATE, NULL));
    CHECK(br_file_identity(path, &device, &inode));
    CHECK(br_file_identity(path, &other_device, &other_inode));
    CHECK(device == other_device && inode == other_inode);
    CHECK_INT(rename(other, path), 0);
    CHECK(br_file_identity(path, &other_device, &other_inode));
    CHECK(inode != other_inode);
}

int main(void)
{
    if (mkdtemp(folder) == NULL) return 1;
    RUN(test_file_writes_and_reads_at_offsets);
    RUN(test_file_modes);
    RUN(test_file_temporary_has_no_name);
    RUN(test_file_short_read_is_corrupt);
    RUN(test_file_full_disk);
    RUN(test_file_lock_is_exclusive_between_descriptors);
    RUN(test_file_hook_fails_each_operation);
    RUN(test_folder_list_make_and_remove);
    RUN(test_file_identity_changes_with_the_file);
    MUST(br_folder_remove(folder, &err), err);
    return test_result();
}
