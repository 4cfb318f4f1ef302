/* Memory ranges of every kind whose content is tracee_word of the address; options --mib, --zero-mib and so on. */
#ifndef RANGES_H
#define RANGES_H

#include "tracee.h"

enum range_kind {
    RANGE_PRIVATE, RANGE_ZERO, RANGE_SHARED, RANGE_SHARED_ZERO, RANGE_MEMFD, RANGE_DONTFORK, RANGE_WIPEONFORK,
    RANGE_DONTDUMP, RANGE_FILE, RANGE_KINDS
};

static const struct {
    const char *name;
    const char *option;
} range_names[RANGE_KINDS] = {
    {"private", "--mib"},
    {"zero", "--zero-mib"},               /* private, never touched */
    {"shared", "--shared-mib"},           /* MAP_SHARED | MAP_ANONYMOUS */
    {"shared_zero", "--shared-zero-mib"}, /* the same, never touched */
    {"memfd", "--memfd-mib"},
    {"dontfork", "--dontfork-mib"},
    {"wipeonfork", "--wipeonfork-mib"},
    {"dontdump", "--dontdump-mib"},
    {"file", "--file-mib"}, /* MAP_PRIVATE of a file; every third page is modified and of epoch 1 */
};

static struct {
    char *start;
    size_t bytes;
} ranges[RANGE_KINDS];

/* The file's bytes are the function of the addresses at which it is going to be mapped. */
static inline void *map_private_file(size_t bytes)
{
    char path[] = "/tmp/corelift-tracee-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || unlink(path) != 0 || ftruncate(fd, (off_t)bytes) != 0)
        die("file of the private file mapping");
    char *at = tracee_map(bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    tracee_fill(at, bytes, 0);
    if (mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) != at)
        die("mmap of the private file mapping");
    close(fd);
    for (size_t page = 0; page < bytes / TRACEE_PAGE; page += 3)
        tracee_fill(at + page * TRACEE_PAGE, TRACEE_PAGE, 1);
    return at;
}

static inline void *map_range(enum range_kind kind, size_t bytes)
{
    const int access = PROT_READ | PROT_WRITE;
    const int private = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *at;
    int fd;
    switch (kind) {
    case RANGE_FILE:
        return map_private_file(bytes);
    case RANGE_SHARED:
    case RANGE_SHARED_ZERO:
        at = tracee_map(bytes, access, MAP_SHARED | MAP_ANONYMOUS, -1);
        break;
    case RANGE_MEMFD:
        fd = memfd_create("corelift-tracee", MFD_CLOEXEC);
        if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0)
            die("memfd");
        at = tracee_map(bytes, access, MAP_SHARED, fd);
        close(fd);
        break;
    default:
        at = tracee_map(bytes, access, private, -1);
        break;
    }
    int advice = kind == RANGE_DONTFORK ? MADV_DONTFORK : kind == RANGE_WIPEONFORK ? MADV_WIPEONFORK
               : kind == RANGE_DONTDUMP ? MADV_DONTDUMP : MADV_NORMAL;
    if (advice != MADV_NORMAL && madvise(at, bytes, advice) != 0)
        die("madvise");
    if (kind != RANGE_ZERO && kind != RANGE_SHARED_ZERO)
        tracee_fill(at, bytes, 0);
    return at;
}

static inline void ranges_create(int argc, char **argv)
{
    for (int kind = 0; kind < RANGE_KINDS; kind++) {
        ranges[kind].bytes = TRACEE_MIB * (size_t)tracee_number(argc, argv, range_names[kind].option, kind == RANGE_PRIVATE);
        if (ranges[kind].bytes != 0)
            ranges[kind].start = map_range(kind, ranges[kind].bytes);
    }
}

/* "private=0x...-0x... zero=..." */
static inline void ranges_print(char *text, size_t capacity)
{
    size_t length = 0;
    text[0] = '\0';
    for (int kind = 0; kind < RANGE_KINDS; kind++)
        if (ranges[kind].bytes != 0)
            length += (size_t)snprintf(text + length, capacity - length, "%s=%p-%p ", range_names[kind].name,
                                       (void *)ranges[kind].start, (void *)(ranges[kind].start + ranges[kind].bytes));
}

static inline size_t resident_pages(char *start, size_t bytes)
{
    unsigned char *vector = malloc(bytes / TRACEE_PAGE);
    size_t resident = 0;
    if (vector == NULL || mincore(start, bytes, vector) != 0)
        die("mincore");
    for (size_t page = 0; page < bytes / TRACEE_PAGE; page++)
        resident += vector[page] & 1;
    free(vector);
    return resident;
}

/* Words that changed, and pages of the untouched ranges that exist now; both are 0 in a target left alone. */
static inline size_t ranges_wrong(size_t *populated)
{
    size_t wrong = 0;
    *populated = 0;
    for (int kind = 0; kind < RANGE_KINDS; kind++) {
        char *start = ranges[kind].start;
        size_t bytes = ranges[kind].bytes;
        if (bytes == 0)
            continue;
        if (kind == RANGE_ZERO || kind == RANGE_SHARED_ZERO)
            *populated += resident_pages(start, bytes);
        else if (kind == RANGE_FILE)
            for (size_t at = 0; at < bytes; at += TRACEE_PAGE)
                wrong += tracee_compare(start + at, TRACEE_PAGE, at / TRACEE_PAGE % 3 == 0);
        else
            wrong += tracee_compare(start, bytes, 0);
    }
    return wrong;
}

#endif
