using System.Globalization;
using System.Text;

namespace Corelift.Benchmarks.Page;

/// <summary>What each packing costs and saves.</summary>
internal static class CompressionSection
{
    internal static void Append(StringBuilder text, IReadOnlyList<CompressionRow> rows)
    {
        text.Append("\n## Compression on the wire\n\nStrategy fork, to a core on disk; elapsed is the median of three.\n\n");
        MarkdownTable.Append(
            text, ["target", "compression", "elapsed over the socket", "memory", "on the wire", "at least, over 1 Gbit/s"],
            rows.Select(row => (string[])
            [
                row.Target, row.Compression, row.Elapsed.Text(), ((double)row.MemoryBytes).Megabytes(),
                string.Create(CultureInfo.InvariantCulture, $"{((double)row.WireBytes).Megabytes()} ({100.0 * row.WireBytes / row.MemoryBytes:0} %)"),
                row.OverGigabit.Text(),
            ]));
        text.Append(CultureInfo.InvariantCulture, $"\nLeast time over both targets: {Best(rows, row => row.Elapsed)} over the socket, ");
        text.Append(CultureInfo.InvariantCulture, $"{Best(rows, row => row.OverGigabit)} over 1 Gbit/s.\n");
    }

    private static string Best(IReadOnlyList<CompressionRow> rows, Func<CompressionRow, TimeSpan> cost) => rows.GroupBy(row => row.Compression)
        .MinBy(one => one.Sum(row => cost(row).TotalSeconds))!.Key;
}
