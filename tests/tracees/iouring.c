/*
 * A thread that waits in io_uring_enter(2) for a poll of a pipe, which is outstanding in the kernel all the while. "check" writes
 * to the pipe: the poll has to complete once, with what it waited for, and the thread's call must never have failed.
 */
#include "guarded.h"

#include <linux/io_uring.h>
#include <poll.h>

static struct {
    int fd;
    atomic_uint *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
} ring;

static int pipe_fd[2];
static atomic_uint completions;
static atomic_ulong failures;

static void set_up(void)
{
    struct io_uring_params p = {0};
    ring.fd = (int)syscall(SYS_io_uring_setup, 4, &p);
    if (ring.fd < 0)
        die("io_uring_setup");
    size_t sq_bytes = p.sq_off.array + p.sq_entries * sizeof(unsigned), cq_bytes = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
    char *sq = mmap(NULL, sq_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd, IORING_OFF_SQ_RING);
    char *cq = mmap(NULL, cq_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd, IORING_OFF_CQ_RING);
    ring.sqes = mmap(NULL, p.sq_entries * sizeof *ring.sqes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd, IORING_OFF_SQES);
    if (sq == MAP_FAILED || cq == MAP_FAILED || ring.sqes == MAP_FAILED)
        die("mmap of the rings");
    ring.sq_tail = (atomic_uint *)(sq + p.sq_off.tail);
    ring.sq_mask = (atomic_uint *)(sq + p.sq_off.ring_mask);
    ring.sq_array = (atomic_uint *)(sq + p.sq_off.array);
    ring.cq_head = (atomic_uint *)(cq + p.cq_off.head);
    ring.cq_tail = (atomic_uint *)(cq + p.cq_off.tail);
    ring.cq_mask = (atomic_uint *)(cq + p.cq_off.ring_mask);
    ring.cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
}

static void submit_poll(uint64_t number)
{
    unsigned tail = atomic_load(ring.sq_tail), index = tail & atomic_load(ring.sq_mask);
    struct io_uring_sqe *sqe = &ring.sqes[index];
    memset(sqe, 0, sizeof *sqe);
    sqe->opcode = IORING_OP_POLL_ADD;
    sqe->fd = pipe_fd[0];
    sqe->poll32_events = POLLIN;
    sqe->user_data = number;
    atomic_store(&ring.sq_array[index], index);
    atomic_store(ring.sq_tail, tail + 1);
    if (syscall(SYS_io_uring_enter, ring.fd, 1, 0, 0, NULL, 0) != 1)
        die("submit");
}

static void *wait_for_polls(void *unused)
{
    for (uint64_t number = 1;; number++) {
        submit_poll(number);
        while (atomic_load(ring.cq_head) == atomic_load(ring.cq_tail))
            if (syscall(SYS_io_uring_enter, ring.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
                atomic_fetch_add(&failures, 1);
        unsigned head = atomic_load(ring.cq_head);
        struct io_uring_cqe *cqe = &ring.cqes[head & atomic_load(ring.cq_mask)];
        char byte;
        if (cqe->user_data != number || (cqe->res & POLLIN) == 0 || read(pipe_fd[0], &byte, 1) != 1)
            atomic_fetch_add(&failures, 1);
        atomic_store(ring.cq_head, head + 1);
        atomic_fetch_add(&completions, 1);
        tracee_futex(&completions, FUTEX_WAKE, 1, NULL);
    }
    return unused;
}

static bool command(const char *line)
{
    if (strcmp(line, "check") == 0) {
        unsigned before = atomic_load(&completions);
        if (write(pipe_fd[1], "", 1) != 1)
            die("write");
        tracee_await_change(&completions, before);
        if (atomic_load(&completions) != before + 1 || atomic_load(&failures) != 0) {
            tracee_bad("completions=%u failures=%lu", atomic_load(&completions) - before, atomic_load(&failures));
            return true;
        }
    }
    return guarded_command(line);
}

int main(int argc, char **argv)
{
    ranges_create(argc, argv);
    sleepers_start(2);
    if (pipe2(pipe_fd, O_CLOEXEC) != 0)
        die("pipe");
    set_up();
    tracee_thread(wait_for_polls, NULL, 0);
    guarded_serve_with(command);
}
