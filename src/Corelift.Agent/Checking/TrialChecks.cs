using System.Globalization;
using Corelift.Capture;
using Corelift.Capture.Reading;
using Corelift.Capture.Sessions;
using Corelift.Linux;

namespace Corelift.Agent.Checking;

/// <summary>Stops and captures a small process of its own with each strategy, through a worker, as for a client.</summary>
internal static class TrialChecks
{
    private const double MebiByte = 1 << 20;

    /// <summary>Tries all strategies. Where none works, the agent cannot; where some do, it is limited.</summary>
    internal static async Task<IReadOnlyList<CheckLine>> RunAsync(CaptureEngineOptions options, CancellationToken cancellationToken)
    {
        CaptureEngine engine = new(options);
        await using (engine.ConfigureAwait(false))
        {
            if (await engine.TryWorkerAsync(cancellationToken).ConfigureAwait(false) is { } problem)
            {
                return [CheckLine.Failed("worker", problem, "without workers nothing can be stopped")];
            }

            List<CheckLine> lines = [CheckLine.Ok("worker", "starts")];
            foreach (CaptureStrategy strategy in (CaptureStrategy[])[CaptureStrategy.Direct, CaptureStrategy.Fork, CaptureStrategy.Precopy])
            {
                lines.Add(await TryAsync(engine, strategy, cancellationToken).ConfigureAwait(false));
            }

            // A strategy alone is a limit; all of them are the end.
            return lines.Skip(1).All(line => line.State != CheckState.Ok)
                ? [lines[0], .. lines.Skip(1).Select(line => line with { State = CheckState.Failed })]
                : lines;
        }
    }

    private static async Task<CheckLine> TryAsync(CaptureEngine engine, CaptureStrategy strategy, CancellationToken cancellationToken)
    {
        string name = $"trial {strategy.ToString().ToLowerInvariant()}";
        try
        {
            using CheckTarget target = CheckTarget.Start(engine.Options.WorkerExecutable);
            (TimeSpan pause, int threads, long bytes) = await CaptureAsync(engine, target.Pid, strategy, cancellationToken).ConfigureAwait(false);
            return target.Runs()
                ? CheckLine.Ok(name, string.Create(CultureInfo.InvariantCulture, $"paused {pause.TotalMilliseconds:F2} ms, {threads} threads, {bytes / MebiByte:F0} MiB read"))
                : CheckLine.Failed(name, "the process did not run on", "this is a bug, or a kernel unlike any that was tried: please report it with this output");
        }
        catch (CaptureException failure)
        {
            return CheckLine.Limited(name, failure.Message, Remedy(failure.Failure));
        }
        catch (Exception failure) when (failure is SyscallException or IOException)
        {
            return CheckLine.Limited(name, $"could not be tried: {failure.Message}", "see that processes can be started, and that /proc is mounted");
        }
    }

    private static async Task<(TimeSpan Pause, int Threads, long Bytes)> CaptureAsync(
        CaptureEngine engine, int pid, CaptureStrategy strategy, CancellationToken cancellationToken)
    {
        var request = new CaptureRequest
        {
            Strategy = strategy,
            StopBudget = engine.Options.DefaultStopBudget,
            PauseCopyLimitBytes = engine.Options.DefaultPauseCopyLimitBytes,
            PrecopyCopyLimitBytes = engine.Options.DefaultPrecopyCopyLimitBytes,
        };
        CaptureUnderWay capture = await engine.BeginAsync(new ProcessRef(pid, 0), request, cancellationToken).ConfigureAwait(false);
        await using (capture.ConfigureAwait(false))
        {
            while (capture.Live is { } live && live.WantsRound())
            {
                _ = Count(live.ReadRound());
            }

            SnapshotSession session = await capture.TakeInstantAsync(cancellationToken).ConfigureAwait(false);
            await using (session.ConfigureAwait(false))
            {
                long bytes = Count(session.Reader.Read());
                bytes += session.Rounds.Sum(round => (long)round.MemoryBytes);
                return (session.Pause ?? TimeSpan.Zero, session.ThreadCount, bytes);
            }
        }
    }

    private static long Count(IEnumerable<MemoryPart> parts) => parts.Sum(part => (long)part.Bytes.Length);

    private static string Remedy(CaptureFailure failure) => failure switch
    {
        CaptureFailure.DeniedByKernel => "see capabilities, Yama and security modules above",
        CaptureFailure.PrecopyNotPossible => "see the kernel features above; fork and direct do without",
        CaptureFailure.ForkRefused => "see overcommit above, and the limits on processes of this cgroup (pids.max)",
        CaptureFailure.StopBudgetOverrun => "the host is too busy: try again, or raise --default-stop-budget",
        _ => "clients get this error, too, for targets like this one",
    };
}
