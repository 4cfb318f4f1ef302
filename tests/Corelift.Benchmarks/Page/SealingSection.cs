using System.Text;

namespace Corelift.Benchmarks.Page;

/// <summary>What sealing costs.</summary>
internal static class SealingSection
{
    internal static void Append(StringBuilder text, IReadOnlyList<SealingRow> rows)
    {
        text.Append("\n## Sealing\n\nStrategy fork, one recipient, to a disk; elapsed is the median of three.\n\n");
        MarkdownTable.Append(
            text, ["way", "memory", "elapsed", "memory a second"],
            rows.Select(row => (string[])
                [row.Way, ((double)row.MemoryBytes).Megabytes(), row.Elapsed.Text(), (row.MemoryBytes / row.Elapsed.TotalSeconds).Megabytes()]));
    }
}
