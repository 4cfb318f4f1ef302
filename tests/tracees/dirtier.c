/*
 * What the benchmarks capture: --mib MiB of private memory (the range "private"), --threads sleeping threads, one that
 * spins on the clock (clock_spin.h; --spin 0 for none), and --writers threads (1) that dirty --mbps MB/s (10^6 bytes; 0
 * for none) of pages drawn at random from the whole range.
 *
 * A write of number N makes the first two words of its page N and tracee_word(address of the second, N); all other words
 * stay of epoch 0, as has a page never drawn. A page belongs to one writer, so any core can be checked: only the pages
 * being written at its instant, one a writer, may have a second word that is older than the first. "dirtied" prints how
 * many bytes of pages were written since READY and for how long; "fork" calls fork(2) and prints how long the parent was
 * in it.
 */
#include "clock_spin.h"
#include "sleepers.h"

#include <sys/wait.h>

#define STAMP_BYTES (2 * sizeof(uint64_t))
#define REST_NS 500000

static char *start;
static size_t bytes;
static long writers, mbps;
static atomic_ulong pages_dirtied;
static int64_t began_ns;

static void write_page(uint64_t *page, uint64_t number)
{
    ((volatile uint64_t *)page)[0] = number;
    ((volatile uint64_t *)page)[1] = tracee_word((uint64_t)(uintptr_t)&page[1], number);
}

/* Writer W owns the pages W, W + writers, W + 2 * writers ... Sleeps whenever it is ahead of its rate. */
static void *dirty_pages(void *argument)
{
    long me = (long)(intptr_t)argument;
    uint64_t own = bytes / TRACEE_PAGE / (uint64_t)writers;
    double page_ns = (double)TRACEE_PAGE * 1e3 * (double)writers / (double)mbps;
    int64_t from = tracee_now_ns();
    for (uint64_t number = 1;; number++) {
        uint64_t drawn = tracee_word(number, (uint64_t)me) % own * (uint64_t)writers + (uint64_t)me;
        write_page((uint64_t *)(start + drawn * TRACEE_PAGE), number);
        atomic_fetch_add_explicit(&pages_dirtied, 1, memory_order_relaxed);
        int64_t ahead = from + (int64_t)((double)number * page_ns) - tracee_now_ns();
        if (ahead > REST_NS) {
            struct timespec rest = {ahead / 1000000000, ahead % 1000000000};
            nanosleep(&rest, NULL);
        } else if (ahead < -100000000) {
            from -= ahead; /* stopped, or too slow: what was missed is not made up for in a burst */
        }
    }
    return NULL;
}

static size_t pages_wrong(void)
{
    size_t wrong = 0;
    for (size_t at = 0; at < bytes; at += TRACEE_PAGE) {
        volatile uint64_t *page = (uint64_t *)(start + at);
        uint64_t first = tracee_word((uint64_t)(uintptr_t)&page[0], 0);
        wrong += tracee_compare(start + at + STAMP_BYTES, TRACEE_PAGE - STAMP_BYTES, 0);
        if (mbps == 0)
            wrong += page[0] != first || page[1] != tracee_word((uint64_t)(uintptr_t)&page[1], 0);
    }
    return wrong;
}

static void fork_once(void)
{
    int64_t from = tracee_now_ns();
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    int64_t took = tracee_now_ns() - from;
    if (child < 0 || waitpid(child, NULL, 0) != child)
        tracee_bad("fork: %s", strerror(errno));
    else
        tracee_ok("fork_us=%ld", took / 1000);
}

static bool command(const char *line)
{
    if (strcmp(line, "fork") == 0) {
        fork_once();
        return true;
    }
    if (strcmp(line, "dirtied") == 0) {
        tracee_ok("bytes=%lu ms=%ld", atomic_load(&pages_dirtied) * TRACEE_PAGE, (tracee_now_ns() - began_ns) / 1000000);
        return true;
    }
    if (strcmp(line, "check") != 0)
        return clock_spin_command(line);
    size_t wrong = pages_wrong(), changed = sleepers_wrong();
    if (wrong + changed != 0)
        tracee_bad("words=%zu registers_or_stack=%zu", wrong, changed);
    else
        tracee_ok("words=0");
    return true;
}

int main(int argc, char **argv)
{
    bytes = TRACEE_MIB * (size_t)tracee_number(argc, argv, "--mib", 1);
    writers = tracee_number(argc, argv, "--writers", 1);
    mbps = tracee_number(argc, argv, "--mbps", 0);
    start = tracee_map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    tracee_fill(start, bytes, 0);
    sleepers_start((size_t)tracee_number(argc, argv, "--threads", 0));
    if (tracee_number(argc, argv, "--spin", 1) != 0)
        clock_spin_start();
    began_ns = tracee_now_ns();
    for (long i = 0; i < writers && mbps > 0; i++)
        tracee_thread(dirty_pages, (void *)(intptr_t)i, 0);
    tracee_ready("private=%p-%p", (void *)start, (void *)(start + bytes));
    tracee_serve(command);
}
