using System.Globalization;
using Corelift.Linux;

namespace Corelift.Capture.Sessions;

/// <summary>Who is being stopped or captured: each target once, and not more at once than allowed.</summary>
internal sealed class TargetRegistry
{
    private readonly Lock _lock = new();
    private readonly HashSet<int> _busy = [];
    private readonly int _most;
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

    /// <summary>Takes a target; dispose what is returned to give it back.</summary>
    /// <exception cref="CaptureException">It is taken, the limit is reached, or the agent is shutting down.</exception>
    internal IDisposable Take(ProcessRef target)
    {
        lock (_lock)
        {
            if (_closed)
            {
                throw new CaptureException(CaptureFailure.ShuttingDown, "the agent is shutting down: ask the one that replaces it");
            }

            if (_busy.Contains(target.Pid))
            {
                throw new CaptureException(
                    CaptureFailure.TargetBusy, $"a stop or capture of process {target.Pid} is under way: wait for it to end, and try again");
            }

            if (_busy.Count >= _most)
            {
                throw new CaptureException(
                    CaptureFailure.TooManyCaptures,
                    string.Create(CultureInfo.InvariantCulture, $"{_most} captures and leases are under way, which is the agent's limit: try again later"));
            }

            _busy.Add(target.Pid);
        }

        return new Taken(this, target.Pid);
    }

    /// <summary>Nothing is taken any more.</summary>
    internal void Close()
    {
        lock (_lock)
        {
            _closed = true;
        }
    }

    private void Return(int pid)
    {
        lock (_lock)
        {
            _busy.Remove(pid);
        }
    }

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
