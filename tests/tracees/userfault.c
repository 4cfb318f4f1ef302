/*
 * An area whose pages a thread of this process makes when they are first touched (userfaultfd(2)): while the process is stopped
 * so is that thread. Each "check" touches one page more; a page that anybody else had made is counted, and is harm.
 */
#include "guarded.h"

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#define PAGES 512ul

static char *area;
static int fault_fd;
static atomic_ulong faults;
static unsigned long touched;

static void *make_pages(void *unused)
{
    uint64_t *page = aligned_alloc(TRACEE_PAGE, TRACEE_PAGE);
    for (struct uffd_msg message; read(fault_fd, &message, sizeof message) == sizeof message;) {
        uint64_t address = message.arg.pagefault.address & ~(TRACEE_PAGE - 1);
        for (size_t i = 0; i < TRACEE_PAGE / sizeof *page; i++)
            page[i] = tracee_word(address + i * sizeof *page, 0);
        struct uffdio_copy copy = {.dst = address, .src = (uint64_t)(uintptr_t)page, .len = TRACEE_PAGE};
        atomic_fetch_add(&faults, 1); /* who waits for the page goes on before the call returns */
        if (ioctl(fault_fd, UFFDIO_COPY, &copy) != 0)
            die("UFFDIO_COPY");
    }
    die("read of the userfaultfd");
    return unused;
}

static bool command(const char *line)
{
    if (strcmp(line, "check") == 0) {
        size_t wrong = 0;
        touched += touched < PAGES;
        for (unsigned long page = 0; page < touched; page++)
            wrong += tracee_compare(area + page * TRACEE_PAGE, TRACEE_PAGE, 0);
        size_t resident = resident_pages(area, PAGES * TRACEE_PAGE);
        if (wrong != 0 || atomic_load(&faults) != touched || resident != touched) {
            tracee_bad("words=%zu touched=%lu faults=%lu resident=%zu", wrong, touched, atomic_load(&faults), resident);
            return true;
        }
    }
    return guarded_command(line);
}

int main(int argc, char **argv)
{
    ranges_create(argc, argv);
    sleepers_start(2);
    fault_fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
    struct uffdio_api api = {.api = UFFD_API};
    if (fault_fd < 0 || ioctl(fault_fd, UFFDIO_API, &api) != 0)
        die("userfaultfd");
    area = tracee_map(PAGES * TRACEE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    struct uffdio_register range = {.range = {(uint64_t)(uintptr_t)area, PAGES * TRACEE_PAGE}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    if (ioctl(fault_fd, UFFDIO_REGISTER, &range) != 0)
        die("UFFDIO_REGISTER");
    tracee_thread(make_pages, NULL, 0);
    guarded_serve_with(command);
}
