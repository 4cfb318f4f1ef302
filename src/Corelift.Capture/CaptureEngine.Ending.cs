using Corelift.Linux;
using Corelift.Linux.Processes;

namespace Corelift.Capture;

/// <content>Ending in order, and looking whether work can be done at all.</content>
public sealed partial class CaptureEngine
{
    private const int NothingToDo = 2; // how a worker ends that was given no request
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

    /// <summary>Starts a worker that has nothing to do.</summary>
    /// <returns>Null where it started and ended as it should; otherwise why not, and what to do.</returns>
    public async Task<string?> TryWorkerAsync(CancellationToken cancellationToken)
    {
        try
        {
            (MessageSocket ours, MessageSocket theirs) = MessageSocket.CreatePair();
            ChildProcess worker;
            using (ours)
            using (theirs)
            {
                worker = ChildProcess.Start(_options.WorkerExecutable, [_options.WorkerExecutable, "worker"], theirs);
            }

            long began = TimeProvider.System.GetTimestamp();
            while (!worker.TryReap())
            {
                if (TimeProvider.System.GetElapsedTime(began) > s_workerPatience)
                {
                    worker.Kill();
                }

                await Task.Delay(s_look, CancellationToken.None).ConfigureAwait(false);
            }

            cancellationToken.ThrowIfCancellationRequested();
            return worker.ExitStatus == NothingToDo
                ? null
                : $"a worker, started with nothing to do, did not end as it should ({worker.DescribeEnd()}): see that {_options.WorkerExecutable} is the agent's own program, and that memory and processes are not used up";
        }
        catch (SyscallException failure)
        {
            return $"no worker can be started from {_options.WorkerExecutable} ({failure.Message}): put the program back, make it executable, and see that no limit on processes is reached";
        }
    }
}
