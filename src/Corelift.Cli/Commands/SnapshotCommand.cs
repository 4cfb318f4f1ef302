using System.CommandLine;
using System.Globalization;
using Corelift.Client;
using Corelift.V1;

namespace Corelift.Cli.Commands;

/// <summary>corelift snapshot</summary>
internal static class SnapshotCommand
{
    private static readonly Argument<string?> s_target = new("PID|NAME")
    {
        Description = "A process by its pid, or by a name that only one has",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> s_lease = new("--lease") { Description = "Capture the process that is stopped under this lease; it stays stopped", HelpName = "LEASE" };
    private static readonly Option<string?> s_output = new("--output", "-o") { Description = "The core's file, or - for standard output (default: core.NAME.PID)", HelpName = "FILE" };
    private static readonly Option<bool> s_force = new("--force") { Description = "Replace a file of that name" };
    private static readonly Option<Strategy> s_strategy = Arguments.StrategyOption();
    private static readonly Option<Content> s_content = Arguments.ContentOption();
    private static readonly Option<Compression> s_compression = Arguments.CompressionOption();
    private static readonly Option<TimeSpan?> s_budget = Arguments.Time("--stop-budget", "Longest time the process may be stopped (500ms, 2s)");

    internal static Command Create()
    {
        var command = new Command("snapshot", "Lift a core out of a running process.")
        {
            s_target, s_lease, s_output, s_strategy, s_content, s_budget, s_compression, s_force,
        };
        command.SetAction((parsed, cancellation) => Failures.GuardAsync(token => RunAsync(parsed, token), cancellation));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        await using CoreliftClient client = Arguments.Connect(parsed);
        string? lease = parsed.GetValue(s_lease);
        string? text = parsed.GetValue(s_target);
        if ((lease is null) == (text is null))
        {
            throw new UsageException("name one process, or a lease with --lease");
        }

        ProcessRef? target = text is null ? null : await TargetFinder.FindAsync(client, text, cancellation);
        string output = parsed.GetValue(s_output) ?? await DefaultNameAsync(client, target, cancellation);
        bool json = parsed.GetValue(Arguments.Json);
        if (output == "-" && json)
        {
            throw new UsageException("standard output cannot take both the core (-o -) and --json");
        }

        using Stream? pipe = output == "-" ? Console.OpenStandardOutput() : null;
        using var progress = ProgressBar.Create();
        SnapshotResult result = await client.SnapshotAsync(
            new SnapshotRequest
            {
                Target = target,
                LeaseId = lease,
                Strategy = parsed.GetValue(s_strategy),
                Content = parsed.GetValue(s_content),
                Compression = parsed.GetValue(s_compression),
                StopBudget = parsed.GetValue(s_budget),
            },
            pipe is null ? SnapshotDestination.ToFile(output, parsed.GetValue(s_force)) : SnapshotDestination.ToStream(pipe),
            progress,
            cancellation);
        progress?.Clear();
        if (json)
        {
            PrintJson(result);
        }
        else
        {
            Print(result, pipe is null ? Console.Out : Console.Error);
        }

        return ExitCodes.Ok;
    }

    private static async Task<string> DefaultNameAsync(CoreliftClient client, ProcessRef? target, CancellationToken cancellation)
    {
        if (target is null)
        {
            throw new UsageException("say with -o where the core of a lease goes");
        }

        Process process = await client.GetProcessAsync(target, cancellation);
        string name = string.Concat(process.Summary.Name.Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' ? c : '_'));
        return string.Create(CultureInfo.InvariantCulture, $"core.{name.TrimStart('.')}.{process.Summary.Ref.Pid}");
    }

    private static void Print(SnapshotResult result, TextWriter writer)
    {
        ProcessSummary process = result.Process.Summary;
        string name = TerminalText.Escape(process.Name);
        writer.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{name} ({process.Ref.Pid}): {result.ThreadCount} threads, {TerminalText.Bytes(result.CapturedBytes)} of memory, strategy {result.Strategy.ToString().ToLowerInvariant()}"));
        writer.WriteLine(result.Pause is { } pause
            ? $"paused {TerminalText.Time(pause)}, skew {TerminalText.Time(result.Skew)}; all done in {TerminalText.Time(result.Elapsed)}"
            : $"it stays stopped under its lease; skew {TerminalText.Time(result.Skew)}; all done in {TerminalText.Time(result.Elapsed)}");
        foreach (string warning in result.Warnings)
        {
            writer.WriteLine("warning: " + TerminalText.Escape(warning));
        }

        if (result.Path is not null)
        {
            writer.WriteLine($"core     {result.Path}");
            writer.WriteLine($"try      gdb -q {TerminalText.Escape(result.Process.Executable)} {result.Path}");
        }
    }

    private static void PrintJson(SnapshotResult result) => JsonOutput.Print(writer =>
    {
        writer.WriteString("core", result.Path);
        writer.WriteNumber("pid", result.Process.Summary.Ref.Pid);
        writer.WriteNumber("start_time_ticks", result.Process.Summary.Ref.StartTimeTicks);
        writer.WriteString("name", result.Process.Summary.Name);
        writer.WriteString("executable", result.Process.Executable);
        writer.WriteString("strategy", result.Strategy.ToString().ToLowerInvariant());
        writer.WriteStrings("reasons", result.Plan.Reasons);
        writer.WriteString("content", result.Plan.Content.ToString().ToLowerInvariant());
        writer.WriteNumber("threads", result.ThreadCount);
        writer.WriteNumber("vmas", result.VmaCount);
        writer.WriteNumber("regions", result.RegionCount);
        writer.WriteNumber("bytes_captured", result.CapturedBytes);
        writer.WriteNumber("bytes_on_wire", result.PackedBytes);
        writer.WriteNumber("hole_bytes", result.HoleBytes);
        writer.WriteNumber("file_bytes", result.FileLengthBytes);
        if (result.Pause is { } pause)
        {
            writer.WriteNumber("pause_us", (long)pause.TotalMicroseconds);
        }
        else
        {
            writer.WriteNull("pause_us");
        }

        writer.WriteNumber("skew_us", (long)result.Skew.TotalMicroseconds);
        writer.WriteNumber("elapsed_ms", (long)result.Elapsed.TotalMilliseconds);
        writer.WriteString("digest", result.Digest.ToString("x16", CultureInfo.InvariantCulture));
        writer.WriteString("capture_id", result.Record.CaptureId);
        writer.WriteStrings("warnings", result.Warnings);
    });
}
