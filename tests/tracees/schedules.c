/*
 * Threads of many schedules: policies, real-time priorities, nice values, the reset-on-fork flag, CPU masks and a time slice of
 * their own, --groups times (1) each, and --spin busy ones (0). "check" compares what each has with what it was given.
 * --births N: three threads with different schedules make N threads a second each, and one makes N/10 processes; a thread born
 * stays until "check", and then compares its schedule with the one that a child of its maker has. A process does so after 1 s.
 */
#include "tracee.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define RESET_ON_FORK 1ull

/* struct sched_attr in its first version; the header is not everywhere. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

struct schedule {
    struct attributes given;
    int nice;
    cpu_set_t cpus;
};

/* cpus: -1 for all, otherwise the first (0) or last (1) CPU. */
static const struct kind {
    uint32_t policy, priority;
    int nice, resets, cpus;
    uint64_t slice_ns;
} kinds[] = {
    {SCHED_OTHER, 0, 0, 0, -1, 0},   {SCHED_BATCH, 0, 7, 0, -1, 0}, {SCHED_FIFO, 10, 3, 1, -1, 0},
    {SCHED_RR, 3, 0, 0, -1, 0},      {SCHED_IDLE, 0, 5, 0, -1, 0},  {SCHED_OTHER, 0, -5, 1, -1, 0},
    {SCHED_OTHER, 0, 1, 0, 1, 0},    {SCHED_BATCH, 0, 0, 0, 0, 0},  {SCHED_FIFO, 1, -7, 0, 1, 0},
    {SCHED_OTHER, 0, 0, 0, -1, 7000000},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static cpu_set_t all_cpus;
static struct { pid_t tid; struct schedule own; } *fixed;
static size_t fixed_count;
static atomic_uint generation, ready, alive, wrong;
static atomic_ulong births;
static atomic_bool pausing;
static long rate;

static struct schedule read_schedule(pid_t tid)
{
    struct schedule seen = {0};
    if (syscall(SYS_sched_getattr, tid, &seen.given, sizeof seen.given, 0) != 0 || sched_getaffinity(tid, sizeof seen.cpus, &seen.cpus) != 0)
        die("sched_getattr");
    errno = 0;
    seen.nice = getpriority(PRIO_PROCESS, (id_t)tid);
    if (errno != 0)
        die("getpriority");
    return seen;
}

static bool is_same(const struct schedule *a, const struct schedule *b, const char *what)
{
    bool same = memcmp(&a->given, &b->given, sizeof a->given) == 0 && a->nice == b->nice && CPU_EQUAL(&a->cpus, &b->cpus);
    if (!same)
        fprintf(stderr, "%s: policy %u nice %d/%d priority %u flags %lx slice %lu cpus %lx, not %u %d/%d %u %lx %lu %lx\n", what,
                a->given.policy, a->given.nice, a->nice, a->given.priority, a->given.flags, a->given.runtime, a->cpus.__bits[0],
                b->given.policy, b->given.nice, b->nice, b->given.priority, b->given.flags, b->given.runtime, b->cpus.__bits[0]);
    return same;
}

static void become(const struct kind *kind)
{
    cpu_set_t cpus = all_cpus;
    if (kind->cpus >= 0) {
        int first = 0, last = CPU_SETSIZE - 1;
        while (!CPU_ISSET(first, &all_cpus))
            first++;
        while (!CPU_ISSET(last, &all_cpus))
            last--;
        CPU_ZERO(&cpus);
        CPU_SET(kind->cpus == 0 ? first : last, &cpus);
        if (sched_setaffinity(0, sizeof cpus, &cpus) != 0)
            die("sched_setaffinity");
    }
    struct attributes wanted = {sizeof wanted, kind->policy, kind->resets ? RESET_ON_FORK : 0, kind->nice, kind->priority, kind->slice_ns, 0, 0};
    if (setpriority(PRIO_PROCESS, 0, kind->nice) != 0 || syscall(SYS_sched_setattr, 0, &wanted, 0) != 0)
        die("sched_setattr");
}

static void *stay(void *argument)
{
    size_t index = (size_t)(uintptr_t)argument;
    become(&kinds[index % KINDS]);
    fixed[index].tid = tracee_tid();
    fixed[index].own = read_schedule(0);
    atomic_fetch_add(&ready, 1);
    static atomic_uint never;
    for (;;)
        tracee_await_change(&never, 0);
    return NULL;
}

static void *spin(void *unused)
{
    for (;;)
        __asm__ volatile("" ::: "memory");
    return unused;
}

static void *live(void *argument)
{
    const struct schedule *expected = argument;
    unsigned seen = atomic_load(&generation);
    atomic_fetch_add(&alive, 1);
    while (atomic_load(&generation) == seen)
        tracee_futex(&generation, FUTEX_WAIT, seen, NULL);
    struct schedule now = read_schedule(0);
    if (!is_same(&now, expected, "born thread"))
        atomic_fetch_add(&wrong, 1);
    atomic_fetch_sub(&alive, 1);
    return NULL;
}

static void *know_yourself(void *result)
{
    *(struct schedule *)result = read_schedule(0);
    return NULL;
}

static void rest(long a_second)
{
    struct timespec time = {0, 1000000000 / a_second};
    nanosleep(&time, NULL);
    while (atomic_load(&pausing))
        sched_yield();
}

static void *give_birth(void *argument)
{
    become(argument);
    struct schedule *of_child = malloc(sizeof *of_child);
    pthread_join(tracee_thread(know_yourself, of_child, 0), NULL);
    atomic_fetch_add(&ready, 1);
    for (;; rest(rate)) {
        pthread_detach(tracee_thread(live, of_child, 16 * 1024));
        atomic_fetch_add(&births, 1);
    }
    return NULL;
}

static void *give_birth_to_processes(void *unused)
{
    become(&kinds[1]);
    struct schedule own = read_schedule(0);
    atomic_fetch_add(&ready, 1);
    for (;; rest(rate / 10 + 1)) {
        pid_t child = fork();
        if (child == 0) {
            struct timespec second = {1, 0};
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            nanosleep(&second, NULL);
            struct schedule now = read_schedule(0);
            _exit(is_same(&now, &own, "born process") ? 0 : 1);
        }
        int status;
        while (waitpid(-1, &status, WNOHANG) > 0)
            if (status != 0)
                atomic_fetch_add(&wrong, 1);
    }
    return unused;
}

static bool command(const char *line)
{
    if (strcmp(line, "check") != 0)
        return false;
    size_t differ = 0;
    for (size_t i = 0; i < fixed_count; i++) {
        struct schedule now = read_schedule(fixed[i].tid);
        differ += !is_same(&now, &fixed[i].own, "thread");
    }
    atomic_store(&pausing, true);
    while (atomic_load(&alive) != 0) {
        atomic_fetch_add(&generation, 1);
        tracee_futex(&generation, FUTEX_WAKE, 1 << 30, NULL);
        sched_yield();
    }
    atomic_store(&pausing, false);
    if (differ != 0 || atomic_load(&wrong) != 0)
        tracee_bad("threads=%zu born=%u", differ, atomic_load(&wrong));
    else
        tracee_ok("threads=%zu births=%lu", fixed_count, atomic_load(&births));
    return true;
}

int main(int argc, char **argv)
{
    sched_getaffinity(0, sizeof all_cpus, &all_cpus);
    fixed_count = KINDS * (size_t)tracee_number(argc, argv, "--groups", 1);
    fixed = calloc(fixed_count, sizeof *fixed);
    for (size_t i = 0; i < fixed_count; i++)
        tracee_thread(stay, (void *)(uintptr_t)i, 16 * 1024);
    unsigned expected = (unsigned)fixed_count;
    rate = tracee_number(argc, argv, "--births", 0);
    if (rate > 0) {
        static const int makers[] = {0, 2, 7};
        for (size_t i = 0; i < 3; i++)
            tracee_thread(give_birth, (void *)(uintptr_t)&kinds[makers[i]], 0);
        tracee_thread(give_birth_to_processes, NULL, 0);
        expected += 4;
    }
    for (long i = tracee_number(argc, argv, "--spin", 0); i > 0; i--)
        tracee_thread(spin, NULL, 16 * 1024);
    while (atomic_load(&ready) != expected)
        sched_yield();
    tracee_ready("threads=%zu", fixed_count);
    tracee_serve(command);
}
