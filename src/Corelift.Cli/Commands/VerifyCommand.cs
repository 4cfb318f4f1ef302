using System.CommandLine;
using System.Globalization;
using System.Text;
using Corelift.Elf;
using Spectre.Console;

namespace Corelift.Cli.Commands;

/// <summary>corelift verify</summary>
internal static class VerifyCommand
{
    private const int MostRanges = 20;

    internal static Command Create()
    {
        var path = new Argument<string>("CORE") { Description = "A core file, of Corelift or of anybody else" };
        var command = new Command("verify", "Check a core's structure, and print what it says of its own making.") { path };
        command.SetAction((parsed, cancellation) => Failures.GuardAsync(
            _ => Task.FromResult(Run(parsed.GetValue(path)!, parsed.GetValue(Arguments.Json))), cancellation));
        return command;
    }

    private static int Run(string path, bool json)
    {
        CoreVerification verification;
        try
        {
            using FileStream file = File.OpenRead(path);
            verification = CoreVerifier.Verify(file);
        }
        catch (CoreFormatException failure)
        {
            Console.Error.WriteLine($"corelift: {path} is no core: {TerminalText.Escape(failure.Message)}");
            return ExitCodes.Failed;
        }

        if (json)
        {
            PrintJson(path, verification);
        }
        else
        {
            Print(path, verification);
        }

        return verification.IsSound ? ExitCodes.Ok : ExitCodes.Failed;
    }

    private static void Print(string path, CoreVerification verification)
    {
        Console.Out.WriteLine($"{path}: {(verification.IsSound ? "sound" : "NOT sound")}");
        foreach (CoreFinding finding in verification.Findings)
        {
            Console.Out.WriteLine($"  {finding.Severity.ToString().ToLowerInvariant()}: {TerminalText.Escape(finding.Message)}");
        }

        if (verification.Record is { } record)
        {
            PrintRecord(record);
        }
    }

    private static void PrintRecord(SnapshotRecord record)
    {
        Table table = Tables.Create("", "");
        table.HideHeaders();
        void Row(string name, string value) => Tables.AddRow(table, name, value);
        Row("taken", $"{record.StoppedAt} on {record.Host} (Linux {record.Kernel})");
        Row("of", string.Create(CultureInfo.InvariantCulture, $"{record.Pid} {record.Executable}{(record.BuildId.Length > 0 ? $" (build-id {record.BuildId})" : "")}"));
        Row("strategy", $"{record.Strategy}, content {record.Content}");
        Row("pause", record.PauseNs is { } pause ? TerminalText.Time(TimeSpan.FromMicroseconds(pause / 1000.0)) + Phases(record) : "stopped under a lease");
        Row("skew", string.Create(CultureInfo.InvariantCulture, $"{TerminalText.Time(TimeSpan.FromMicroseconds(record.SkewNs / 1000.0))} over {record.ThreadStops.Count} threads"));
        if (record.Totals is { } totals)
        {
            Row("memory", string.Create(CultureInfo.InvariantCulture, $"{TerminalText.Bytes(totals.MemoryBytes)} in {totals.Chunks} chunks, digest {totals.Digest}"));
        }

        foreach (RecordInconsistency range in record.NotOfTheInstant.Take(MostRanges))
        {
            Row("not of the instant", $"{range.Start}-{range.End}: {range.Consistency}, {range.Why}");
        }

        foreach (RecordHole hole in record.Holes.Take(MostRanges))
        {
            Row("without bytes", $"{hole.Start}-{hole.End}: {hole.Reason}");
        }

        int more = Math.Max(0, record.NotOfTheInstant.Count - MostRanges) + Math.Max(0, record.Holes.Count - MostRanges);
        if (more > 0)
        {
            Row("", $"and {more} more ranges: see --json");
        }

        foreach (string warning in record.Warnings)
        {
            Row("warning", warning);
        }

        Tables.Print(table);
    }

    private static string Phases(SnapshotRecord record) => record.Phases.Count == 0
        ? string.Empty
        : " (" + string.Join(", ", record.Phases.Select(p => $"{p.Name} {TerminalText.Time(TimeSpan.FromMicroseconds(p.Ns / 1000.0))}")) + ")";

    private static void PrintJson(string path, CoreVerification verification) => JsonOutput.Print(writer =>
    {
        writer.WriteString("core", path);
        writer.WriteBoolean("sound", verification.IsSound);
        writer.WriteStartArray("findings");
        foreach (CoreFinding finding in verification.Findings)
        {
            writer.WriteStartObject();
            writer.WriteString("severity", finding.Severity.ToString().ToLowerInvariant());
            writer.WriteString("kind", finding.Kind);
            writer.WriteString("message", finding.Message);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WritePropertyName("record");
        writer.WriteRawValue(verification.Record is { } record ? Encoding.UTF8.GetString(record.ToJson()) : "null");
    });
}
