using System.Text.Json;
using Corelift.Client;

namespace Corelift.Cli.Output;

/// <summary>What is said of a snapshot that succeeded.</summary>
internal static class SnapshotReport
{
    internal static void Print(CliConsole console, TextWriter report, SnapshotResult result, string? path)
    {
        string pause = result.Pause is { } time ? $"paused for {Units.Time(time)}" : "left stopped under its lease";
        double seconds = Math.Max(result.Elapsed.TotalSeconds, 0.001);
        string core = path ?? "standard output";
        string name = result.Process.Summary?.Name ?? "";
        Say($"{name} (pid {result.Record.Pid}): {Units.Count(result.ThreadCount, "thread")}, "
            + $"{Units.Count(result.RegionCount, "region")}, by {result.Record.Strategy}"
            + (result.Rounds.Count == 0 ? "" : $" in {Units.Count(result.Rounds.Count, "live round")}"));
        Say($"{pause}; its threads stopped within {Units.Time(result.Skew)}");
        Say($"{core}: {Units.Size(result.CapturedBytes)} of memory in {Units.Time(result.Elapsed)} ({Units.Size(result.CapturedBytes / seconds)}/s)");
        if (path is not null)
        {
            Say($"next: gdb -q {Quote(WithoutDeleted(result.Process.Executable))} -c {Quote(path)}");
        }

        if (result.IsPartial)
        {
            console.Error.WriteLine($"corelift: the core is PARTIAL, memory is missing: {TerminalText.Escape(result.PartialBecause)}");
        }

        foreach (string warning in result.Warnings)
        {
            console.Error.WriteLine($"warning: {TerminalText.Escape(warning)}");
        }

        void Say(string line) => report.WriteLine(TerminalText.Escape(line));
    }

    internal static void WriteJson(Utf8JsonWriter writer, SnapshotResult result)
    {
        writer.WriteString("core", result.Path ?? "-");
        writer.WriteBoolean("partial", result.IsPartial);
        writer.WriteString("partial_because", result.PartialBecause);
        writer.WriteNumber("pid", result.Record.Pid);
        writer.WriteString("name", result.Process.Summary?.Name ?? "");
        writer.WriteString("executable", result.Process.Executable);
        writer.WriteString("build_id", result.Process.BuildId);
        writer.WriteString("capture_id", result.Record.CaptureId);
        writer.WriteString("strategy", result.Record.Strategy);
        writer.WriteString("content", result.Record.Content);
        writer.WriteStrings("reasons", result.Record.Reasons);
        writer.WriteNumber("threads", result.ThreadCount);
        writer.WriteNumber("vmas", result.VmaCount);
        writer.WriteNumber("regions", result.RegionCount);
        writer.WriteNumber("bytes_captured", result.CapturedBytes);
        writer.WriteNumber("bytes_received", result.ReceivedBytes);
        writer.WriteNumber("bytes_packed", result.PackedBytes);
        writer.WriteNumber("bytes_in_holes", result.HoleBytes);
        writer.WriteNumber("core_bytes", result.FileLengthBytes);
        writer.WriteNumber("unreferenced_bytes", result.Record.UnreferencedBytes);
        writer.WriteString("stopped_at", result.Record.StoppedAt);
        writer.WriteMicroseconds("pause_us", result.Pause);
        writer.WriteMicroseconds("skew_us", result.Skew);
        writer.WriteMicroseconds("setup_us", result.Setup);
        writer.WriteStartArray("phases");
        foreach (Elf.RecordPhase phase in result.Record.Phases)
        {
            writer.WriteStartObject();
            writer.WriteString("name", phase.Name);
            writer.WriteMicroseconds("us", Units.FromNanoseconds(phase.Ns));
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteStartArray("rounds");
        foreach (Elf.RecordRound round in result.Rounds)
        {
            writer.WriteStartObject();
            writer.WriteNumber("round", round.Round);
            writer.WriteNumber("bytes", round.MemoryBytes);
            writer.WriteMicroseconds("us", Units.FromNanoseconds(round.Ns));
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteNumber("elapsed_ms", (long)result.Elapsed.TotalMilliseconds);
        writer.WriteString("digest", $"xxh3:{result.Digest:x16}");
        writer.WriteStrings("warnings", result.Warnings);
    }

    private static string WithoutDeleted(string executable) =>
        executable.EndsWith(" (deleted)", StringComparison.Ordinal) ? executable[..^" (deleted)".Length] : executable;

    /// <summary>Quotes for a shell where it is needed.</summary>
    private static string Quote(string text) =>
        text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || "/._-+:@%,=".Contains(c, StringComparison.Ordinal))
            ? text
            : $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
