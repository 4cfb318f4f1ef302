using System.Text;
using Corelift.Linux.Procfs;

namespace Corelift.Linux.Tests.Procfs;

public sealed class TaskStatTests
{
    private const string Rest =
        " S 4491 4490 2927 0 -1 4194304 102 0 0 0 11 12 13 14 20 -5 3 0 141098 3133440 361 18446744073709551615 "
        + "94484192714752 94484192734633 140730655439072 0 0 0 0 0 0 0 0 0 17 1 50 2 0 0 0 94484192750640 94484192752256 "
        + "94485038141440 140730655447489 140730655447545 140730655447545 140730655449067 0\n";

    [Fact]
    public void All_fields_are_where_the_man_page_has_them()
    {
        TaskStat stat = Parse("4493 (cat)" + Rest);
        Assert.Equal((4493, "cat", 'S', 4491, 4490, 2927), (stat.Tid, stat.Name, stat.State, stat.ParentPid, stat.ProcessGroup, stat.Session));
        Assert.Equal((4194304UL, 11UL, 12UL, 13L, 14L), (stat.Flags, stat.UserTimeTicks, stat.SystemTimeTicks, stat.ChildrenUserTimeTicks, stat.ChildrenSystemTimeTicks));
        Assert.Equal((20L, -5L, 3, 141098UL), (stat.Priority, stat.Nice, stat.ThreadCount, stat.StartTimeTicks));
        Assert.Equal((3133440UL, 361L, 140730655439072UL), (stat.VirtualBytes, stat.ResidentPages, stat.StackStart));
        Assert.Equal((17, 1, 50u, 2u), (stat.ExitSignal, stat.Processor, stat.RealTimePriority, stat.Policy));
        Assert.Equal((140730655447489UL, 140730655447545UL, 140730655449067UL), (stat.ArgumentStart, stat.EnvironmentStart, stat.EnvironmentEnd));
        Assert.False(stat.IsKernelThread || stat.IsZombie || stat.IsExiting);
    }

    [Theory]
    [InlineData("x) R 1 1")]
    [InlineData("a\nb")]
    [InlineData("(((")]
    [InlineData(")))")]
    [InlineData("quote\"'`")]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("1 (x) Z 0 0")]
    public void A_name_may_hold_anything(string name)
    {
        TaskStat stat = Parse($"4493 ({name}){Rest}");
        Assert.Equal(name, stat.Name);
        Assert.Equal(('S', 141098UL), (stat.State, stat.StartTimeTicks));
    }

    [Fact]
    public void A_name_that_is_no_utf8_keeps_its_bytes()
    {
        TaskStat stat = TaskStat.Parse([.. "7 ("u8, 0xff, 0x80, .. ")"u8, .. Encoding.ASCII.GetBytes(Rest)]);
        Assert.Equal([0xff, 0x80], stat.NameBytes.ToArray());
        Assert.Equal("\uFFFD\uFFFD", stat.Name);
    }

    [Fact]
    public void Kernel_threads_are_told_by_their_flag() =>
        Assert.True(Parse("2 (kthreadd)" + Rest.Replace("4194304", "2129984", StringComparison.Ordinal)).IsKernelThread);

    [Fact]
    public void Every_cut_is_refused()
    {
        string whole = "4493 (cat)" + Rest;
        for (int length = 0; length < whole.Length; length++)
        {
            string cut = whole[..length];
            Assert.Throws<ProcfsFormatException>(() => Parse(cut));
        }
    }

    [Theory]
    [InlineData("99999999999 (x)")]
    [InlineData("-1 (x)")]
    [InlineData("0 (x)")]
    [InlineData("1x (x)")]
    [InlineData("1(x)")]
    [InlineData("(x)")]
    public void Heads_that_no_kernel_writes_are_refused(string head) => Assert.Throws<ProcfsFormatException>(() => Parse(head + Rest));

    [Fact]
    public void Numbers_above_64_bits_are_refused() =>
        Assert.Throws<ProcfsFormatException>(() => Parse("1 (x)" + Rest.Replace("141098", "99999999999999999999", StringComparison.Ordinal)));

    private static TaskStat Parse(string text) => TaskStat.Parse(Encoding.UTF8.GetBytes(text));
}
