/*
 * Threads that sleep in a futex below level_three < level_two < level_one, with known registers and stack words, and
 * that compare both each time they are woken.
 *
 * While it sleeps, sleeper T (a tid) has rbx, r12, r13, r14, r15 = tracee_word(T, 0..4) and the low half of
 * xmm15 = tracee_word(T, 5); at the address "stack" are 64 words of tracee_word(address, 0).
 */
#ifndef SLEEPERS_H
#define SLEEPERS_H

#include "tracee.h"

#define SLEEPER_WORDS 64

struct sleeper {
    uint64_t tid;
    uint64_t stack;
};

static struct sleeper *sleepers;
static size_t sleeper_count;
static atomic_uint sleeper_generation, sleepers_verified, sleepers_ready;
static atomic_size_t sleeper_errors;

/* Waits in futex(2) with every checked register loaded; answers how many of them came back changed. */
static __attribute__((noinline)) size_t level_three(uint64_t tid, unsigned generation)
{
#if defined(__x86_64__)
    register uint64_t r12 __asm__("r12") = tracee_word(tid, 1);
    register uint64_t r13 __asm__("r13") = tracee_word(tid, 2);
    register uint64_t r14 __asm__("r14") = tracee_word(tid, 3);
    register uint64_t r15 __asm__("r15") = tracee_word(tid, 4);
    register uint64_t r10 __asm__("r10") = 0;
    uint64_t rbx = tracee_word(tid, 0), xmm = tracee_word(tid, 5);
    long result = SYS_futex;
    __asm__ volatile("movq %[xmm], %%xmm15\n\tsyscall\n\tmovq %%xmm15, %[xmm]"
                     : "+a"(result), "+b"(rbx), "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15), [xmm] "+m"(xmm)
                     : "D"(&sleeper_generation), "S"(FUTEX_WAIT), "d"(generation), "r"(r10)
                     : "rcx", "r11", "memory", "xmm15");
    return (rbx != tracee_word(tid, 0)) + (r12 != tracee_word(tid, 1)) + (r13 != tracee_word(tid, 2)) +
           (r14 != tracee_word(tid, 3)) + (r15 != tracee_word(tid, 4)) + (xmm != tracee_word(tid, 5)) +
           (result != 0 && result != -EAGAIN);
#else
    long result = tracee_futex(&sleeper_generation, FUTEX_WAIT, generation, NULL);
    (void)tid;
    return result != 0 && errno != EAGAIN;
#endif
}

static __attribute__((noinline)) void level_two(struct sleeper *me)
{
    uint64_t words[SLEEPER_WORDS];
    tracee_fill(words, sizeof words, 0);
    me->stack = (uint64_t)(uintptr_t)words;
    atomic_fetch_add(&sleepers_ready, 1);
    unsigned generation = 0;
    for (;;) {
        size_t wrong = 0;
        while (atomic_load(&sleeper_generation) == generation)
            wrong += level_three(me->tid, generation);
        generation++;
        wrong += tracee_compare(words, sizeof words, 0);
        atomic_fetch_add(&sleeper_errors, wrong);
        atomic_fetch_add(&sleepers_verified, 1);
    }
}

static __attribute__((noinline)) void *level_one(void *argument)
{
    struct sleeper *me = argument;
    me->tid = (uint64_t)tracee_tid();
    level_two(me);
    return me;
}

static inline void sleepers_start(size_t count)
{
    sleeper_count = count;
    sleepers = calloc(count + 1, sizeof *sleepers);
    for (size_t i = 0; i < count; i++)
        tracee_thread(level_one, &sleepers[i], 64 * 1024);
    while (atomic_load(&sleepers_ready) != count)
        sched_yield();
}

/* "sleepers=TID:STACK,TID:STACK..." */
static inline void sleepers_print(char *text, size_t capacity)
{
    size_t length = (size_t)snprintf(text, capacity, "sleepers=");
    for (size_t i = 0; i < sleeper_count && length < capacity; i++)
        length += (size_t)snprintf(text + length, capacity - length, "%s%lu:0x%lx", i == 0 ? "" : ",",
                                   (unsigned long)sleepers[i].tid, (unsigned long)sleepers[i].stack);
}

/* Wakes every sleeper and waits until each has compared its registers and stack; answers what they found so far. */
static inline size_t sleepers_wrong(void)
{
    unsigned expected = (unsigned)sleeper_count;
    atomic_store(&sleepers_verified, 0);
    atomic_fetch_add(&sleeper_generation, 1);
    tracee_futex(&sleeper_generation, FUTEX_WAKE, 1 << 30, NULL);
    while (atomic_load(&sleepers_verified) != expected)
        sched_yield();
    return atomic_load(&sleeper_errors);
}

#endif
