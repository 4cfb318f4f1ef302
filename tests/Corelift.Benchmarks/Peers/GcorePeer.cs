namespace Corelift.Benchmarks.Peers;

/// <summary>gdb's gcore on the target's own host.</summary>
internal sealed class GcorePeer() : Peer("gcore")
{
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(3);

    internal override Task<CaptureRun> CaptureAsync(BenchmarkRun run, LiveProcess target) => DumpAsync(run, target.Pid, LeastBytes(target));

    internal static async Task<CaptureRun> DumpAsync(BenchmarkRun run, int pid, long leastBytes)
    {
        string prefix = run.ScratchPath("gcore");
        (CommandResult result, TimedUsage usage) = await TimedCommand.RunAsync(run, s_bound, "gcore", "-o", prefix, $"{pid}");
        if (result.ExitCode != 0)
        {
            throw new TestingException($"exit code {result.ExitCode}: {result.Errors.LastLine()}");
        }

        RequireWhole([$"{prefix}.{pid}"], leastBytes);
        return new CaptureRun { Elapsed = result.Elapsed, Cpu = usage.Cpu, MemoryBytes = usage.PeakBytes };
    }
}
