using System.Globalization;
using System.Text;

namespace Corelift.Benchmarks;

/// <summary>The tables of a run, readable in a terminal and as Markdown.</summary>
internal sealed class Report(IReadOnlyList<string> facts, IReadOnlyList<Figure> figures, IReadOnlyList<CompressionRow> compression)
{
    internal string ToMarkdown()
    {
        StringBuilder text = new("# Figures of `./run bench`\n\n");
        foreach (string fact in facts)
        {
            text.Append("- ").Append(fact).Append('\n');
        }

        text.Append("\nEach figure is the median of its repeats, with the smallest and the largest in brackets. MB is 10^6 bytes.\n\n");
        if (figures.Count > 0)
        {
            AppendFigures(text);
        }

        if (compression.Count > 0)
        {
            AppendCompression(text);
        }

        return text.ToString();
    }

    private void AppendFigures(StringBuilder text) =>
        AppendTable(
            text, ["figure", "ours", "beside it", "bar", ""],
            figures.Select(figure => (string[])[figure.Name, figure.Ours, figure.Beside, figure.Bar, figure.Passed ? "pass" : "FAIL"]));

    private void AppendCompression(StringBuilder text)
    {
        text.Append("\n## Compression on the wire\n\nOf 512 MiB targets, strategy fork, to a core on disk; elapsed is the median of three.\n\n");
        AppendTable(
            text, ["target", "compression", "elapsed over the socket", "memory", "on the wire", "at least, over 1 Gbit/s"],
            compression.Select(row => (string[])
            [
                row.Target, row.Compression, row.Elapsed.Text(), ((double)row.MemoryBytes).Megabytes(),
                string.Create(CultureInfo.InvariantCulture, $"{((double)row.WireBytes).Megabytes()} ({100.0 * row.WireBytes / row.MemoryBytes:0} %)"),
                row.OverGigabit.Text(),
            ]));
        text.Append(CultureInfo.InvariantCulture, $"\nLeast time over both targets: {Best(row => row.Elapsed)} over the socket, ");
        text.Append(CultureInfo.InvariantCulture, $"{Best(row => row.OverGigabit)} over 1 Gbit/s.\n");
    }

    private string Best(Func<CompressionRow, TimeSpan> cost) => compression.GroupBy(row => row.Compression)
        .MinBy(rows => rows.Sum(row => cost(row).TotalSeconds))!.Key;

    private static void AppendTable(StringBuilder text, string[] head, IEnumerable<string[]> body)
    {
        string[][] rows = [head, .. body];
        int[] widths = [.. Enumerable.Range(0, head.Length).Select(column => Math.Max(3, rows.Max(row => row[column].Length)))];
        for (int i = 0; i < rows.Length; i++)
        {
            text.Append("| ").AppendJoin(" | ", rows[i].Select((cell, column) => cell.PadRight(widths[column]))).Append(" |\n");
            if (i == 0)
            {
                text.Append('|').AppendJoin('|', widths.Select(width => new string('-', width + 2))).Append("|\n");
            }
        }
    }
}
