/*
 * --threads threads (2) that hold a pattern in all vector registers (AVX where the CPU has it), rounding modes of their
 * own in mxcsr and the x87 control word, and a value on the x87 stack, and that look again and again whether it is still there.
 */
#include "tracee.h"

#if !defined(__x86_64__)
#error "vectors: written for x86-64 so far"
#endif

struct state {
    _Alignas(64) unsigned char in[512], out[512];
    unsigned mxcsr;
    unsigned short control;
    atomic_ulong rounds, errors;
};

static struct state *states;
static long thread_count;
static bool has_avx;

#define LOAD(n) "vmovdqu " #n "*32(%[in]), %%ymm" #n "\n\t"
#define SAVE(n) "vmovdqu %%ymm" #n ", " #n "*32(%[out])\n\t"
#define LOAD_SSE(n) "movdqu " #n "*32(%[in]), %%xmm" #n "\n\t"
#define SAVE_SSE(n) "movdqu %%xmm" #n ", " #n "*32(%[out])\n\t"
#define ALL(m) m(0) m(1) m(2) m(3) m(4) m(5) m(6) m(7) m(8) m(9) m(10) m(11) m(12) m(13) m(14) m(15)
#define SPIN "1:\n\tdec %[count]\n\tjnz 1b\n\t"
#define VECTORS                                                                                                        \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", \
        "xmm14", "xmm15", "memory", "cc"

static void spin_sse(struct state *s, long count)
{
    __asm__ volatile(ALL(LOAD_SSE) SPIN ALL(SAVE_SSE) : [count] "+r"(count) : [in] "r"(s->in), [out] "r"(s->out) : VECTORS);
}

__attribute__((target("avx"))) static void spin_avx(struct state *s, long count)
{
    __asm__ volatile(ALL(LOAD) SPIN ALL(SAVE) "vzeroupper" : [count] "+r"(count) : [in] "r"(s->in), [out] "r"(s->out) : VECTORS);
}

static unsigned long differences(const struct state *s)
{
    unsigned long wrong = 0;
    for (size_t i = 0; i < sizeof s->in; i++)
        if (has_avx || i % 32 < 16)
            wrong += s->in[i] != s->out[i];
    return wrong;
}

static void *hold(void *argument)
{
    struct state *s = argument;
    unsigned mxcsr;
    unsigned short control;
    double kept = (double)tracee_tid() + 0.5, back;
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(s->mxcsr), "m"(s->control));
    for (;;) {
        __asm__ volatile("fldl %0" : : "m"(kept));
        if (has_avx)
            spin_avx(s, 200000);
        else
            spin_sse(s, 200000);
        __asm__ volatile("fstpl %0\n\tstmxcsr %1\n\tfnstcw %2" : "=m"(back), "=m"(mxcsr), "=m"(control));
        /* The low six bits of mxcsr are sticky flags, not controls. */
        unsigned long wrong = differences(s) + (memcmp(&back, &kept, sizeof back) != 0) +
                              ((mxcsr & ~0x3fu) != (s->mxcsr & ~0x3fu)) + (control != s->control);
        atomic_fetch_add(&s->errors, wrong);
        atomic_fetch_add(&s->rounds, 1);
    }
    return NULL;
}

static bool command(const char *line)
{
    if (strcmp(line, "check") != 0)
        return false;
    unsigned long errors = 0, rounds = 0;
    int64_t patience = tracee_now_ns() + 20000000000;
    for (long i = 0; i < thread_count; i++) {
        unsigned long before = atomic_load(&states[i].rounds);
        while (atomic_load(&states[i].rounds) < before + 2) {
            if (tracee_now_ns() > patience) {
                tracee_bad("thread %ld spins no more", i);
                return true;
            }
            sched_yield();
        }
        errors += atomic_load(&states[i].errors);
        rounds += atomic_load(&states[i].rounds);
    }
    if (errors != 0)
        tracee_bad("errors=%lu rounds=%lu", errors, rounds);
    else
        tracee_ok("rounds=%lu", rounds);
    return true;
}

int main(int argc, char **argv)
{
    thread_count = tracee_number(argc, argv, "--threads", 2);
    has_avx = __builtin_cpu_supports("avx") != 0;
    if (posix_memalign((void **)&states, 64, (size_t)thread_count * sizeof *states) != 0)
        die("posix_memalign");
    memset(states, 0, (size_t)thread_count * sizeof *states);
    for (long i = 0; i < thread_count; i++) {
        struct state *s = &states[i];
        for (size_t word = 0; word < sizeof s->in / sizeof(uint64_t); word++)
            ((uint64_t *)s->in)[word] = tracee_word(word, (uint64_t)i);
        s->mxcsr = 0x1f80u | (unsigned)(i % 3 + 1) << 13;                         /* rounding down, up, to zero */
        s->control = (unsigned short)(0x37fu | (unsigned)(i % 3 + 1) << 10);
        tracee_thread(hold, s, 0);
    }
    tracee_ready("threads=%ld avx=%d", thread_count, has_avx);
    tracee_serve(command);
}
