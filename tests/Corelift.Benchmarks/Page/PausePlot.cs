using System.Globalization;
using System.Net;
using System.Text;

namespace Corelift.Benchmarks.Page;

/// <summary>The pauses as bars on a logarithmic scale: a picture of the one table, written by hand.</summary>
internal static class PausePlot
{
    private const int Width = 900, LabelWidth = 190, ValueWidth = 90, BarHeight = 16, Gap = 4, TitleHeight = 28, Margin = 12;
    private const double LeastMilliseconds = 0.01;

    internal static string ToSvg(IReadOnlyList<Row> rows)
    {
        Row[] measured = [.. rows.Where(row => row.Pause is not null)];
        IGrouping<TargetShape, Row>[] groups = [.. measured.GroupBy(row => row.Shape)];
        int height = (2 * Margin) + (groups.Length * TitleHeight) + (measured.Length * (BarHeight + Gap)) + TitleHeight;
        double most = Math.Max(10 * LeastMilliseconds, measured.Select(row => row.Pause!.Value.TotalMilliseconds).DefaultIfEmpty().Max());
        StringBuilder svg = new();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{Width}\" height=\"{height}\"");
        svg.Append(" font-family=\"sans-serif\" font-size=\"12\">\n");
        svg.Append("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
        AppendScale(svg, most, height);
        int y = Margin;
        foreach (IGrouping<TargetShape, Row> group in groups)
        {
            AppendText(svg, Margin, y + 18, group.Key.Name, "start", " font-weight=\"bold\"");
            y += TitleHeight;
            foreach (Row row in group)
            {
                AppendBar(svg, row, y, most);
                y += BarHeight + Gap;
            }
        }

        return svg.Append("</svg>\n").ToString();
    }

    /// <summary>Length of a bar in pixels; anything at or below 10 µs has none.</summary>
    internal static double Length(double milliseconds, double most)
    {
        double share = Math.Log10(Math.Max(LeastMilliseconds, milliseconds) / LeastMilliseconds) / Math.Log10(most / LeastMilliseconds);
        return share * (Width - LabelWidth - ValueWidth - Margin);
    }

    private static void AppendScale(StringBuilder svg, double most, int height)
    {
        for (double tick = LeastMilliseconds; tick <= most; tick *= 10)
        {
            double x = LabelWidth + Length(tick, most);
            svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{x:0.0}\" x2=\"{x:0.0}\" y1=\"{Margin}\" y2=\"{height - TitleHeight}\" stroke=\"#ddd\"/>\n");
            AppendText(svg, x, height - Margin, string.Create(CultureInfo.InvariantCulture, $"{tick:0.##} ms"), "middle", " fill=\"#666\"");
        }
    }

    private static void AppendBar(StringBuilder svg, Row row, int y, double most)
    {
        TimeSpan pause = row.Pause!.Value;
        double length = Length(pause.TotalMilliseconds, most);
        string colour = row.Peer switch
        {
            "precopy" or "auto" or "fork" or "direct" => "#2a7f62",
            "no capture" => "#bbbbbb",
            _ => "#c0562f",
        };
        AppendText(svg, LabelWidth - 6, y + 12, row.Peer, "end", "");
        svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{LabelWidth}\" y=\"{y}\" width=\"{length:0.0}\" height=\"{BarHeight}\" fill=\"{colour}\"/>\n");
        AppendText(svg, LabelWidth + length + 6, y + 12, pause.Text(), "start", "");
    }

    private static void AppendText(StringBuilder svg, double x, double y, string text, string anchor, string more) =>
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{x:0.0}\" y=\"{y:0.0}\" text-anchor=\"{anchor}\"{more}>{WebUtility.HtmlEncode(text)}</text>\n");
}
