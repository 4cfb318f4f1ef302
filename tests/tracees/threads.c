/*
 * --count threads (1,000) with small stacks in a futex. The table at "table" has {tid, address of a mark} of each; the
 * mark is on that thread's stack and holds tracee_word(tid, 7), as does its thread-local variable.
 */
#include "tracee.h"

struct entry {
    uint64_t tid;
    uint64_t mark;
};

static struct entry *table;
static long count;
static atomic_uint generation, verified, ready;
static atomic_size_t errors;
static __thread uint64_t thread_local_mark;

static __attribute__((noinline)) void wait_in_futex(unsigned seen)
{
    while (atomic_load(&generation) == seen)
        if (tracee_futex(&generation, FUTEX_WAIT, seen, NULL) != 0 && errno != EAGAIN)
            atomic_fetch_add(&errors, 1);
}

static void *run(void *argument)
{
    struct entry *me = argument;
    uint64_t tid = (uint64_t)tracee_tid();
    volatile uint64_t mark = tracee_word(tid, 7);
    thread_local_mark = mark;
    me->tid = tid;
    me->mark = (uint64_t)(uintptr_t)&mark;
    atomic_fetch_add(&ready, 1);
    for (unsigned seen = 0;; seen++) {
        wait_in_futex(seen);
        if (mark != tracee_word(tid, 7) || thread_local_mark != mark || (uint64_t)tracee_tid() != tid)
            atomic_fetch_add(&errors, 1);
        atomic_fetch_add(&verified, 1);
    }
    return NULL;
}

static bool command(const char *line)
{
    if (strcmp(line, "check") != 0)
        return false;
    atomic_store(&verified, 0);
    atomic_fetch_add(&generation, 1);
    tracee_futex(&generation, FUTEX_WAKE, 1 << 30, NULL);
    while (atomic_load(&verified) != (unsigned)count)
        sched_yield();
    if (atomic_load(&errors) != 0)
        tracee_bad("errors=%zu", atomic_load(&errors));
    else
        tracee_ok("threads=%ld", count);
    return true;
}

int main(int argc, char **argv)
{
    count = tracee_number(argc, argv, "--count", 1000);
    table = tracee_map((size_t)count * sizeof *table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    for (long i = 0; i < count; i++)
        tracee_thread(run, &table[i], 16 * 1024);
    while (atomic_load(&ready) != (unsigned)count)
        sched_yield();
    tracee_ready("count=%ld table=%p", count, (void *)table);
    tracee_serve(command);
}
