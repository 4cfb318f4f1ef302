#pragma warning disable CA2000 // The worker's socket is disposed of.
using Corelift.Capture.Supervision;
using Corelift.Capture.Worker;
using Corelift.Linux.Processes;

namespace Corelift.Capture;

/// <content>Ending in order, and looking whether work can be done at all.</content>
public sealed partial class CaptureEngine
{
    private static readonly TimeSpan s_workerPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(20);

    /// <summary>Number of targets that are held stopped under a lease.</summary>
    public int LeaseCount => _leases.Count;

    /// <summary>
    /// Takes nothing new, resumes everybody who is held at once, and waits for captures to end by themselves; then whatever is
    /// left is ended by <see cref="DisposeAsync"/>.
    /// </summary>
    /// <param name="grace">How long captures may go on, whose targets run.</param>
    /// <param name="cancellationToken">Ends the wait early.</param>
    /// <returns>Number of captures that did not end in time.</returns>
    public async Task<int> DrainAsync(TimeSpan grace, CancellationToken cancellationToken)
    {
        _registry.Close();
        await Task.WhenAll(_leases.Values.Select(lease => lease.ResumeAsync())).ConfigureAwait(false);
        long began = TimeProvider.System.GetTimestamp();
        while (ActiveCount > 0 && TimeProvider.System.GetElapsedTime(began) < grace && !cancellationToken.IsCancellationRequested)
        {
            await Task.Delay(s_look, CancellationToken.None).ConfigureAwait(false);
        }

        return ActiveCount;
    }

    /// <summary>Has a worker started that has nothing to do.</summary>
    /// <returns>Null where it started and ended as it should; otherwise why not, and what to do.</returns>
    public async Task<string?> TryWorkerAsync(CancellationToken cancellationToken)
    {
        try
        {
            RemoteWorker worker = await _supervisor.StartWorkerAsync(new WorkerRequest { Task = WorkerTask.Nothing }, null).ConfigureAwait(false);
            using MessageSocket socket = worker.Socket;
            if (await Task.WhenAny(worker.Ended, Task.Delay(s_workerPatience, CancellationToken.None)).ConfigureAwait(false) != worker.Ended)
            {
                worker.Kill();
            }

            WorkerEnd end = await worker.Ended.ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            return end.WaitStatus == 0
                ? null
                : $"a worker, started with nothing to do, did not end as it should ({ChildProcess.Describe(end.WaitStatus)}): see that {Program} is the agent's own program, and that memory and processes are not used up";
        }
        catch (CaptureException failure)
        {
            return $"no worker can be started from {Program} ({failure.Message}): put the program back, make it executable, and see that no limit on processes is reached";
        }
    }

    private static string Program => Environment.ProcessPath ?? "the program";
}
