/*
 * Hot threads that write page pairs, so that a torn snapshot can be told from a whole one.
 *
 * Pair i has the word a at first + i pages and the word b at second + i pages, with --mib of other memory between the
 * two blocks. Thread t of n owns the pairs i with i % n == t and visits them in ascending order, writing the same
 * counter first to a, then to b. So at any instant, for each pair: 0 <= a - b <= 1. And over the pairs of one thread,
 * in its order a0 b0 a1 b1 ... : never ascending, and the first is at most 1 above the last.
 *
 * --shared maps the memory shared, --hugetlb of huge pages that the machine has set aside, --thp asks for transparent ones.
 */
#include "tracee.h"

static long pair_count, thread_count;
static char *first, *second;
static atomic_ulong *progress;

static void *write_pairs(void *argument)
{
    long me = (long)(intptr_t)argument;
    for (uint64_t counter = 1;; counter++) {
        for (long i = me; i < pair_count; i += thread_count) {
            __atomic_store_n((uint64_t *)(first + i * (long)TRACEE_PAGE), counter, __ATOMIC_RELEASE);
            __atomic_store_n((uint64_t *)(second + i * (long)TRACEE_PAGE), counter, __ATOMIC_RELEASE);
        }
        atomic_store(&progress[me], counter);
    }
    return NULL;
}

static bool command(const char *line)
{
    if (strcmp(line, "check") != 0)
        return false;
    int64_t patience = tracee_now_ns() + 20000000000;
    for (long i = 0; i < thread_count; i++) {
        uint64_t before = atomic_load(&progress[i]);
        while (atomic_load(&progress[i]) == before) {
            if (tracee_now_ns() > patience) {
                tracee_bad("thread %ld writes no more", i);
                return true;
            }
            sched_yield();
        }
    }
    tracee_ok("counter=%lu", atomic_load(&progress[0]));
    return true;
}

int main(int argc, char **argv)
{
    pair_count = tracee_number(argc, argv, "--pairs", 256);
    thread_count = tracee_number(argc, argv, "--threads", 2);
    size_t block = (size_t)pair_count * TRACEE_PAGE;
    size_t filler = TRACEE_MIB * (size_t)tracee_number(argc, argv, "--mib", 32);
    int flags = tracee_flag(argc, argv, "--shared") ? MAP_SHARED : MAP_PRIVATE;
    if (tracee_flag(argc, argv, "--hugetlb"))
        flags |= MAP_HUGETLB;
    first = tracee_map(2 * block + filler, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1);
    if (tracee_flag(argc, argv, "--thp") && madvise(first, 2 * block + filler, MADV_HUGEPAGE) != 0)
        die("madvise");
    second = first + block + filler;
    tracee_fill(first + block, filler, 0);
    progress = calloc((size_t)thread_count, sizeof *progress);
    for (long i = 0; i < thread_count; i++)
        tracee_thread(write_pairs, (void *)(intptr_t)i, 0);
    for (long i = 0; i < thread_count; i++)
        while (atomic_load(&progress[i]) == 0) /* a thread that begins blocks all signals for a moment */
            sched_yield();
    tracee_ready("first=%p-%p second=%p-%p pairs=%ld threads=%ld", (void *)first, (void *)(first + block),
                 (void *)second, (void *)(second + block), pair_count, thread_count);
    tracee_serve(command);
}
