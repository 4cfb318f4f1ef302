using System.Globalization;
using System.Text;
using Corelift.Benchmarks.Peers;

namespace Corelift.Benchmarks.Page;

/// <summary>The page of a run: the bars, the one table, and what each figure is.</summary>
internal static class ResultsPage
{
    internal const string Name = "RESULTS.md", PlotName = "pauses.svg";

    private const string Legend = """
        `pause` is the longer of two: what the program reports, and the largest gap between two clock reads of a thread of
        the target that does nothing else, less the time for which that thread could have run but waited for a CPU (the
        kernel's run_delay), among the gaps in which it was off its CPU at all. `gap` is the largest gap as it is, waits and
        the host's own pauses and all: the rows `no capture` say how long it gets by itself. `reported` and `skew` are what
        the program says. `CPU` and `memory` are those on the target's host: of the agent with its workers, or of the peer's
        program; not of the client. Each figure is the median of its repeats; p99 is by nearest rank, so the largest below
        100 repeats. Each repeat has a target of its own; targets have one CPU kept busy by the thread that looks at the
        clock. MB is 10^6 bytes.

        """;

    internal static void Write(BenchmarkRun run)
    {
        File.WriteAllText(Path.Combine(run.PageFolder.FullName, Name), ToMarkdown(run));
        File.WriteAllText(Path.Combine(run.PageFolder.FullName, PlotName), PausePlot.ToSvg(run.Rows));
    }

    internal static string ToMarkdown(BenchmarkRun run)
    {
        StringBuilder text = new("# Figures of `./run bench`\n\n");
        string end = string.Create(
            CultureInfo.InvariantCulture, $"duration: {run.Elapsed.TotalMinutes:0.0} minutes; load average at the end {Machine.LoadAverage()}");
        foreach (string fact in (string[])[.. run.Facts, end])
        {
            text.Append("- ").Append(fact).Append('\n');
        }

        AppendBars(text, run.Figures());
        if (run.Rows.Count > 0)
        {
            text.Append("\n## Captures\n\n![pauses](").Append(PlotName).Append(")\n\n").Append(Legend).Append('\n');
            AppendRows(text, run.Rows);
        }

        if (run.Redis.Count > 0)
        {
            RedisSection.Append(text, run.Redis);
        }

        if (run.Compression.Count > 0)
        {
            CompressionSection.Append(text, run.Compression);
        }

        if (run.Sealing.Count > 0)
        {
            SealingSection.Append(text, run.Sealing);
        }

        AppendFailures(text, run);
        return text.ToString();
    }

    private static void AppendBars(StringBuilder text, IReadOnlyList<Figure> figures)
    {
        if (figures.Count > 0)
        {
            text.Append("\n## Bars\n\n");
            MarkdownTable.Append(
                text, ["figure", "ours", "beside it", "bar: reached", ""],
                figures.Select(figure => (string[])[figure.Name, figure.Ours, figure.Beside, figure.Bar, figure.VerdictText]));
        }
    }

    private static void AppendRows(StringBuilder text, IReadOnlyList<Row> rows)
    {
        TimeSpan? Gcore(Row row) => rows.FirstOrDefault(other => other.Shape == row.Shape && other.Peer == "gcore")?.Pause;
        MarkdownTable.Append(
            text,
            ["target", "program", "repeats", "pause p50", "p99", "of gcore's", "gap p50", "max", "reported", "skew", "elapsed", "CPU", "memory", "notes"],
            rows.Select(row => Cells(row, Gcore(row))));
    }

    private static string[] Cells(Row row, TimeSpan? gcore)
    {
        string notes = string.Join("; ", row.Runs.Select(run => run.Note).Append(row.Trouble ?? "").Where(note => note.Length > 0).Distinct());
        IReadOnlyList<CaptureRun> runs = row.Runs;
        return runs.Count == 0
            ? [row.Shape.Name, row.Peer, "0", "", "", "", "", "", "", "", "", "", "", notes]
            :
            [
                row.Shape.Name, row.Peer, $"{runs.Count}", row.Pause.Text(), runs.Select(run => run.Pause).Percentile(0.99).Text(),
                gcore is { } theirs && row.Peer is not ("gcore" or "no capture") ? Numbers.Ratio(theirs, row.Pause ?? default) : "",
                runs.Select(run => run.Gap).Median().Text(), runs.Max(run => run.Gap).Text(), row.ReportedPause.Text(), row.Skew.Text(),
                row.Elapsed.Text(), row.Cpu.Text(), runs.Max(run => run.MemoryBytes) is { } bytes ? ((double)bytes).Megabytes() : "-", notes,
            ];
    }

    private static void AppendFailures(StringBuilder text, BenchmarkRun run)
    {
        string[] failures =
        [
            .. run.Failures, .. run.Rows.Where(row => row.Failed).Select(row => $"{row.Shape.Name}, {row.Peer}: {row.Trouble}"),
            .. run.Redis.Where(row => row.Failed).Select(row => $"redis, {row.Size}, {row.Who}: {row.Trouble}"),
        ];
        if (failures.Length > 0)
        {
            text.Append("\n## What failed in this run\n\n- ").AppendJoin("\n- ", failures).Append('\n');
        }
    }
}
