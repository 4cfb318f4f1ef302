/*
 * Areas whose layout changes when told to ("change"), while somebody reads them: one grows, one moves, one is split, one goes,
 * one is replaced at its place, one loses half of its pages, one becomes zero, one is written anew, one comes. --mib fills
 * memory beside them (64). "fork" has a child write to all of it and look at it; "exec" becomes another program.
 */
#include "tracee.h"

#define AREA (4 * TRACEE_MIB)

enum { GROWN, MOVED, SPLIT, GONE, REPLACED, HALVED, ZEROED, REWRITTEN, AREAS };
static const char *const names[AREAS] = {"grown", "moved", "split", "gone", "replaced", "halved", "zeroed", "rewritten"};

static char *area[AREAS], *filler, *moved_from, *arrived;
static size_t filler_bytes;
static bool changed;

/* An area between pages that nobody may touch, so that it never joins a neighbour; with room to grow. */
static char *place(void)
{
    char *at = tracee_map(AREA + AREA + 2 * TRACEE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1) + TRACEE_PAGE;
    if (munmap(at, 2 * AREA) != 0)
        die("munmap");
    if (mmap(at, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
        die("mmap");
    madvise(at, AREA, MADV_NOHUGEPAGE);
    tracee_fill(at, AREA, 0);
    return at;
}

static void change(void)
{
    if (mremap(area[GROWN], AREA, AREA + AREA / 2, 0) != area[GROWN])
        die("mremap to grow");
    tracee_fill(area[GROWN] + AREA, AREA / 2, 2);

    char *to = tracee_map(AREA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    moved_from = area[MOVED];
    area[MOVED] = mremap(moved_from, AREA, AREA, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    if (area[MOVED] != to)
        die("mremap to move");
    tracee_fill(area[MOVED] + AREA / 2, AREA / 2, 1);

    if (mprotect(area[SPLIT] + TRACEE_MIB, TRACEE_MIB, PROT_READ) != 0)
        die("mprotect");
    munmap(area[GONE], AREA);
    munmap(area[REPLACED], AREA);
    if (mmap(area[REPLACED], AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != area[REPLACED])
        die("mmap in place");
    madvise(area[REPLACED], AREA, MADV_NOHUGEPAGE);
    for (size_t page = 0; page < AREA / 2; page += 4 * TRACEE_PAGE)
        tracee_fill(area[REPLACED] + page, TRACEE_PAGE, 3);
    madvise(area[HALVED], AREA / 2, MADV_DONTNEED);
    memset(area[ZEROED], 0, AREA);
    tracee_fill(area[REWRITTEN], AREA, 1);
    arrived = tracee_map(AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    tracee_fill(arrived, AREA, 4);
    changed = true;
}

static size_t compare_zero(const char *start, size_t bytes)
{
    size_t wrong = 0;
    for (size_t i = 0; i < bytes; i++)
        wrong += start[i] != 0;
    return wrong;
}

static size_t compare_moved(const char *now, const char *then, size_t bytes)
{
    const uint64_t *words = (const uint64_t *)now;
    size_t wrong = 0;
    for (size_t i = 0; i < bytes / sizeof(uint64_t); i++)
        wrong += words[i] != tracee_word((uint64_t)(uintptr_t)then + i * sizeof(uint64_t), 0);
    return wrong;
}

static size_t compare(void)
{
    size_t wrong = tracee_compare(filler, filler_bytes, 0) + tracee_compare(area[GROWN], AREA, 0) + tracee_compare(area[SPLIT], AREA, 0);
    if (!changed) {
        for (int i = 0; i < AREAS; i++)
            wrong += tracee_compare(area[i], AREA, 0);
        return wrong;
    }
    wrong += tracee_compare(area[GROWN] + AREA, AREA / 2, 2);
    wrong += compare_moved(area[MOVED], moved_from, AREA / 2) + tracee_compare(area[MOVED] + AREA / 2, AREA / 2, 1);
    for (size_t page = 0; page < AREA; page += TRACEE_PAGE)
        wrong += page < AREA / 2 && page % (4 * TRACEE_PAGE) == 0 ? tracee_compare(area[REPLACED] + page, TRACEE_PAGE, 3)
                                                                   : compare_zero(area[REPLACED] + page, TRACEE_PAGE);
    wrong += compare_zero(area[HALVED], AREA / 2) + tracee_compare(area[HALVED] + AREA / 2, AREA / 2, 0);
    return wrong + compare_zero(area[ZEROED], AREA) + tracee_compare(area[REWRITTEN], AREA, 1) + tracee_compare(arrived, AREA, 4);
}

static void fork_and_write(void)
{
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child == 0) {
        if (compare() != 0)
            _exit(1);
        tracee_fill(filler, filler_bytes, 7);
        _exit(tracee_compare(filler, filler_bytes, 7) == 0 ? 0 : 2);
    }
    int status;
    if (waitpid(child, &status, 0) != child || status != 0)
        tracee_bad("child status=%x", status);
    else
        tracee_ok("forked=1");
}

static bool command(const char *line)
{
    if (strcmp(line, "change") == 0) {
        change();
        tracee_ok("moved=%p-%p arrived=%p-%p", (void *)area[MOVED], (void *)(area[MOVED] + AREA), (void *)arrived, (void *)(arrived + AREA));
        return true;
    }
    if (strcmp(line, "fork") == 0) {
        fork_and_write();
        return true;
    }
    if (strcmp(line, "exec") == 0) {
        execl("/proc/self/exe", "layout", "--mib", "1", NULL);
        die("execl");
    }
    if (strcmp(line, "check") != 0)
        return false;
    size_t wrong = compare();
    if (wrong != 0)
        tracee_bad("words=%zu", wrong);
    else
        tracee_ok("changed=%d", changed);
    return true;
}

int main(int argc, char **argv)
{
    filler_bytes = (size_t)tracee_number(argc, argv, "--mib", 64) * TRACEE_MIB;
    filler = tracee_map(filler_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    madvise(filler, filler_bytes, MADV_NOHUGEPAGE);
    tracee_fill(filler, filler_bytes, 0);
    char facts[1024];
    size_t length = 0;
    for (int i = 0; i < AREAS; i++) {
        area[i] = place();
        length += (size_t)snprintf(facts + length, sizeof facts - length, "%s=%p-%p ", names[i], (void *)area[i], (void *)(area[i] + AREA));
    }
    tracee_ready("%sfiller=%p-%p", facts, (void *)filler, (void *)(filler + filler_bytes));
    tracee_serve(command);
}
