using System.Globalization;
using Corelift.Linux;

namespace Corelift.Capture.Sessions;

/// <summary>Who is being stopped or captured: each target once, and not more at once than allowed.</summary>
internal sealed class TargetRegistry
{
    /// <summary>Time that a call waits for another to end; ending one takes milliseconds, or that of its last write.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly HashSet<int> _busy = [];
    private readonly int _most;
    private TaskCompletionSource _givenBack = NewSignal();
    private bool _closed;

    internal TargetRegistry(int most) => _most = most;

    /// <summary>Number of targets in hand.</summary>
    internal int Count
    {
        get
        {
            lock (_lock)
            {
                return _busy.Count;
            }
        }
    }

    /// <summary>
    /// Takes a target; dispose what is returned to give it back. One that is taken is waited for a moment: a client that
    /// cancelled its call, or went, asks for the next before the agent has ended the first.
    /// </summary>
    /// <exception cref="CaptureException">It stays taken, the limit is reached, or the agent is shutting down.</exception>
    /// <exception cref="OperationCanceledException">Cancelled while waiting.</exception>
    internal async Task<IDisposable> TakeAsync(ProcessRef target, CancellationToken cancellationToken)
    {
        long began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            Task givenBack;
            lock (_lock)
            {
                if (_closed)
                {
                    throw new CaptureException(CaptureFailure.ShuttingDown, "the agent is shutting down: ask the one that replaces it");
                }

                if (!_busy.Contains(target.Pid))
                {
                    return TakeFree(target);
                }

                givenBack = _givenBack.Task;
            }

            TimeSpan left = Patience - TimeProvider.System.GetElapsedTime(began);
            if (left <= TimeSpan.Zero)
            {
                throw new CaptureException(
                    CaptureFailure.TargetBusy, $"a stop or capture of process {target.Pid} is under way: wait for it to end, and try again");
            }

            await givenBack.WaitAsync(left, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Nothing is taken any more.</summary>
    internal void Close()
    {
        lock (_lock)
        {
            _closed = true;
        }
    }

    private Taken TakeFree(ProcessRef target)
    {
        if (_busy.Count >= _most)
        {
            throw new CaptureException(
                CaptureFailure.TooManyCaptures,
                string.Create(CultureInfo.InvariantCulture, $"{_most} captures and leases are under way, which is the agent's limit: try again later"));
        }

        _busy.Add(target.Pid);
        return new Taken(this, target.Pid);
    }

    private void Return(int pid)
    {
        TaskCompletionSource signal;
        lock (_lock)
        {
            _busy.Remove(pid);
            signal = _givenBack;
            _givenBack = NewSignal();
        }

        signal.SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class Taken(TargetRegistry registry, int pid) : IDisposable
    {
        private int _returned;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _returned, 1) == 0)
            {
                registry.Return(pid);
            }
        }
    }
}
