/* Drops to --uid and --gid (1000) itself, as a daemon does; the kernel makes it non-dumpable for that. */
#include "guarded.h"

#include <grp.h>

int main(int argc, char **argv)
{
    gid_t gid = (gid_t)tracee_number(argc, argv, "--gid", 1000);
    uid_t uid = (uid_t)tracee_number(argc, argv, "--uid", 1000);
    if (setgroups(0, NULL) != 0 || setgid(gid) != 0 || setuid(uid) != 0)
        die("drop to another uid");
    ranges_create(argc, argv);
    sleepers_start(2);
    guarded_serve();
}
