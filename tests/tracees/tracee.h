/*
 * What every tracee shares: the protocol with the test, and the memory content that both sides can compute.
 *
 * A tracee prints one line "READY key=value ..." once it is set up, then obeys lines on stdin: "check" answers
 * "OK key=value ..." or "BAD what", "exit" ends it with status 0, and the end of stdin does, too, so that no tracee
 * outlives its test. Numbers with 0x are addresses; ranges are START-END, half-open.
 *
 * The command loop counts every read of stdin that a tracer made fail: that alone turns any check into BAD.
 */
#ifndef TRACEE_H
#define TRACEE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRACEE_PAGE 4096ul
#define TRACEE_MIB (1024ul * 1024ul)

/* The content of the word at an address in an epoch. TraceeMemory.Word in Corelift.Testing is the same function. */
static inline uint64_t tracee_word(uint64_t address, uint64_t epoch)
{
    uint64_t x = address + epoch * 0x9e3779b97f4a7c15ull;
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ull;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebull;
    x ^= x >> 31;
    return x;
}

static inline void die(const char *what)
{
    fprintf(stderr, "tracee: %s: %s\n", what, strerror(errno));
    _exit(70);
}

static inline void tracee_fill(void *start, size_t bytes, uint64_t epoch)
{
    uint64_t *words = start;
    for (size_t i = 0; i < bytes / sizeof(uint64_t); i++)
        words[i] = tracee_word((uint64_t)(uintptr_t)&words[i], epoch);
}

/* Number of words that are not what the function says. */
static inline size_t tracee_compare(const void *start, size_t bytes, uint64_t epoch)
{
    const volatile uint64_t *words = start;
    size_t wrong = 0;
    for (size_t i = 0; i < bytes / sizeof(uint64_t); i++)
        wrong += words[i] != tracee_word((uint64_t)(uintptr_t)&words[i], epoch);
    return wrong;
}

static inline void *tracee_map(size_t bytes, int protection, int flags, int fd)
{
    void *at = mmap(NULL, bytes, protection, flags, fd, 0);
    if (at == MAP_FAILED)
        die("mmap");
    return at;
}

static inline int64_t tracee_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline pid_t tracee_tid(void)
{
    return (pid_t)syscall(SYS_gettid);
}

static inline long tracee_futex(atomic_uint *word, int operation, unsigned value, const struct timespec *timeout)
{
    return syscall(SYS_futex, word, operation, value, timeout, NULL, 0);
}

/* Sleeps until the word differs from the value; only main threads and helpers use it, never a checked call. */
static inline void tracee_await_change(atomic_uint *word, unsigned value)
{
    while (atomic_load(word) == value)
        tracee_futex(word, FUTEX_WAIT, value, NULL);
}

static inline const char *tracee_text(int argc, char **argv, const char *name, const char *otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return otherwise;
}

static inline long tracee_number(int argc, char **argv, const char *name, long otherwise)
{
    const char *text = tracee_text(argc, argv, name, NULL);
    return text == NULL ? otherwise : strtol(text, NULL, 0);
}

static inline bool tracee_flag(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return false;
}

struct tracee_start {
    void *(*run)(void *);
    void *argument;
    atomic_uint has_begun;
};

static inline void *tracee_begin(void *of_starter)
{
    struct tracee_start *start = of_starter;
    void *(*run)(void *) = start->run;
    void *argument = start->argument;
    atomic_store(&start->has_begun, 1); /* from here on it may be gone: only its address is used */
    tracee_futex(&start->has_begun, FUTEX_WAKE, 1, NULL);
    return run(argument);
}

/* Returns when the thread runs: until then pthread_create blocks all of its signals, which is not how it is to be seen. */
static inline pthread_t tracee_thread(void *(*run)(void *), void *argument, size_t stack_bytes)
{
    pthread_attr_t attributes;
    pthread_t thread;
    struct tracee_start start = {.run = run, .argument = argument};
    pthread_attr_init(&attributes);
    if (stack_bytes != 0)
        pthread_attr_setstacksize(&attributes, stack_bytes);
    int failure = pthread_create(&thread, &attributes, tracee_begin, &start);
    pthread_attr_destroy(&attributes);
    if (failure != 0) {
        errno = failure;
        die("pthread_create");
    }
    tracee_await_change(&start.has_begun, 0);
    return thread;
}

static inline void tracee_ready(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("READY pid=%d ", getpid());
    vprintf(format, arguments);
    putchar('\n');
    fflush(stdout);
    va_end(arguments);
}

/* Answers of a command; a program adds its own commands beside "check". Returns false for an unknown one. */
typedef bool (*tracee_command)(const char *line);

static size_t tracee_interrupted;

static inline void tracee_ok(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (tracee_interrupted != 0)
        printf("BAD read of stdin failed %zu times with EINTR; otherwise ", tracee_interrupted);
    else
        printf("OK ");
    vprintf(format, arguments);
    putchar('\n');
    fflush(stdout);
    va_end(arguments);
}

static inline void tracee_bad(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("BAD ");
    vprintf(format, arguments);
    putchar('\n');
    fflush(stdout);
    va_end(arguments);
}

/* One line of stdin without its end; the program is over when there is none. */
static inline void tracee_read_line(char *line, size_t capacity)
{
    size_t length = 0;
    for (;;) {
        char byte;
        ssize_t got = read(STDIN_FILENO, &byte, 1);
        if (got < 0) {
            if (errno == EINTR) {
                tracee_interrupted++;
                continue;
            }
            die("read of stdin");
        }
        if (got == 0)
            _exit(0);
        if (byte == '\n')
            break;
        if (length + 1 < capacity)
            line[length++] = byte;
    }
    line[length] = '\0';
}

static inline void tracee_serve(tracee_command command)
{
    char line[256];
    for (;;) {
        tracee_read_line(line, sizeof line);
        if (strcmp(line, "exit") == 0)
            _exit(0);
        if (!command(line))
            tracee_bad("unknown command %s", line);
    }
}

#endif
