/*
 * Memory that ends, or that nobody may read: a mapping longer than its file, pages without access and for writing only, guard
 * regions (MADV_GUARD_INSTALL) and secret memory (memfd_secret(2)) where the kernel has them. "check" compares what has content, and is BAD
 * where an access that has to fail does not.
 */
#include "guarded.h"

#include <setjmp.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#define PAGES 4ul

static char *past_end, *no_access, *write_only, *guarded, *secret;
static bool has_guards;
static sigjmp_buf back;

static void on_fault(int signal)
{
    (void)signal;
    siglongjmp(back, 1);
}

static bool faults(const char *at)
{
    if (sigsetjmp(back, 1) != 0)
        return true;
    (void)*(const volatile char *)at;
    return false;
}

static char *place(int flags, int fd)
{
    return tracee_map(PAGES * TRACEE_PAGE, PROT_READ | PROT_WRITE, flags, fd);
}

static void create(void)
{
    char path[] = "/tmp/corelift-tracee-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || unlink(path) != 0 || ftruncate(fd, (off_t)TRACEE_PAGE) != 0)
        die("file");
    past_end = place(MAP_SHARED, fd);
    tracee_fill(past_end, TRACEE_PAGE, 0);
    close(fd);
    no_access = place(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    tracee_fill(no_access, PAGES * TRACEE_PAGE, 0);
    write_only = place(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    tracee_fill(write_only, PAGES * TRACEE_PAGE, 0);
    guarded = place(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    tracee_fill(guarded, PAGES * TRACEE_PAGE, 0);
    has_guards = madvise(guarded + TRACEE_PAGE, TRACEE_PAGE, MADV_GUARD_INSTALL) == 0;
    if (mprotect(no_access, PAGES * TRACEE_PAGE, PROT_NONE) != 0 || mprotect(write_only, PAGES * TRACEE_PAGE, PROT_WRITE) != 0)
        die("mprotect");
    fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, (off_t)(PAGES * TRACEE_PAGE)) == 0) {
        secret = place(MAP_SHARED, fd);
        tracee_fill(secret, PAGES * TRACEE_PAGE, 0);
        close(fd);
    }
}

/* What may not be read is made readable for a moment: the mapping is the same afterwards. */
static size_t compare_closed(char *at, int protection)
{
    if (mprotect(at, PAGES * TRACEE_PAGE, PROT_READ) != 0)
        die("mprotect");
    size_t wrong = tracee_compare(at, PAGES * TRACEE_PAGE, 0);
    if (mprotect(at, PAGES * TRACEE_PAGE, protection) != 0)
        die("mprotect");
    return wrong;
}

static bool command(const char *line)
{
    if (strcmp(line, "check") == 0) {
        bool opened = !faults(past_end + TRACEE_PAGE) || !faults(no_access) || (has_guards && !faults(guarded + TRACEE_PAGE));
        size_t wrong = tracee_compare(past_end, TRACEE_PAGE, 0) + compare_closed(no_access, PROT_NONE) + compare_closed(write_only, PROT_WRITE) +
                       tracee_compare(guarded, TRACEE_PAGE, 0) + tracee_compare(guarded + 2 * TRACEE_PAGE, 2 * TRACEE_PAGE, 0) +
                       (secret == NULL ? 0 : tracee_compare(secret, PAGES * TRACEE_PAGE, 0));
        if (opened || wrong != 0) {
            tracee_bad("words=%zu opened=%d", wrong, opened);
            return true;
        }
    }
    return guarded_command(line);
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_fault};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    ranges_create(argc, argv);
    create();
    sleepers_start(2);
    guarded_serve_with(command);
}
