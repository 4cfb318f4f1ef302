/*
 * --threads threads (3) that add to a counter of their CPU in restartable sequences (rseq(2)), each some microseconds long: a
 * sequence that was interrupted has to be aborted, or an addition is lost. "check" has them pause, and compares the sums.
 */
#include "tracee.h"

#include <sched.h>
#include <sys/rseq.h>

#if !defined(__x86_64__)
#error "rseq: written for x86-64 so far"
#endif

#define MOST_CPUS 1024

/* struct rseq in its first version. */
struct area {
    uint32_t cpu_id_start, cpu_id;
    uint64_t section;
};

struct count {
    _Alignas(64) uint64_t value;
};

static struct count counts[MOST_CPUS], *done;
static atomic_uint paused, pause_count;
static atomic_ulong aborts;
static long thread_count;

static bool add_one(volatile struct area *area)
{
    uint32_t cpu = area->cpu_id_start;
    __asm__ goto(".pushsection __rseq_cs, \"aw\"\n\t"
                 ".balign 32\n\t"
                 "3:\n\t"
                 ".long 0, 0\n\t"
                 ".quad 1f, 2f - 1f, 4f\n\t"
                 ".popsection\n\t"
                 "leaq 3b(%%rip), %%rax\n\t"
                 "movq %%rax, %[section]\n\t"
                 "1:\n\t"
                 "cmpl %[cpu], %[cpu_id]\n\t"
                 "jnz 4f\n\t"
                 "movq %[count], %%rax\n\t"
                 "movl $4000, %%ecx\n\t"
                 "5:\n\t"
                 "decl %%ecx\n\t"
                 "jnz 5b\n\t"
                 "incq %%rax\n\t"
                 "movq %%rax, %[count]\n\t"
                 "2:\n\t"
                 ".pushsection __rseq_abort, \"ax\"\n\t"
                 ".byte 0x0f, 0xb9, 0x3d\n\t"
                 ".long 0x53053053\n\t" /* RSEQ_SIG */
                 "4:\n\t"
                 "jmp %l[aborted]\n\t"
                 ".popsection\n\t"
                 :
                 : [section] "m"(area->section), [cpu] "r"(cpu), [cpu_id] "m"(area->cpu_id), [count] "m"(counts[cpu].value)
                 : "memory", "cc", "rax", "rcx"
                 : aborted);
    return true;
aborted:
    return false;
}

static void *add(void *argument)
{
    struct count *mine = argument;
    volatile struct area *area = (void *)((char *)__builtin_thread_pointer() + __rseq_offset);
    for (;;) {
        if (add_one(area))
            mine->value++;
        else
            atomic_fetch_add(&aborts, 1);
        if (atomic_load(&paused) != 0) {
            atomic_fetch_add(&pause_count, 1);
            tracee_await_change(&paused, 1);
            atomic_fetch_sub(&pause_count, 1);
        }
    }
    return NULL;
}

static bool command(const char *line)
{
    if (strcmp(line, "check") != 0)
        return false;
    uint64_t expected = 0, sum = 0;
    atomic_store(&paused, 1);
    while (atomic_load(&pause_count) != (unsigned)thread_count)
        sched_yield();
    for (long i = 0; i < thread_count; i++)
        expected += done[i].value;
    for (size_t i = 0; i < MOST_CPUS; i++)
        sum += counts[i].value;
    atomic_store(&paused, 0);
    tracee_futex(&paused, FUTEX_WAKE, 1 << 30, NULL);
    while (atomic_load(&pause_count) != 0)
        sched_yield();
    if (sum != expected)
        tracee_bad("additions=%lu counted=%lu", expected, sum);
    else
        tracee_ok("additions=%lu aborts=%lu", sum, atomic_load(&aborts));
    return true;
}

int main(int argc, char **argv)
{
    thread_count = tracee_number(argc, argv, "--threads", 3);
    if (__rseq_size == 0) {
        errno = ENOSYS;
        die("the C library has registered no rseq");
    }
    done = aligned_alloc(64, (size_t)thread_count * sizeof *done);
    if (done == NULL)
        die("aligned_alloc");
    memset(done, 0, (size_t)thread_count * sizeof *done);
    for (long i = 0; i < thread_count; i++)
        tracee_thread(add, &done[i], 0);
    tracee_ready("threads=%ld", thread_count);
    tracee_serve(command);
}
