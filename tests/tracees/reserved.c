/*
 * --gib GiB (1,024) of reserved address space with --pages touched pages (64). Touched page i is at page index
 * tracee_word(i, 3) % pages of the range and holds tracee_word of its addresses.
 */
#include "tracee.h"

static char *base;
static size_t page_count;
static long touched, resident_at_start;

static char *touched_page(long i)
{
    return base + tracee_word((uint64_t)i, 3) % page_count * TRACEE_PAGE;
}

static long resident(void)
{
    long size, pages;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm == NULL || fscanf(statm, "%ld %ld", &size, &pages) != 2)
        die("/proc/self/statm");
    fclose(statm);
    return pages;
}

static bool command(const char *line)
{
    if (strcmp(line, "check") != 0)
        return false;
    size_t wrong = 0;
    for (long i = 0; i < touched; i++)
        wrong += tracee_compare(touched_page(i), TRACEE_PAGE, 0);
    long grown = resident() - resident_at_start;
    if (wrong != 0 || grown > 512)
        tracee_bad("words=%zu resident_pages_grown=%ld", wrong, grown);
    else
        tracee_ok("resident_pages_grown=%ld", grown);
    return true;
}

int main(int argc, char **argv)
{
    size_t bytes = 1024 * TRACEE_MIB * (size_t)tracee_number(argc, argv, "--gib", 1024);
    touched = tracee_number(argc, argv, "--pages", 64);
    page_count = bytes / TRACEE_PAGE;
    base = tracee_map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    madvise(base, bytes, MADV_NOHUGEPAGE);
    for (long i = 0; i < touched; i++)
        tracee_fill(touched_page(i), TRACEE_PAGE, 0);
    tracee_ready("reserved=%p-%p touched=%ld", (void *)base, (void *)(base + bytes), touched);
    resident_at_start = resident();
    tracee_serve(command);
}
