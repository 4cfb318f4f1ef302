using Corelift.Linux.Memory;
using Corelift.Linux.Processes;

namespace Corelift.Capture.Worker;

/// <summary>
/// Copies runs of pages into a buffer while the target is stopped, on several threads that were started before.
/// </summary>
internal sealed class PauseCopier : IDisposable
{
    internal const int PieceBytes = 1024 * 1024;
    private const int PageBytes = 4096;
    private const int MostHelpers = 3;

    private readonly SharedBuffer _buffer;
    private readonly ExtentList _extents = new();
    private readonly List<UnreadableRun> _unreadable = [];
    private readonly Lock _lock = new();
    private readonly Thread[] _helpers;
    private readonly Bell _start = new();
    private readonly CountdownEvent _finished = new(1);
    private BulkMemory? _memory;
    private long _used;
    private long _deadline;
    private int _nextExtent;
    private int _copied;
    private volatile bool _overrun;
    private volatile bool _ending;

    /// <summary>Starts the threads; none of them does anything before <see cref="CopyAll"/>.</summary>
    internal PauseCopier(SharedBuffer buffer)
    {
        _buffer = buffer;
        _helpers = new Thread[Math.Clamp(Environment.ProcessorCount - 1, 0, MostHelpers)];
        for (int i = 0; i < _helpers.Length; i++)
        {
            _helpers[i] = new Thread(Help, 256 * 1024) { IsBackground = true, Name = "pause-copier" };
            _helpers[i].Start();
        }
    }

    /// <summary>What was copied, in the order in which it was added: a later piece replaces an earlier one.</summary>
    internal ExtentList Extents => _extents;

    /// <summary>Pages that could not be read.</summary>
    internal UnreadableRun[] Unreadable
    {
        get
        {
            lock (_lock)
            {
                return [.. _unreadable.OrderBy(r => r.Start)];
            }
        }
    }

    /// <summary>Bytes of the buffer that are taken.</summary>
    internal long UsedBytes => _used;

    /// <summary>Takes a run into the list of what to copy, as far as the buffer has room.</summary>
    /// <returns>Whether all of it fits; nothing is taken otherwise.</returns>
    internal bool TryAdd(ulong start, ulong end)
    {
        long length = (long)(end - start);
        if (length > _buffer.LengthBytes - _used)
        {
            return false;
        }

        // Pieces, so that the threads share a long run.
        for (ulong address = start; address < end; address += PieceBytes)
        {
            ulong piece = Math.Min(end - address, PieceBytes);
            _extents.Add(new PauseExtent(address, piece, _used));
            _used += (long)piece;
        }

        return true;
    }

    /// <summary>Takes back what was added since the list had this many entries.</summary>
    internal void TakeBack(int extentCount)
    {
        while (_extents.Count > extentCount)
        {
            _used -= (long)_extents[_extents.Count - 1].LengthBytes;
            _extents.RemoveLast();
        }
    }

    /// <summary>Copies all that was added since the last call.</summary>
    /// <param name="memory">The target's memory.</param>
    /// <param name="deadline">In nanoseconds of CLOCK_MONOTONIC.</param>
    /// <param name="whileStopped">Whether the helpers, at raised priority, take part: not while the target runs.</param>
    /// <returns>False where the deadline passed.</returns>
    internal bool CopyAll(BulkMemory memory, long deadline, bool whileStopped = true)
    {
        (_memory, _deadline, _nextExtent) = (memory, deadline, _copied);
        int helpers = whileStopped && _extents.Count - _copied > 4 ? _helpers.Length : 0;
        _finished.Reset(helpers + 1);
        if (helpers > 0)
        {
            _start.Ring();
        }

        CopyPieces();
        _finished.Wait();
        _copied = _extents.Count;
        return !_overrun;
    }

    public void Dispose()
    {
        _ending = true;
        _start.Ring();
        foreach (Thread helper in _helpers)
        {
            helper.Join();
        }

        _start.Dispose();
        _finished.Dispose();
    }

    private void Help()
    {
        _ = SelfControl.RaisePriority(); // every CPU is free while the target is stopped, but for those who do not wait for us
        int heard = 0;
        while (true)
        {
            _start.Wait(ref heard);
            if (_ending)
            {
                return;
            }

            CopyPieces();
        }
    }

    private void CopyPieces()
    {
        for (int i = Interlocked.Increment(ref _nextExtent) - 1; i < _extents.Count && !_overrun; i = Interlocked.Increment(ref _nextExtent) - 1)
        {
            Copy(_extents[i]);
            if (MonotonicClock.Nanoseconds > _deadline)
            {
                _overrun = true;
            }
        }

        _finished.Signal();
    }

    private void Copy(PauseExtent extent)
    {
        Span<byte> target = _buffer.Slice(extent.Offset, (int)extent.LengthBytes);
        int position = 0;
        while (position < target.Length)
        {
            int read = _memory!.Read(new RemoteAddress(extent.Address + (ulong)position), target[position..]) & ~(PageBytes - 1);
            position += read;
            if (position < target.Length && read == 0)
            {
                ulong page = extent.Address + (ulong)position;
                lock (_lock)
                {
                    _unreadable.Add(new UnreadableRun(page, page + PageBytes));
                }

                position += PageBytes;
            }
        }
    }
}
