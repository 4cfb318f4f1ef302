using System.Text;

namespace Corelift.Benchmarks.Page;

/// <summary>Tables that can be read in a terminal and as Markdown.</summary>
internal static class MarkdownTable
{
    internal static void Append(StringBuilder text, string[] head, IEnumerable<string[]> body)
    {
        string[][] rows = [head, .. body.Select(row => (string[])[.. row.Select(cell => cell.Replace("|", "\\|", StringComparison.Ordinal))])];
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
