namespace Corelift.Benchmarks;

/// <summary>What a redis that we capture promises to its clients.</summary>
internal static class RedisBars
{
    internal static IEnumerable<Figure> Of(IReadOnlyList<RedisRow> rows)
    {
        RedisRow nobody = rows.Single(row => row.Who == RedisSaver.Nobody.Name);
        foreach (RedisRow ours in rows.Where(row => row.Who.EndsWith("auto", StringComparison.Ordinal)))
        {
            string name = $"redis, {ours.Size}, {ours.Who}";
            TimeSpan? pause = ours.Middle(run => run.Pause);
            TimeSpan? tail = ours.Middle(run => run.Latency.P999), calm = nobody.Middle(run => run.Latency.P999);
            TimeSpan? max = ours.Middle(run => run.Latency.Max), calmMax = nobody.Middle(run => run.Latency.Max), bar = (2 * calm) + pause;
            yield return new Figure(
                $"{name}: p99.9", tail.Text(), $"no snapshot {calm.Text()}, pause {pause.Text()}",
                $"at most twice that with no snapshot plus the pause: {Excess(tail, bar)}", tail is null || bar is null ? null : tail <= bar);
            yield return new Figure(
                $"{name}: max, median of {ours.Runs.Count}", max.Text(), $"no snapshot {calmMax.Text()}, pause {pause.Text()}",
                $"at most twice that with no snapshot: {Excess(max, 2 * calmMax)}", max is null || calmMax is null ? null : max <= 2 * calmMax);
        }
    }

    private static string Excess(TimeSpan? ours, TimeSpan? bar) => ours is { } value && bar is { } limit ? $"{value.Text()} of {limit.Text()}" : "-";
}
