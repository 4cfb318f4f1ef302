using System.Text;
using Corelift.Linux.Procfs;
using TaskStatus = Corelift.Linux.Procfs.TaskStatus;

namespace Corelift.Linux.Tests.Procfs;

public sealed class TaskStatusTests
{
    private const string Text =
        "Name:\ta\\nb\\\\c\nUmask:\t0022\nState:\tt (tracing stop)\nTgid:\t10\nNgid:\t0\nPid:\t11\nPPid:\t9\nTracerPid:\t8\n"
        + "Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t4294967295\nFDSize:\t256\nGroups:\t4 24 1000 \nNSpid:\t11\t7\t1\nKthread:\t0\n"
        + "VmPeak:\t    3060 kB\nVmSize:\t    3056 kB\nVmPin:\t       4 kB\nVmRSS:\t    1620 kB\nRssAnon:\t     112 kB\n"
        + "RssFile:\t    1508 kB\nRssShmem:\t       8 kB\nVmPTE:\t      52 kB\nVmSwap:\t      16 kB\nHugetlbPages:\t    2048 kB\n"
        + "Threads:\t3\nSigQ:\t0/96365\nSigPnd:\t0000000000000001\nShdPnd:\t0000000000000002\nSigBlk:\tfffffffe7ffbfeff\n"
        + "CapEff:\t000001fffeffffff\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\nx86_Thread_features:\tshstk wrss \n"
        + "SomethingNew:\tx\n";

    [Fact]
    public void All_lines_are_read()
    {
        TaskStatus status = Parse(Text);
        Assert.Equal(("a\nb\\c", 't', 10, 11, 9, 8), (status.Name, status.State, status.Tgid, status.Tid, status.ParentPid, status.TracerPid));
        Assert.Equal(new Credentials(1, 2, 3, 4), status.Uid);
        Assert.Equal(new Credentials(5, 6, 7, uint.MaxValue), status.Gid);
        Assert.Equal([4u, 24u, 1000u], status.Groups);
        Assert.Equal([11, 7, 1], status.NamespaceTids);
        Assert.Equal((3060UL << 10, 3056UL << 10, 4UL << 10, 1620UL << 10), (status.VirtualPeakBytes, status.VirtualBytes, status.PinnedBytes, status.ResidentBytes));
        Assert.Equal((112UL << 10, 1508UL << 10, 8UL << 10), (status.ResidentAnonymousBytes, status.ResidentFileBytes, status.ResidentSharedBytes));
        Assert.Equal((52UL << 10, 16UL << 10, 2UL << 20), (status.PageTableBytes, status.SwappedBytes, status.HugetlbBytes));
        Assert.Equal((3, 1UL, 2UL, 0xfffffffe7ffbfeffUL), (status.ThreadCount, status.PendingSignals, status.SharedPendingSignals, status.BlockedSignals));
        Assert.Equal((0x1fffeffffffUL, true, 2, 3u, "shstk wrss"), (status.EffectiveCapabilities, status.NoNewPrivileges, status.SeccompMode, status.SeccompFilterCount, status.ThreadFeatures));
        Assert.False(status.IsLeader || status.IsKernelThread);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Name:\tx\n")]
    [InlineData("Tgid:\t10\nPid:\t10\n")]
    [InlineData("Name:\tx\nTgid:\t99999999999\nPid:\t10\n")]
    [InlineData("Name:\tx\nTgid:\t10\nPid:\t10\nUid:\t1\t2\t3\n")]
    [InlineData("Name:\tx\nTgid:\t10\nPid:\t10\nVmRSS:\tmuch\n")]
    [InlineData("Name:\tx\nTgid:\t10\nPid:\t10\nno colon\n")]
    [InlineData("Name:\tx\nTgid:\t10\nPid:\t1")]
    public void Texts_that_no_kernel_writes_are_refused(string text) => Assert.Throws<ProcfsFormatException>(() => Parse(text));

    [Fact] // as torture of a pid that is used again saw it, once in some thousand tries
    public void A_task_that_is_just_being_released_is_told_from_a_text_that_was_cut_off()
    {
        TaskStatus status = Parse("Name:\tx\nState:\tX (dead)\nTgid:\t0\nNgid:\t0\nPid:\t10\nPPid:\t0\nTracerPid:\t0\nThreads:\t0\n");
        Assert.Equal((true, 10), (status.IsReleased, status.Tid));
        Assert.False(Parse(Text).IsReleased);
    }

    [Fact]
    public void Lines_that_a_name_made_up_do_not_win()
    {
        TaskStatus status = Parse("Name:\tx\nPid:\t666\nTracerPid:\t0\n" + Text[(Text.IndexOf('\n', StringComparison.Ordinal) + 1)..]);
        Assert.Equal((11, 8), (status.Tid, status.TracerPid));
    }

    private static TaskStatus Parse(string text) => TaskStatus.Parse(Encoding.UTF8.GetBytes(text), ProcfsLimits.Default);
}
