/*
 * --count VMAs (60,000): one block of pages, protections alternating, so that none can be merged. Every --every-th
 * writable page (500th) holds tracee_word of its addresses; the others have never been touched.
 */
#include "tracee.h"

static char *base;
static long count, every;

static bool command(const char *line)
{
    if (strcmp(line, "check") != 0)
        return false;
    size_t wrong = 0, populated = 0;
    unsigned char present;
    for (long page = 0; page < count; page += 2) {
        char *at = base + page * (long)TRACEE_PAGE;
        if (page / 2 % every == 0)
            wrong += tracee_compare(at, TRACEE_PAGE, 0);
        else if (mincore(at, TRACEE_PAGE, &present) == 0)
            populated += present & 1;
    }
    if (wrong + populated != 0)
        tracee_bad("words=%zu populated_pages=%zu", wrong, populated);
    else
        tracee_ok("vmas=%ld", count);
    return true;
}

int main(int argc, char **argv)
{
    count = tracee_number(argc, argv, "--count", 60000);
    every = tracee_number(argc, argv, "--every", 500);
    base = tracee_map((size_t)count * TRACEE_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    for (long page = 0; page < count; page += 2) {
        char *at = base + page * (long)TRACEE_PAGE;
        if (mprotect(at, TRACEE_PAGE, PROT_READ | PROT_WRITE) != 0)
            die("mprotect (see vm.max_map_count)");
        if (page / 2 % every == 0)
            tracee_fill(at, TRACEE_PAGE, 0);
    }
    tracee_ready("block=%p-%p count=%ld every=%ld", (void *)base, (void *)(base + count * (long)TRACEE_PAGE), count, every);
    tracee_serve(command);
}
