using System.Globalization;
using System.Text.RegularExpressions;

namespace Corelift.Benchmarks.Peers;

/// <summary>
/// one_tracer.c: one thread of C that seizes, interrupts, awaits, reads the registers of and lets go every thread, and
/// nothing else. No core; it shows what the kernel asks for in a stop by one tracer thread.
/// </summary>
internal sealed partial class OneTracerPeer() : Peer("one tracer thread in C")
{
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(1);

    internal override async Task<CaptureRun> CaptureAsync(BenchmarkRun run, LiveProcess target)
    {
        (CommandResult result, TimedUsage usage) = await TimedCommand.RunAsync(
            run, s_bound, Path.Combine(Artifacts.Root, "artifacts/bench/one_tracer"), $"{target.Pid}");
        Match said = Said().Match(result.Output);
        return result.ExitCode == 0 && said.Success
            ? new CaptureRun
            {
                Elapsed = result.Elapsed,
                ReportedPause = Microseconds(said.Groups[1].Value),
                Skew = Microseconds(said.Groups[2].Value),
                Cpu = usage.Cpu,
                MemoryBytes = usage.PeakBytes,
                Note = "stop and registers only",
            }
            : throw new TestingException($"exit code {result.ExitCode}: {result.Errors.LastLine()}");
    }

    private static TimeSpan Microseconds(string text) => TimeSpan.FromMicroseconds(long.Parse(text, CultureInfo.InvariantCulture));

    [GeneratedRegex(@"pause_us=(\d+) skew_us=(\d+)")]
    private static partial Regex Said();
}
