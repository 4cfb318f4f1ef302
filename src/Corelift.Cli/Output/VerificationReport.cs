using Corelift.Elf;

namespace Corelift.Cli.Output;

/// <summary>What is said of a core: findings, and how it was taken.</summary>
internal static class VerificationReport
{
    private const int MostRanges = 20;
    private const int MostRounds = 8;

    internal static void Print(CliSession session, string path, long lengthBytes, CoreVerification verification)
    {
        string verdict = verification switch
        {
            { IsSound: false } => "NOT SOUND",
            { Record.IsPartial: true } => "PARTIAL: sound, but memory is missing",
            { Record: null } => "sound",
            _ => "whole and sound",
        };
        session.Print($"{path}: {verdict} ({Units.Size(lengthBytes)})");
        foreach (CoreFinding finding in verification.Findings)
        {
            session.Print($"  {SeverityWord(finding.Severity)}: {finding.Message} [{finding.Kind}]");
        }

        if (verification.Record is { } record)
        {
            Print(session, record);
        }
    }

    internal static void PrintJson(TextWriter output, string path, CoreVerification verification) => JsonOutput.Print(output, writer =>
    {
        writer.WriteString("core", path);
        writer.WriteBoolean("sound", verification.IsSound);
        writer.WriteBoolean("partial", verification.Record?.IsPartial ?? false);
        writer.WriteStartArray("findings");
        foreach (CoreFinding finding in verification.Findings)
        {
            writer.WriteStartObject();
            writer.WriteString("severity", SeverityWord(finding.Severity));
            writer.WriteString("kind", finding.Kind);
            writer.WriteString("message", finding.Message);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        if (verification.Record is { } record)
        {
            writer.WritePropertyName("record");
            writer.WriteRawValue(record.ToJson());
        }
        else
        {
            writer.WriteNull("record");
        }
    });

    private static string SeverityWord(CoreFindingSeverity severity) => severity switch
    {
        CoreFindingSeverity.Error => "error",
        CoreFindingSeverity.Warning => "warning",
        _ => "note",
    };

    private static void Print(CliSession session, SnapshotRecord record)
    {
        string phases = string.Join(", ", record.Phases.Select(phase => $"{phase.Name} {Units.Time(Units.FromNanoseconds(phase.Ns))}"));
        string pause = record.PauseNs is { } nanoseconds ? Units.Time(Units.FromNanoseconds(nanoseconds)) : "held under a lease";
        Tables.PrintFacts(
            session.Console,
            ("taken by", record.ToolVersion),
            ("capture", record.CaptureId),
            ("stopped at", record.StoppedAt),
            ("on", string.Join(", ", new[] { record.Host, record.Kernel }.Where(text => text.Length > 0))),
            ("process", $"pid {record.Pid}  {record.Executable}"),
            ("build-id", record.BuildId),
            ("pod", record.Pod is { } pod ? $"{pod.Namespace}/{pod.Name}  container {pod.Container}  node {pod.Node}  uid {pod.Uid}" : ""),
            ("image", record.Pod is { } inPod ? inPod.ImageDigest.Length > 0 ? inPod.ImageDigest : inPod.Image : ""),
            ("strategy", record.Strategy),
            ("content", record.Content),
            ("pause", phases.Length == 0 ? pause : $"{pause} ({phases})"),
            ("live rounds", Rounds(record)),
            ("skew", Units.Time(Units.FromNanoseconds(record.SkewNs))),
            ("threads", Threads(record)),
            ("memory", record.Totals is { } totals
                ? $"{Units.Size(totals.MemoryBytes)} in {Units.Count((long)Math.Min(totals.Chunks, long.MaxValue), "chunk")}, digest xxh3:{totals.Digest:x16}"
                : "unknown: the snapshot did not come to its end"),
            ("in no segment", record.UnreferencedBytes == 0
                ? ""
                : $"{Units.Size(record.UnreferencedBytes)} of zeros, where live memory was that was gone at the instant"));
        PrintAll(session, "because", record.Reasons, record.Omitted?.Reasons);
        PrintAll(session, "warning", record.Warnings, record.Omitted?.Warnings);
        PrintRanges(
            session,
            "not of the instant",
            [.. record.NotOfTheInstant.Select(range => $"0x{range.Start:x}-0x{range.End:x}  {Units.Size(range.End - (double)range.Start)}  {range.Consistency}: {range.Why}")],
            record.Omitted?.NotOfTheInstant);
        PrintRanges(
            session,
            "without bytes",
            [.. record.Holes.Select(range => $"0x{range.Start:x}-0x{range.End:x}  {Units.Size(range.End - (double)range.Start)}  {range.Reason}")],
            record.Omitted?.Holes);
    }

    private static string Rounds(SnapshotRecord record) => record.Rounds.Count == 0
        ? ""
        : $"{record.Rounds.Count + (record.Omitted?.Rounds ?? 0)}: " + string.Join(", ", record.Rounds.Take(MostRounds).Select(
            round => $"{Units.Size(round.MemoryBytes)} in {Units.Time(Units.FromNanoseconds(round.Ns))}"))
            + (record.Rounds.Count > MostRounds ? " ..." : "");

    private static string Threads(SnapshotRecord record)
    {
        if (record.ThreadStops.Count == 0)
        {
            return "";
        }

        RecordThreadStop first = record.ThreadStops.MinBy(stop => stop.StoppedAfterNs)!;
        RecordThreadStop last = record.ThreadStops.MaxBy(stop => stop.StoppedAfterNs)!;
        return $"{Units.Count(record.ThreadStops.Count + (record.Omitted?.ThreadStops ?? 0), "thread")}, stopped after "
            + $"{Stopped(first)} to {Stopped(last)}";

        static string Stopped(RecordThreadStop stop) =>
            $"{Units.Time(Units.FromNanoseconds(stop.StoppedAfterNs))} ({stop.Name}, tid {stop.Tid})";
    }

    private static void PrintAll(CliSession session, string word, IReadOnlyList<string> sentences, int? omitted)
    {
        foreach (string sentence in sentences)
        {
            session.Print($"{word}: {sentence}");
        }

        if (omitted > 0)
        {
            session.Print($"{word}: and {omitted} more that found no room in the note");
        }
    }

    private static void PrintRanges(CliSession session, string title, string[] lines, int? omitted)
    {
        int count = lines.Length + (omitted ?? 0);
        session.Print($"{title}: {(count == 0 ? "nothing" : Units.Count(count, "range"))}");
        foreach (string line in lines.Take(MostRanges))
        {
            session.Print($"  {line}");
        }

        if (count > MostRanges)
        {
            session.Print($"  ... {Units.Count(count - Math.Min(lines.Length, MostRanges), "more range")}; all that the note holds: --json");
        }
    }
}
