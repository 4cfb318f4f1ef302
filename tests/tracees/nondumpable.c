/* Not dumpable: its /proc files belong to root, and only CAP_SYS_PTRACE may trace it. */
#include "guarded.h"

#include <sys/prctl.h>

int main(int argc, char **argv)
{
    ranges_create(argc, argv);
    if (prctl(PR_SET_DUMPABLE, 0) != 0)
        die("prctl");
    sleepers_start(2);
    guarded_serve();
}
