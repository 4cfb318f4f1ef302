using System.Text;

namespace Corelift.Fuzz.Targets;

/// <summary>Files of /proc as the kernel writes them, of a process that never was.</summary>
internal static class ProcText
{
    internal const string Maps = """
        00400000-00452000 r-xp 00000000 08:02 173521                             /usr/bin/worker
        00651000-00652000 r--p 00051000 08:02 173521                             /usr/bin/worker
        00e03000-00e24000 rw-p 00000000 00:00 0                                  [heap]
        35b1800000-35b1820000 r-xp 00000000 08:02 135522                         /usr/lib64/ld-2.15.so
        7f0a00000000-7f0a00021000 rw-s 00000000 00:01 4096                       /dev/shm/a name (deleted)
        7f0a00021000-7f0a00022000 ---p 00000000 00:00 0 
        7ffc0e9f1000-7ffc0ea12000 rw-p 00000000 00:00 0                          [stack]
        7ffc0eb00000-7ffc0eb04000 r--p 00000000 00:00 0                          [vvar]
        7ffc0eb04000-7ffc0eb06000 r-xp 00000000 00:00 0                          [vdso]
        ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]

        """;

    internal const string SmapsBlock = """
        Size:                132 kB
        KernelPageSize:        4 kB
        MMUPageSize:           4 kB
        Rss:                  12 kB
        Pss:                  12 kB
        Pss_Dirty:            12 kB
        Shared_Clean:          0 kB
        Shared_Dirty:          0 kB
        Private_Clean:         0 kB
        Private_Dirty:        12 kB
        Referenced:           12 kB
        Anonymous:            12 kB
        LazyFree:              0 kB
        AnonHugePages:         0 kB
        Shared_Hugetlb:        0 kB
        Private_Hugetlb:       0 kB
        Swap:                  4 kB
        SwapPss:               0 kB
        Locked:                0 kB
        THPeligible:           0
        ProtectionKey:         0
        VmFlags: rd wr mr mw me ac dd dc wf io pf zz

        """;

    internal const string Stat = "4242 (a) name (x) R 1 1) S 1 4242 4242 34816 4242 4194304 3 0 0 0 7 9 1 2 20 0 5 0 123456 1048576 300 18446744073709551615 "
        + "4194304 4521984 140720308490240 0 0 0 0 4096 81920 1 0 0 17 3 0 0 0 0 0 6623232 6626304 14692352 140720308499215 140720308499240 140720308499240 140720308502504 0\n";

    internal const string Status = "Name:\ta\\nb\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t4242\nNgid:\t0\nPid:\t4243\nPPid:\t1\nTracerPid:\t0\n"
        + "Uid:\t1000\t1000\t1001\t1000\nGid:\t1000\t1000\t1000\t1000\nFDSize:\t64\nGroups:\t4 24 1000 \nNStgid:\t4242\t7\nNSpid:\t4243\t8\nKthread:\t0\n"
        + "VmPeak:\t    1048 kB\nVmSize:\t    1048 kB\nVmLck:\t       0 kB\nVmPin:\t       0 kB\nVmHWM:\t     300 kB\nVmRSS:\t     300 kB\nRssAnon:\t     100 kB\n"
        + "VmPTE:\t      44 kB\nVmSwap:\t       0 kB\nHugetlbPages:\t       0 kB\nCoreDumping:\t0\nThreads:\t5\nSigQ:\t1/95000\nSigPnd:\t0000000000000000\n"
        + "ShdPnd:\t0000000000000001\nSigBlk:\tfffffffe7ffbfeff\nSigIgn:\t0000000000001000\nSigCgt:\t0000000180004002\nCapPrm:\t0000000000080000\nCapEff:\t0000000000080000\n"
        + "NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\nx86_Thread_features:\tshstk wrss \n";

    internal const string Cgroup = "12:memory:/kubepods/pod1/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
        + "7:freezer:/a\n0::/system.slice/docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope\n";

    internal const string Sched = "worker (4242, #threads: 5)\n-------------------------------------------------------------------\n"
        + "se.exec_start                                :       1234567.890123\nse.sum_exec_runtime                          :             0.345678\n"
        + "nr_switches                                  :                   12\nnr_voluntary_switches                        :                   11\n";

    internal const string Pressure = "some avg10=0.00 avg60=0.10 avg300=0.00 total=4711\n";

    /// <summary>Maps with the lines of smaps below each.</summary>
    internal static string Smaps => string.Concat(Maps.Split('\n', StringSplitOptions.RemoveEmptyEntries).Take(7).Select(line => line + "\n" + SmapsBlock));

    internal static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>A text behind a byte that chooses what to do with it.</summary>
    internal static byte[] Bytes(int choice, string text) => [(byte)choice, .. Bytes(text)];
}
