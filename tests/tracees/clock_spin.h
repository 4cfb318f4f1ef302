/*
 * A thread that reads the clock all the while and keeps the largest gap between two reads: the pause as the target saw
 * it. A gap has three causes, so a second figure leaves two out: "stopped" is the largest gap less the time that the
 * thread was runnable but waited for a CPU meanwhile, as the kernel counts it (run_delay, the second number of
 * /proc/thread-self/schedstat), among the gaps in which it gave its CPU up (ru_nvcsw of getrusage(2)), as whoever is
 * stopped, or sleeps for a lock, does. In the others the host ran another machine than ours: 15 to 35 ms at a time were
 * seen, and run_delay knows nothing of that.
 *
 * clock_spin_command serves "gap" and "reset".
 */
#ifndef CLOCK_SPIN_H
#define CLOCK_SPIN_H

#include "tracee.h"

#include <sys/resource.h>

/* Shorter gaps are interrupts and cache misses; looking up why they came would make more of them. */
#define CLOCK_SPIN_LOOK_NS 20000

static atomic_long largest_gap_ns, largest_stopped_ns;
static atomic_bool clock_spin_forget, clock_spin_started;

static int64_t clock_spin_waited_ns(int schedstat)
{
    char text[128];
    unsigned long long ran, waited;
    ssize_t length = schedstat < 0 ? -1 : pread(schedstat, text, sizeof text - 1, 0);
    if (length <= 0)
        return 0;
    text[length] = '\0';
    return sscanf(text, "%llu %llu", &ran, &waited) == 2 ? (int64_t)waited : 0;
}

struct clock_spin_moment {
    int64_t now, waited;
    long sleeps;
};

/*
 * All of the same moment: whoever is preempted in between asks again. Otherwise a wait is taken off one gap and shows as a
 * stop in the next.
 */
static struct clock_spin_moment clock_spin_look(int schedstat)
{
    struct clock_spin_moment moment;
    struct rusage usage = {0};
    int64_t before;
    int tries = 0;
    do {
        before = tracee_now_ns();
        moment.waited = clock_spin_waited_ns(schedstat);
        getrusage(RUSAGE_THREAD, &usage);
        moment.sleeps = usage.ru_nvcsw;
        moment.now = tracee_now_ns();
    } while (moment.now - before > CLOCK_SPIN_LOOK_NS && ++tries < 20);
    return moment;
}

static inline void clock_spin_keep(atomic_long *largest, int64_t value)
{
    if (value > atomic_load_explicit(largest, memory_order_relaxed))
        atomic_store(largest, value);
}

static void *spin_on_clock(void *unused)
{
    int schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    struct clock_spin_moment last = clock_spin_look(schedstat);
    int64_t previous = last.now;
    atomic_store(&clock_spin_started, true);
    for (;;) {
        int64_t now = tracee_now_ns();
        if (atomic_load_explicit(&clock_spin_forget, memory_order_relaxed)) {
            atomic_store(&largest_gap_ns, 0);
            atomic_store(&largest_stopped_ns, 0);
            atomic_store(&clock_spin_forget, false);
        } else if (now - previous > CLOCK_SPIN_LOOK_NS) {
            struct clock_spin_moment moment = clock_spin_look(schedstat);
            now = moment.now;
            clock_spin_keep(&largest_gap_ns, now - previous);
            if (moment.sleeps != last.sleeps)
                clock_spin_keep(&largest_stopped_ns, now - previous - (moment.waited - last.waited));
            last = moment;
        }
        previous = now;
    }
    return unused;
}

/* Returns once its descriptor is open: a target that says READY changes nothing by itself. */
static inline void clock_spin_start(void)
{
    tracee_thread(spin_on_clock, NULL, 0);
    while (!atomic_load(&clock_spin_started))
        sched_yield();
}

static inline bool clock_spin_command(const char *line)
{
    if (strcmp(line, "gap") == 0) {
        tracee_ok("gap_us=%ld stopped_us=%ld", atomic_load(&largest_gap_ns) / 1000, atomic_load(&largest_stopped_ns) / 1000);
    } else if (strcmp(line, "reset") == 0) {
        atomic_store(&clock_spin_forget, true);
        while (atomic_load(&clock_spin_forget))
            sched_yield();
        tracee_ok("reset");
    } else {
        return false;
    }
    return true;
}

#endif
