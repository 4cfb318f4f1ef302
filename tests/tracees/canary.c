/* Known memory of every kind (ranges.h) and sleeping threads with known registers (sleepers.h). --threads N. */
#include "ranges.h"
#include "sleepers.h"

static bool command(const char *line)
{
    if (strcmp(line, "check") != 0)
        return false;
    size_t populated, wrong = ranges_wrong(&populated), changed = sleepers_wrong();
    if (wrong + populated + changed != 0)
        tracee_bad("words=%zu populated_pages=%zu registers_or_stack=%zu", wrong, populated, changed);
    else
        tracee_ok("words=0 populated_pages=0 sleepers=%zu", sleeper_count);
    return true;
}

int main(int argc, char **argv)
{
    static char range_text[2048], sleeper_text[64 * 1024];
    ranges_create(argc, argv);
    sleepers_start((size_t)tracee_number(argc, argv, "--threads", 0));
    ranges_print(range_text, sizeof range_text);
    sleepers_print(sleeper_text, sizeof sleeper_text);
    tracee_ready("%s%s", range_text, sleeper_text);
    tracee_serve(command);
}
