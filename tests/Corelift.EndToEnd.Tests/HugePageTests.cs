namespace Corelift.EndToEnd.Tests;

/// <summary>Memory in huge pages, of both kinds, that the target writes to all the while.</summary>
public sealed class HugePageTests : AgentTest
{
    private const int PagesOfTarget = 4;

    [Theory]
    [InlineData("precopy", "--thp")]
    [InlineData("fork", "--thp")]
    [InlineData("direct", "--thp")]
    [InlineData("precopy", "--hugetlb")]
    [InlineData("direct", "--hugetlb")]
    [InlineData("auto", "--hugetlb")]
    [InlineData("precopy", "--hugetlb", "--shared")]
    [InlineData("fork", "--hugetlb", "--shared")]
    [InlineData("direct", "--hugetlb", "--shared")]
    public async Task Their_content_is_of_one_instant_and_the_target_writes_on(string strategy, params string[] kind)
    {
        using HugePages pool = new(kind.Contains("--hugetlb") ? PagesOfTarget : 0);
        using LiveProcess target = Start(kind);

        SnapshotReport report = await SnapshotUnharmedAsync(target, strategy, "full");

        Assert.NotEqual(strategy == "auto" ? "fork" : "", report.Strategy);
        using CoreImage core = new(CorePath);
        Expectations.PairsAreWhole(core, target);
        AddressSpan first = target.Range("first"), second = target.Range("second");
        core.AssertHolds(new AddressSpan(first.End, second.Start));
    }

    [Fact]
    public async Task A_fork_that_could_take_the_page_of_the_next_write_is_refused()
    {
        using HugePages pool = new(PagesOfTarget);
        using LiveProcess target = Start("--hugetlb");

        CommandResult result = await Cli.RunAsync(Agent, "snapshot", $"{target.Pid}", "-o", CorePath, "--strategy", "fork");

        Assert.Equal(4, result.ExitCode);
        Assert.Contains("hugetlb", result.Errors, StringComparison.Ordinal);
        Assert.Empty(Scratch.Names);
        await target.CheckAsync();
    }

    private static LiveProcess Start(params string[] kind) =>
        LiveProcess.Start("pairs", ["--pairs", "512", "--threads", "2", "--mib", "4", .. kind]);
}
