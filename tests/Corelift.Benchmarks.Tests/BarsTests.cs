using Corelift.Benchmarks.Peers;

namespace Corelift.Benchmarks.Tests;

public sealed class BarsTests
{
    private static readonly TargetShape s_one = new(1024, 10, 0), s_four = new(4096, 10, 0);

    [Theory]
    [InlineData(1, true)]
    [InlineData(1.01, false)]
    public void A_pause_is_held_against_its_part_of_the_peers(double milliseconds, bool reached) => Assert.Equal(
        reached, Verdict("pause by precopy: 1 GiB, 10 threads, idle", Row(s_one, "precopy", milliseconds), Row(s_one, "gcore", 1000)));

    [Theory]
    [InlineData(5.5, true)]
    [InlineData(5.6, false)]
    public void Growth_is_counted_per_GiB(double fourGibibytes, bool reached) => Assert.Equal(
        reached,
        Verdict("growth of precopy's pause with memory, 1 to 4 GiB", Row(s_one, "precopy", 1), Row(s_four, "precopy", fourGibibytes)));

    [Fact]
    public void What_was_refused_is_not_measured_and_says_why()
    {
        Row refused = new(s_one, "precopy");
        refused.Close("refused: no such strategy", failed: false);

        Figure figure = new CaptureBars([refused, Row(s_one, "gcore", 1000)]).All().First(one => one.Name.StartsWith("pause by precopy", StringComparison.Ordinal));

        Assert.Null(figure.Verdict);
        Assert.Contains("no such strategy", figure.Ours, StringComparison.Ordinal);
    }

    [Fact]
    public void The_pause_is_the_longer_of_the_reported_and_the_seen()
    {
        CaptureRun run = new() { Stopped = TimeSpan.FromMilliseconds(3), ReportedPause = TimeSpan.FromMilliseconds(2) };
        Assert.Equal(3, run.Pause.TotalMilliseconds);
        Assert.Equal(4, (run with { ReportedPause = TimeSpan.FromMilliseconds(4) }).Pause.TotalMilliseconds);
        Assert.Equal(3, (run with { ReportedPause = null }).Pause.TotalMilliseconds);
    }

    [Fact]
    public void Bars_of_groups_that_were_not_asked_for_are_left_out() =>
        Assert.Empty(new CaptureBars([Row(new TargetShape(64, 10, 0), "fork", 1)]).All());

    internal static Row Row(TargetShape shape, string peer, double milliseconds)
    {
        Row row = new(shape, peer);
        row.Add(new CaptureRun { Stopped = TimeSpan.FromMilliseconds(milliseconds), Gap = TimeSpan.FromMilliseconds(milliseconds) });
        return row;
    }

    private static bool? Verdict(string name, params Row[] rows) => new CaptureBars(rows).All().First(figure => figure.Name == name).Verdict;
}
