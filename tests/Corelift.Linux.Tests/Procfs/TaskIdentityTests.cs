using Corelift.Linux.Procfs;

namespace Corelift.Linux.Tests.Procfs;

public sealed class TaskIdentityTests
{
    private const string Rest = "1200 1200 1200 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 345678 1000000 200 18446744073709551615";

    [Theory]
    [InlineData("cat")]
    [InlineData(") R 1 1 (")]
    [InlineData("x) S 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 99999 ")]
    [InlineData("\n)\0")]
    public void A_name_does_not_decide_over_parent_or_start(string name) =>
        Assert.Equal(new TaskIdentity(1200, 345678), TaskIdentity.Parse(System.Text.Encoding.ASCII.GetBytes($"4711 ({name}) S {Rest}")));

    [Theory]
    [InlineData("")]
    [InlineData("4711 (cat")]
    [InlineData("4711 (cat)")]
    [InlineData("4711 (cat) ")]
    [InlineData("4711 (cat) S -1 2 3")]
    [InlineData("4711 (cat) S 1 2 3")]
    [InlineData("4711 (cat) S x 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19")]
    public void What_has_neither_is_refused(string text) =>
        Assert.Throws<ProcfsFormatException>(() => TaskIdentity.Parse(System.Text.Encoding.ASCII.GetBytes(text)));

    [Fact]
    public void It_agrees_with_the_whole_parser_on_every_process_of_the_host()
    {
        int seen = 0;
        foreach (int pid in ProcessTable.ListPids())
        {
            try
            {
                using ProcessDirectory directory = ProcessDirectory.Open(pid);
                TaskStat stat = directory.ReadStat();
                Assert.Equal(new TaskIdentity(stat.ParentPid, stat.StartTimeTicks), TaskIdentity.Read(directory));
                seen++;
            }
            catch (SyscallException failure) when (failure.IsTaskGone)
            {
                // It ended meanwhile.
            }
        }

        Assert.True(seen > 5);
    }
}
