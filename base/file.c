// file.c - files and folders, with errors that say what, where and why.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/heap.h"

enum { PATH_BYTES = 4096 };

struct br_file {
    int descriptor;
    br_file_hook hook;
    char path[];
};

static br_status status_of(int code)
{
    switch (code) {
    case ENOSPC:
    case EDQUOT: return BR_FULL;
    case ENOMEM: return BR_NOMEM;
    case EROFS: return BR_READONLY;
    default: return BR_IO;
    }
}

static br_status fail_path(br_error *err, int code, const char *operation, const char *path)
{
    char text[128];
    return br_fail(err, status_of(code), "%s: cannot %s: %s", path, operation,
                   strerror_r(code, text, sizeof text));
}

static br_status fail_range(br_error *err, int code, const char *operation, const br_file *file,
                            uint64_t offset, size_t size_bytes)
{
    char text[128];
    return br_fail(err, status_of(code), "%s: cannot %s %zu bytes at offset %" PRIu64 ": %s",
                   file->path, operation, size_bytes, offset,
                   strerror_r(code, text, sizeof text));
}

static int ask_hook(const br_file_hook *hook, const char *operation, const char *path)
{
    if (hook == NULL || hook->before == NULL) return 0;
    return hook->before(hook->context, operation, path);
}

// open, retried when a signal came in between.
static int open_retried(const char *path, int flags)
{
    for (;;) {
        int descriptor = open(path, flags | O_CLOEXEC, 0666);
        if (descriptor >= 0 || errno != EINTR) return descriptor;
    }
}

static br_status file_make(const char *path, int descriptor, const br_file_hook *hook,
                           br_file **file_out, br_error *err)
{
    size_t path_bytes = strlen(path) + 1;
    br_file *file = br_heap_zalloc(sizeof *file + path_bytes);
    if (file == NULL) {
        (void)close(descriptor);
        return br_fail(err, BR_NOMEM, "%s: no memory to open it", path);
    }
    file->descriptor = descriptor;
    memcpy(file->path, path, path_bytes);
    if (hook != NULL) file->hook = *hook;
    *file_out = file;
    return BR_OK;
}

br_status br_file_open(const char *path, br_file_mode mode, const br_file_hook *hook,
                       br_file **file_out, br_error *err)
{
    static const int flags[] = {
        [BR_FILE_READ] = O_RDONLY,
        [BR_FILE_CREATE] = O_RDWR | O_CREAT | O_TRUNC,
        [BR_FILE_READ_WRITE] = O_RDWR | O_CREAT,
    };
    br_assert((unsigned)mode <= BR_FILE_READ_WRITE);
    int code = ask_hook(hook, "open", path);
    if (code != 0) return fail_path(err, code, "open", path);
    int descriptor = open_retried(path, flags[mode]);
    if (descriptor < 0) return fail_path(err, errno, "open", path);
    return file_make(path, descriptor, hook, file_out, err);
}

// A file that has a name for a moment, where the file system knows none without.
static int open_and_unlink(const char *folder, char *path)
{
    snprintf(path, PATH_BYTES, "%s/spill-XXXXXX", folder);
    int descriptor = mkostemp(path, O_CLOEXEC);
    if (descriptor >= 0 && unlink(path) != 0) {
        int code = errno;
        (void)close(descriptor);
        errno = code;
        return -1;
    }
    return descriptor;
}

