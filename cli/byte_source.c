// SPDX-License-Identifier: Apache-2.0
#include "byte_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

#include "text.h"

enum { INPUT_BYTES = 1 << 18 };

struct cli_byte_source {
    const char *path;
    FILE *file;
    double file_bytes;     // 0: not a regular file
    double taken_bytes;    // read from the file
    ZSTD_DStream *stream;  // NULL: the bytes as they are
    ZSTD_inBuffer input;
    size_t frame_rest;     // 0: between two frames
    char bytes[INPUT_BYTES];
};

static bool input_fill(cli_byte_source *source)
{
    size_t count = fread(source->bytes, 1, INPUT_BYTES, source->file);
    source->input = (ZSTD_inBuffer){.src = source->bytes, .size = count};
    source->taken_bytes += (double)count;
    if (!ferror(source->file)) return true;
    if (errno != EINTR)
        fprintf(stderr, "braid: cannot read '%s': %s\n", source->path, strerror(errno));
    return false;
}

static bool source_begin(cli_byte_source *source)
{
    static const unsigned char magic[] = {0x28, 0xb5, 0x2f, 0xfd};
    if (!input_fill(source)) return false;
    if (source->input.size < sizeof magic || memcmp(source->bytes, magic, sizeof magic) != 0)
        return true;
    source->stream = ZSTD_createDStream();
    if (source->stream != NULL) return true;
    fprintf(stderr, "braid: out of memory\n");
    return false;
}

cli_byte_source *cli_byte_source_open(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat found = {0};
    if (file == NULL || fstat(fileno(file), &found) != 0 || S_ISDIR(found.st_mode)) {
        fprintf(stderr, "braid: cannot open '%s': %s\n", path,
                strerror(S_ISDIR(found.st_mode) ? EISDIR : errno));
        if (file != NULL) fclose(file);
        return NULL;
    }
    setvbuf(file, NULL, _IONBF, 0);
    cli_byte_source *source = cli_allocate(sizeof *source);
    source->path = path;
    source->file = file;
    source->file_bytes = S_ISREG(found.st_mode) ? (double)found.st_size : 0;
    if (source_begin(source)) return source;
    cli_byte_source_close(source);
    return NULL;
}

void cli_byte_source_close(cli_byte_source *source)
{
    if (source == NULL) return;
    ZSTD_freeDStream(source->stream);
    fclose(source->file);
    free(source);
}

static ptrdiff_t read_plain(cli_byte_source *source, char *bytes_out, size_t size_max)
{
    ZSTD_inBuffer *input = &source->input;
    if (input->pos == input->size && !input_fill(source)) return -1;
    size_t count = input->size - input->pos;
    if (count > size_max) count = size_max;
    memcpy(bytes_out, source->bytes + input->pos, count);
    input->pos += count;
    return (ptrdiff_t)count;
}

static ptrdiff_t read_zstd(cli_byte_source *source, char *bytes_out, size_t size_max)
{
    ZSTD_outBuffer output = {.dst = bytes_out, .size = size_max};
    while (output.pos == 0) {
        if (source->input.pos == source->input.size && !input_fill(source)) return -1;
        if (source->input.size == 0) {
            if (source->frame_rest == 0) return 0;
            fprintf(stderr, "braid: '%s': the zstd data end in the middle\n", source->path);
            return -1;
        }
        source->frame_rest = ZSTD_decompressStream(source->stream, &output, &source->input);
        if (ZSTD_isError(source->frame_rest)) {
            fprintf(stderr, "braid: '%s': not zstd data: %s\n", source->path,
                    ZSTD_getErrorName(source->frame_rest));
            return -1;
        }
    }
    return (ptrdiff_t)output.pos;
}

ptrdiff_t cli_byte_source_read(cli_byte_source *source, char *bytes_out, size_t size_max)
{
    return source->stream == NULL ? read_plain(source, bytes_out, size_max)
                                  : read_zstd(source, bytes_out, size_max);
}

bool cli_byte_source_can_repeat(const cli_byte_source *source)
{
    return source->file_bytes > 0;
}

double cli_byte_source_progress(const cli_byte_source *source)
{
    return source->file_bytes == 0 ? 0 : source->taken_bytes / source->file_bytes;
}
