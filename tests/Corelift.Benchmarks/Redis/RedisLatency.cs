using System.Globalization;
using System.Text.RegularExpressions;

namespace Corelift.Benchmarks;

/// <summary>Latency of requests as redis-benchmark saw it.</summary>
/// <param name="P50">Half of the requests took no longer.</param>
/// <param name="P99">99 % of them.</param>
/// <param name="P999">99.9 % of them.</param>
/// <param name="Max">All of them. redis-benchmark knows no more than 3 s: longer ones are 3 s here.</param>
/// <param name="RequestsPerSecond">Over the whole load.</param>
internal sealed partial record RedisLatency(TimeSpan P50, TimeSpan P99, TimeSpan P999, TimeSpan Max, double RequestsPerSecond)
{
    /// <summary>Reads the long output of one test.</summary>
    /// <exception cref="FormatException">It has no table of latencies by percentile.</exception>
    internal static RedisLatency Parse(string output)
    {
        (double Milliseconds, long Count)[] steps =
        [
            .. Step().Matches(output).Select(step => (Number(step.Groups[1].Value), long.Parse(step.Groups[2].Value, CultureInfo.InvariantCulture))),
        ];
        Match total = Total().Match(output);
        if (steps.Length == 0 || !total.Success)
        {
            throw new FormatException($"redis-benchmark printed no latencies: {output.LastLine()}");
        }

        long all = steps.Max(step => step.Count);
        return new RedisLatency(At(0.5), At(0.99), At(0.999), At(1), Number(total.Groups[1].Value) / Number(total.Groups[2].Value));

        TimeSpan At(double share) => TimeSpan.FromMilliseconds(steps.First(step => step.Count >= share * all).Milliseconds);
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^[\d.]+% <= ([\d.]+) milliseconds \(cumulative count (\d+)\)", RegexOptions.Multiline)]
    private static partial Regex Step();

    [GeneratedRegex(@"(\d+) requests completed in ([\d.]+) seconds")]
    private static partial Regex Total();
}

/// <summary>A load with one capture in it, or with none.</summary>
internal sealed record RedisRun(RedisLatency Latency, TimeSpan? Pause, TimeSpan? CaptureElapsed, string Note);

/// <summary>One line of the table: a data set through a way of saving it, with all its repeats.</summary>
internal sealed class RedisRow(int gibibytes, string who)
{
    internal string Who { get; } = who;

    internal string Size { get; } = $"{gibibytes} GiB";

    internal List<RedisRun> Runs { get; } = [];

    internal string? Trouble { get; set; }

    internal bool Failed { get; set; }

    internal TimeSpan? Middle(Func<RedisRun, TimeSpan?> of)
    {
        TimeSpan[] values = [.. Runs.Select(of).OfType<TimeSpan>()];
        return values.Length == 0 ? null : values.Median();
    }
}
