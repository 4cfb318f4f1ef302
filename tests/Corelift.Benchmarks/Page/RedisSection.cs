using System.Globalization;
using System.Text;

namespace Corelift.Benchmarks.Page;

/// <summary>What the clients of a redis saw.</summary>
internal static class RedisSection
{
    private const string Legend = """

        ## redis

        redis-server with values of 1 KiB under redis-benchmark: 16 clients on a Unix socket send SETs of random keys, each
        as soon as the one before is answered, so both CPUs are busy all the while. One capture in each load, which begins 2 s
        after it; latency is that of the whole load. Median of the repeats. redis-benchmark counts no latency above 3 s.


        """;

    internal static void Append(StringBuilder text, IReadOnlyList<RedisRow> rows)
    {
        text.Append(Legend);
        MarkdownTable.Append(
            text, ["data", "saved by", "repeats", "p50", "p99", "p99.9", "max", "requests/s", "pause reported", "elapsed", "notes"],
            rows.Select(Cells));
    }

    private static string[] Cells(RedisRow row)
    {
        string notes = string.Join("; ", row.Runs.Select(run => run.Note).Append(row.Trouble ?? "").Where(note => note.Length > 0).Distinct());
        return row.Runs.Count == 0
            ? [row.Size, row.Who, "0", "", "", "", "", "", "", "", notes]
            :
            [
                row.Size, row.Who, $"{row.Runs.Count}", row.Middle(run => run.Latency.P50).Text(), row.Middle(run => run.Latency.P99).Text(),
                row.Middle(run => run.Latency.P999).Text(), row.Middle(run => run.Latency.Max).Text(),
                string.Create(CultureInfo.InvariantCulture, $"{row.Runs.Average(run => run.Latency.RequestsPerSecond):#,0}"),
                row.Middle(run => run.Pause).Text(), row.Middle(run => run.CaptureElapsed).Text(), notes,
            ];
    }
}
