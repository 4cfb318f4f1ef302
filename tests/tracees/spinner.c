/*
 * canary, and a thread that spins on the clock (clock_spin.h). --dirty-mbps N: a thread writes the first word of pages of
 * the range "dirty" (--dirty-range-mib, 64) so that N MiB/s of pages get dirty; all their other words stay of epoch 0.
 */
#include "clock_spin.h"
#include "ranges.h"
#include "sleepers.h"

static atomic_ulong pages_dirtied;
static char *dirty_start;
static size_t dirty_bytes;
static long dirty_mbps;

static void *dirty_pages(void *unused)
{
    size_t pages = dirty_bytes / TRACEE_PAGE;
    int64_t page_ns = 1000000000 / (dirty_mbps * (int64_t)(TRACEE_MIB / TRACEE_PAGE)), start = tracee_now_ns();
    for (uint64_t n = 1;; n++) {
        *(volatile uint64_t *)(dirty_start + tracee_word(n, 0) % pages * TRACEE_PAGE) = n;
        atomic_store(&pages_dirtied, n);
        int64_t ahead = start + (int64_t)n * page_ns - tracee_now_ns();
        if (ahead > 1000000) {
            struct timespec rest = {0, ahead < 999999999 ? ahead : 999999999};
            nanosleep(&rest, NULL);
        }
    }
    return unused;
}

static bool command(const char *line)
{
    if (strcmp(line, "dirtied") == 0) {
        tracee_ok("dirtied_pages=%lu", atomic_load(&pages_dirtied));
    } else if (strcmp(line, "check") == 0) {
        size_t populated, wrong = ranges_wrong(&populated), changed = sleepers_wrong();
        for (size_t at = 0; at < dirty_bytes; at += TRACEE_PAGE)
            wrong += tracee_compare(dirty_start + at + sizeof(uint64_t), TRACEE_PAGE - sizeof(uint64_t), 0);
        if (wrong + populated + changed != 0)
            tracee_bad("words=%zu populated_pages=%zu registers_or_stack=%zu", wrong, populated, changed);
        else
            tracee_ok("words=0 gap_us=%ld", atomic_load(&largest_gap_ns) / 1000);
    } else {
        return clock_spin_command(line);
    }
    return true;
}

int main(int argc, char **argv)
{
    static char range_text[2048], sleeper_text[64 * 1024];
    ranges_create(argc, argv);
    sleepers_start((size_t)tracee_number(argc, argv, "--threads", 0));
    dirty_mbps = tracee_number(argc, argv, "--dirty-mbps", 0);
    if (dirty_mbps > 0) {
        dirty_bytes = TRACEE_MIB * (size_t)tracee_number(argc, argv, "--dirty-range-mib", 64);
        dirty_start = tracee_map(dirty_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
        tracee_fill(dirty_start, dirty_bytes, 0);
        tracee_thread(dirty_pages, NULL, 0);
    }
    clock_spin_start();
    ranges_print(range_text, sizeof range_text);
    sleepers_print(sleeper_text, sizeof sleeper_text);
    tracee_ready("%sdirty=%p-%p %s", range_text, (void *)dirty_start, (void *)(dirty_start + dirty_bytes), sleeper_text);
    tracee_serve(command);
}
