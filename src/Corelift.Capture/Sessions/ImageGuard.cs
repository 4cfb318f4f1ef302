using System.Globalization;
using Corelift.Capture.Planning;
using Corelift.Capture.Worker;
using Corelift.Linux.Procfs;

namespace Corelift.Capture.Sessions;

/// <summary>
/// Looks after the target while an image of it is held: what has been read is given back, so that the target's writes there
/// cost no copies any more, and where its memory cgroup runs short all the same, the image is dropped before the target suffers.
/// </summary>
internal sealed class ImageGuard : IDisposable
{
    private const ulong GiveBackBytes = 16UL << 20;
    private const ulong FloorBytes = 32UL << 20;
    private static readonly TimeSpan s_patienceWithWorker = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(50);

    private readonly WorkerConnection _worker;
    private readonly ProcessDirectory _directory;
    private readonly ulong _floorBytes;
    private readonly Timer _timer;
    private ulong _heldFrom;
    private string? _dropped;

    /// <summary>Begins to watch.</summary>
    /// <param name="worker">Who holds the image.</param>
    /// <param name="directory">The target; stays the caller's.</param>
    internal ImageGuard(WorkerConnection worker, ProcessDirectory directory)
    {
        (_worker, _directory) = (worker, directory);
        ulong? headroom = CgroupHeadroom.ReadMemory(directory);

        // What was there at the start is the measure: an eighth of it, and no less than a floor, unless there never was more.
        _floorBytes = headroom is { } bytes ? Math.Min(Math.Max(bytes / 8, FloorBytes), bytes / 2) : 0;
        _timer = new Timer(static state => ((ImageGuard)state!).Look(), this, headroom is null ? Timeout.InfiniteTimeSpan : s_interval, s_interval);
    }

    /// <summary>Why the image was dropped; null while it is there.</summary>
    internal string? Dropped => Volatile.Read(ref _dropped);

    /// <summary>Says that private memory below an address has been read; a region begins at <paramref name="regionStart"/>.</summary>
    internal void HasRead(ulong regionStart, ulong upTo)
    {
        ulong from = Math.Max(_heldFrom, regionStart);
        if (upTo > from && upTo - from >= GiveBackBytes)
        {
            _ = _worker.Send(new WorkerCommand { Kind = WorkerCommandKind.GiveBack, Address = from, Value = (long)upTo });
            _heldFrom = upTo;
        }
    }

    /// <summary>
    /// Of an image that has gone: whether its worker has, too. The image dies first, and word of the worker's end comes a moment
    /// later.
    /// </summary>
    internal bool HasLostWorker() => _worker.Ended.Wait(s_patienceWithWorker);

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        if (Dropped is null && CgroupHeadroom.ReadMemory(_directory) is { } headroom && headroom < _floorBytes)
        {
            Volatile.Write(ref _dropped, string.Create(
                CultureInfo.InvariantCulture,
                $"the target's memory cgroup had only {headroom >> 20} MiB left, so the image was given up before all of it was read: the process runs on unharmed; ask for strategy precopy or direct, or for less content"));
            _ = _worker.Send(new WorkerCommand { Kind = WorkerCommandKind.DropImage });
        }
    }
}
