using System.Globalization;

namespace Corelift.Benchmarks;

/// <summary>What the project promises of the rows of the one table, each as a ratio within the run.</summary>
internal sealed class CaptureBars(IReadOnlyList<Row> rows)
{
    private const double MostGrowthMilliseconds = 1.5;
    private static readonly TimeSpan s_slack = TimeSpan.FromMilliseconds(1);
    private static readonly TargetShape s_one = new(1024, 10, 0), s_asleep = s_one with { Spins = false }, s_four = new(4096, 10, 0), s_dirty = new(1024, 10, 500),
        s_thousand = new(64, 1000, 0), s_tenThousand = new(64, 10000, 0);

    internal IEnumerable<Figure> All() => [.. PauseBars(), .. DirtyBars(), .. ThreadBars()];

    private IEnumerable<Figure> PauseBars()
    {
        if (!Has(s_one))
        {
            yield break;
        }

        yield return PauseRatio(s_one, "precopy", "gcore", 1000);
        yield return PauseRatio(s_one, "precopy", "fork", 10);
        yield return PauseRatio(s_four, "precopy", "gcore", 1000);
        yield return Growth();
        yield return PauseRatio(s_one, "fork", "gcore", 50);
        yield return BesideOwnFork();
        yield return PauseRatio(s_one, "direct", "gcore", 3);
        foreach (string strategy in (string[])["precopy", "fork", "direct"])
        {
            yield return ElapsedRatio(strategy);
            yield return Agreement(strategy);
        }
    }

    private IEnumerable<Figure> DirtyBars() => Has(s_dirty) ? [PauseRatio(s_dirty, "auto", "gcore", 100)] : [];

    private IEnumerable<Figure> ThreadBars()
    {
        if (Has(s_thousand))
        {
            Row auto = Of(s_thousand, "auto"), prototype = Of(s_thousand, "one tracer thread in C");
            yield return AtMost("pause", auto, auto.Pause, 40, prototype, prototype.Pause);
            yield return AtMost("skew, one CPU busy", auto, auto.Skew, 15, prototype, prototype.Skew);
        }

        if (Has(s_tenThousand))
        {
            yield return PauseRatio(s_tenThousand, "auto", "one tracer thread in C", 1);
        }
    }

    private Figure PauseRatio(TargetShape shape, string ours, string theirs, int divisor)
    {
        Row mine = Of(shape, ours), other = Of(shape, theirs);
        string name = $"pause by {ours}: {shape.Name}";
        string bar = divisor == 1 ? $"at most that of {theirs}" : string.Create(CultureInfo.InvariantCulture, $"at most 1/{divisor:#,0} of {theirs}'s");
        return mine.Pause is { } a && other.Pause is { } b
            ? new Figure(name, a.Text(), $"{theirs} {b.Text()}", $"{bar}: {Numbers.Ratio(b, a)}", a * divisor <= b)
            : Unmeasured(name, bar, mine, other);
    }

    private Figure Growth()
    {
        Row small = Of(s_one, "precopy"), large = Of(s_four, "precopy");
        const string Name = "growth of precopy's pause with memory, 1 to 4 GiB", Bar = "at most 1.5 ms per GiB";
        if (small.Pause is not { } a || large.Pause is not { } b)
        {
            return Unmeasured(Name, Bar, small, large);
        }

        double growth = (b - a).TotalMilliseconds / 3;
        return new Figure(
            Name, string.Create(CultureInfo.InvariantCulture, $"{growth:0.00} ms per GiB"), $"{a.Text()} and {b.Text()}", Bar,
            growth <= MostGrowthMilliseconds);
    }

    private Figure BesideOwnFork()
    {
        Row fork = Of(s_one, "fork"), own = Of(s_one, "the target's own fork(2)"), gcore = Of(s_one, "gcore");
        string name = $"pause by fork: {s_one.Name}";
        const string Bar = "at most 1.5 times the target's own fork(2)";
        return fork.Pause is { } a && own.Pause is { } b
            ? new Figure(name, a.Text(), $"fork(2) {b.Text()}, {Numbers.Ratio(gcore.Pause ?? b, b)} of gcore's", $"{Bar}: {Numbers.Ratio(b, a)}", a <= b * 1.5)
            : Unmeasured(name, Bar, fork, own);
    }

    private Figure ElapsedRatio(string strategy)
    {
        Row mine = Of(s_asleep, strategy), gcore = Of(s_asleep, "gcore");
        string name = $"elapsed to a core on disk by {strategy}: {s_asleep.Name}";
        return mine.Elapsed is { } a && gcore.Elapsed is { } b
            ? new Figure(name, a.Text(), $"gcore {b.Text()}", $"at most gcore's: {Numbers.Ratio(b, a)}", a <= b)
            : Unmeasured(name, "at most gcore's", mine, gcore);
    }

    private Figure Agreement(string strategy)
    {
        Row mine = Of(s_one, strategy), nobody = Of(s_one, "no capture");
        string name = $"pause reported by {strategy} against the target's own: {s_one.Name}";
        if (mine.Runs.Count == 0)
        {
            return Unmeasured(name, "each within 20 % or 1 ms", mine, nobody);
        }

        TimeSpan[] off = [.. mine.Runs.Select(run => (run.Stopped - (run.ReportedPause ?? default)).Duration())];
        int within = mine.Runs.Zip(off).Count(pair => pair.Second <= s_slack || pair.Second <= pair.First.Stopped * 0.2);
        return new Figure(
            name, $"off by {off.Median().Text()}, at most {off.Max().Text()}", $"stopped without a capture {nobody.Pause.Text()}",
            $"each within 20 % or 1 ms: {within} of {off.Length}", within == off.Length);
    }

    private static Figure AtMost(string what, Row row, TimeSpan? value, int milliseconds, Row beside, TimeSpan? theirs)
    {
        string name = $"{what} by {row.Peer}: {row.Shape.Name}", bar = $"at most {milliseconds} ms";
        return value is { } ours
            ? new Figure(name, ours.Text(), $"{beside.Peer} {theirs.Text()}", bar, ours <= TimeSpan.FromMilliseconds(milliseconds))
            : Unmeasured(name, bar, row);
    }

    private static Figure Unmeasured(string name, string bar, params Row[] of) => new(
        name, string.Join("; ", of.Where(row => row.Runs.Count == 0).Select(row => $"{row.Peer}: {row.Trouble ?? "not in this run"}")),
        "", bar, null);

    private bool Has(TargetShape shape) => rows.Any(row => row.Shape == shape);

    private Row Of(TargetShape shape, string peer) =>
        rows.FirstOrDefault(row => row.Shape == shape && row.Peer == peer) ?? new Row(shape, peer);
}
