/*
 * A 64-bit program with a thread that runs 32-bit code (code segment 0x23), as wine has them: it counts in a word of low
 * memory. "check" is BAD where that does not go on.
 */
#include "guarded.h"

#if !defined(__x86_64__)
#error "mode32: there is no such mode elsewhere"
#endif

static volatile uint32_t *counter;

static void *count(void *code)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL); /* a handler is 64-bit code */
    __asm__ volatile("movl $0x2b, %%eax\n\tmovl %%eax, %%ds\n\tmovl %%eax, %%es\n\tpushq $0x23\n\tpushq %0\n\tlretq" : : "r"(code) : "memory", "rax");
    __builtin_unreachable();
}

static void start(void)
{
    unsigned char *page = mmap(NULL, 2 * TRACEE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (page == MAP_FAILED)
        die("mmap");
    counter = (volatile uint32_t *)(page + TRACEE_PAGE);
    uint32_t address = (uint32_t)(uintptr_t)counter;
    const unsigned char code[] = {0xff, 0x05, 0, 0, 0, 0, 0xeb, 0xf8}; /* 1: incl counter; jmp 1b */
    memcpy(page, code, sizeof code);
    memcpy(page + 2, &address, sizeof address);
    if (mprotect(page, TRACEE_PAGE, PROT_READ | PROT_EXEC) != 0)
        die("mprotect");
    tracee_thread(count, page, 0);
}

static bool command(const char *line)
{
    if (strcmp(line, "check") == 0) {
        uint32_t before = *counter;
        int64_t patience = tracee_now_ns() + 20000000000;
        while (*counter == before) {
            if (tracee_now_ns() > patience) {
                tracee_bad("the 32-bit thread counts no more");
                return true;
            }
            sched_yield();
        }
    }
    return guarded_command(line);
}

int main(int argc, char **argv)
{
    ranges_create(argc, argv);
    sleepers_start(2);
    start();
    guarded_serve_with(command);
}
