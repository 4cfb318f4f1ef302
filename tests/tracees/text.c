/*
 * --mib MiB (64) of lines as a server logs them: memory that compresses about as well as that of programs that hold
 * text. "check" compares it with its checksum at the start.
 */
#include "tracee.h"

static char *start;
static size_t bytes;
static uint64_t sum_at_start;

static uint64_t checksum(void)
{
    const uint64_t *words = (const uint64_t *)start;
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes / sizeof(uint64_t); i++)
        sum = sum * 31 + words[i];
    return sum;
}

static void write_lines(void)
{
    static const char *const levels[] = {"INFO ", "INFO ", "DEBUG", "WARN "};
    static const char *const verbs[] = {"GET /api/v1/orders", "POST /api/v1/carts", "GET /static/app.js", "PUT /api/v1/users"};
    static const char *const events[] = {"request served", "upstream answered", "cache miss, asked the store", "retry scheduled"};
    for (size_t at = 0, n = 0; at + 1 < bytes; n++) {
        uint64_t random = tracee_word(n, 0);
        char line[256];
        int length = snprintf(line, sizeof line, "2026-01-%02zu %02zu:%02zu:%02zu.%06lu %s [worker-%lu] %s/%lu %s in %lu us, trace %016lx\n",
                              1 + n / 86400 % 28, n / 3600 % 24, n / 60 % 60, n % 60, random % 1000000, levels[random >> 20 & 3],
                              random >> 24 & 15, verbs[random >> 28 & 3], random >> 30 & 65535, events[random >> 46 & 3],
                              random >> 48, tracee_word(n, 1));
        size_t rest = bytes - at, part = (size_t)length < rest ? (size_t)length : rest;
        memcpy(start + at, line, part);
        at += part;
    }
}

static bool command(const char *line)
{
    if (strcmp(line, "check") != 0)
        return false;
    if (checksum() != sum_at_start)
        tracee_bad("the text changed");
    else
        tracee_ok("bytes=%zu", bytes);
    return true;
}

int main(int argc, char **argv)
{
    bytes = TRACEE_MIB * (size_t)tracee_number(argc, argv, "--mib", 64);
    start = tracee_map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    write_lines();
    sum_at_start = checksum();
    tracee_ready("text=%p-%p", (void *)start, (void *)(start + bytes));
    tracee_serve(command);
}