br_status br_file_open_temporary(const char *folder, const br_file_hook *hook,
                                 br_file **file_out, br_error *err)
{
    char path[PATH_BYTES];
    int length = snprintf(path, sizeof path, "%s/temporary file", folder);
    if (length < 0 || (size_t)length >= sizeof path)
        return br_fail(err, BR_IO, "%s: path too long for a temporary file", folder);
    int code = ask_hook(hook, "open", path);
    if (code != 0) return fail_path(err, code, "open", path);
    int descriptor = open_retried(folder, O_RDWR | O_TMPFILE | O_EXCL);
    if (descriptor < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
        descriptor = open_and_unlink(folder, path);
    if (descriptor < 0) return fail_path(err, errno, "open", path);
    return file_make(path, descriptor, hook, file_out, err);
}

void br_file_close(br_file *file)
{
    if (file == NULL) return;
    (void)close(file->descriptor);  // what matters was synced before
    br_heap_free(file);
}

const char *br_file_path(const br_file *file) { return file->path; }

int br_file_descriptor(const br_file *file) { return file->descriptor; }

br_status br_file_check_read(br_file *file, uint64_t offset, size_t size_bytes, br_error *err)
{
    int code = ask_hook(&file->hook, "read", file->path);
    if (code != 0) return fail_range(err, code, "read", file, offset, size_bytes);
    return BR_OK;
}

br_status br_file_read_unchecked(br_file *file, uint64_t offset, void *bytes, size_t size_bytes,
                                 br_error *err)
{
    char *target = bytes;
    for (size_t done = 0; done < size_bytes;) {
        ssize_t got = pread(file->descriptor, target + done, size_bytes - done,
                            (off_t)(offset + done));
        if (got > 0) {
            done += (size_t)got;
        } else if (got == 0) {
            return br_fail(err, BR_CORRUPT,
                           "%s: %zu bytes wanted at offset %" PRIu64 ", the file ends after %zu",
                           file->path, size_bytes, offset, done);
        } else if (errno != EINTR) {
            return fail_range(err, errno, "read", file, offset + done, size_bytes - done);
        }
    }
    return BR_OK;
}

br_status br_file_read(br_file *file, uint64_t offset, void *bytes, size_t size_bytes,
                       br_error *err)
{
    BR_TRY(br_file_check_read(file, offset, size_bytes, err));
    return br_file_read_unchecked(file, offset, bytes, size_bytes, err);
}

br_status br_file_write(br_file *file, uint64_t offset, const void *bytes, size_t size_bytes,
                        br_error *err)
{
    int code = ask_hook(&file->hook, "write", file->path);
    if (code != 0) return fail_range(err, code, "write", file, offset, size_bytes);
    const char *source = bytes;
    for (size_t done = 0; done < size_bytes;) {
        ssize_t put = pwrite(file->descriptor, source + done, size_bytes - done,
                             (off_t)(offset + done));
        if (put > 0) {
            done += (size_t)put;
        } else if (put == 0 || errno != EINTR) {
            // A regular file that takes nothing and names no reason is a full one.
            code = put == 0 ? ENOSPC : errno;
            return fail_range(err, code, "write", file, offset + done, size_bytes - done);
        }
    }
    return BR_OK;
}

br_status br_file_size(br_file *file, uint64_t *size_out, br_error *err)
{
    struct stat info;
    int code = ask_hook(&file->hook, "size", file->path);
    if (code == 0 && fstat(file->descriptor, &info) != 0) code = errno;
    if (code != 0) return fail_path(err, code, "find the size", file->path);
    *size_out = (uint64_t)info.st_size;
    return BR_OK;
}

br_status br_file_sync(br_file *file, br_error *err)
{
    int code = ask_hook(&file->hook, "sync", file->path);
    // Never retried: after a failed fsync the kernel may have dropped the dirty pages.
    if (code == 0 && fdatasync(file->descriptor) != 0) code = errno;
    return code == 0 ? BR_OK : fail_path(err, code, "sync", file->path);
}

br_status br_file_try_lock(br_file *file, bool *locked_out, br_error *err)
{
    int code = ask_hook(&file->hook, "lock", file->path);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    *locked_out = false;
    if (code == 0 && fcntl(file->descriptor, F_OFD_SETLK, &lock) != 0) {
        if (errno == EAGAIN || errno == EACCES) return BR_OK;
        code = errno;
    }
    if (code != 0) return fail_path(err, code, "lock", file->path);
    *locked_out = true;
    return BR_OK;
}

br_status br_folder_make(const char *path, const br_file_hook *hook, br_error *err)
{
    int code = ask_hook(hook, "make folder", path);
    struct stat info;
    if (code == 0 && mkdir(path, 0777) != 0) code = errno;
    if (code == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) code = 0;
    return code == 0 ? BR_OK : fail_path(err, code, "make the folder", path);
}

br_status br_folder_sync(const char *path, const br_file_hook *hook, br_error *err)
{
    int code = ask_hook(hook, "sync folder", path);
    if (code != 0) return fail_path(err, code, "sync the folder", path);
    int descriptor = open_retried(path, O_RDONLY | O_DIRECTORY);
    if (descriptor < 0) return fail_path(err, errno, "open the folder", path);
    if (fsync(descriptor) != 0) code = errno;
    (void)close(descriptor);
    return code == 0 ? BR_OK : fail_path(err, code, "sync the folder", path);
}

br_status br_folder_list(const char *path,
                         br_status (*visit)(void *context, const char *name, br_error *err),
                         void *context, br_error *err)
{
    DIR *folder = opendir(path);
    if (folder == NULL) return fail_path(err, errno, "open the folder", path);
    br_status status = BR_OK;
    while (status == BR_OK) {
        errno = 0;
        struct dirent *entry = readdir(folder);
        if (entry == NULL) {
            if (errno != 0) status = fail_path(err, errno, "list the folder", path);
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        status = visit(context, entry->d_name, err);
    }
    (void)closedir(folder);
    return status;
}

br_status br_file_remove(const char *path, const br_file_hook *hook, br_error *err)
{
    int code = ask_hook(hook, "remove", path);
    if (code == 0 && unlink(path) != 0) code = errno;
    return code == 0 ? BR_OK : fail_path(err, code, "remove", path);
}

// `context` is the path of the folder that holds `name`.
static br_status remove_entry(void *context, const char *name, br_error *err)
{
    const char *folder = context;
    struct stat info;
    char path[PATH_BYTES];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= sizeof path)
        return br_fail(err, BR_IO, "%s: cannot remove %s: path too long", folder, name);
    if (lstat(path, &info) != 0) return fail_path(err, errno, "remove", path);
    if (S_ISDIR(info.st_mode)) return br_folder_remove(path, err);
    return br_file_remove(path, NULL, err);
}

br_status br_folder_remove(const char *path, br_error *err)
{
    // The visitor only reads through its context.
    BR_TRY(br_folder_list(path, remove_entry, (void *)(uintptr_t)path, err));
    if (rmdir(path) != 0) return fail_path(err, errno, "remove the folder", path);
    return BR_OK;
}

bool br_file_exists(const char *path) { return access(path, F_OK) == 0; }

bool br_file_identity(const char *path, uint64_t *device_out, uint64_t *inode_out)
{
    struct stat info;
    if (stat(path, &info) != 0) return false;
    *device_out = (uint64_t)info.st_dev;
    *inode_out = (uint64_t)info.st_ino;
    return true;
}
