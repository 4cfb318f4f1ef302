using Corelift.Capture.Worker;
using Corelift.Linux;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Reading;

/// <summary>
/// Reads the memory of a snapshot in ascending order of address through descriptors that a worker handed over, with one
/// buffer, however large the target is. Zero pages are left out; what cannot be read is a hole, never zeros.
/// </summary>
public sealed partial class SnapshotReader : IDisposable
{
    private const int PageBytes = 4096;
    private const int BufferBytes = 512 * 1024;

    private const long GiveBackBytes = 4L << 20; // whole huge pages

    private readonly SnapshotSources _sources;
    private Memory<byte> _buffer;
    private long _givenBackUpTo; // of the spool, which is read in ascending order and once

    internal SnapshotReader(SnapshotSources sources) => _sources = sources;

    /// <summary>
    /// Where memory is read to: the reader's own 512 KiB, or what the caller gives it before a step, whole pages of any number.
    /// Parts that were read before are not moved, and stay valid for as long as the caller leaves their memory alone.
    /// </summary>
    public Memory<byte> Buffer
    {
        get => _buffer.IsEmpty ? _buffer = GC.AllocateUninitializedArray<byte>(BufferBytes, pinned: true) : _buffer;
        set => _buffer = value;
    }

    /// <summary>All memory, part by part. Once only: the spool is given back as it is read.</summary>
    /// <exception cref="CaptureException">The target or its image has gone in the middle.</exception>
    public IEnumerable<MemoryPart> Read()
    {
        foreach (CaptureRegion region in _sources.Regions)
        {
            foreach (MemoryPart part in ReadRegion(region))
            {
                yield return part;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _sources.Dispose();

    private IEnumerable<MemoryPart> ReadRegion(CaptureRegion region) => region.Source switch
    {
        RegionSource.PauseCopy => ReadCopies(region),
        RegionSource.AllPages => ReadRange(_sources.Memory!, region.Start, region.End),
        RegionSource.PresentPages => ReadPresent(_sources.Memory!, _sources.Pagemap!, region),
        RegionSource.LivePages when _sources.LiveMemory is null || _sources.LivePagemap is null =>
            [new MemoryPart(region.Start, default, region.LengthBytes, HoleCause.PresenceUnknown)],
        RegionSource.LivePages => ReadPresent(_sources.LiveMemory!, _sources.LivePagemap!, region),
        RegionSource.Tracked => ReadTracked(region),
        RegionSource.LiveFile when _sources.Live is { } live && live.Covers(region.Start) => [],
        RegionSource.LiveFile => FromFile(region, region.Start, region.End, ZeroPages.AsZeros),
        _ => [],
    };

    private IEnumerable<MemoryPart> ReadCopies(CaptureRegion region)
    {
        ulong position = region.Start;
        ExtentTable extents = _sources.Extents!;
        for (int i = extents.Find(region.Start); i < extents.Count && extents[i].Address < region.End; i++)
        {
            PauseExtent extent = extents[i];
            ulong start = Math.Max(region.Start, extent.Address);
            ulong end = Math.Min(region.End, extent.Address + extent.LengthBytes);
            foreach (MemoryPart part in Absent(region, position, start))
            {
                yield return part;
            }

            foreach (MemoryPart part in ReadCopy(start, extent.Offset + (long)(start - extent.Address), (int)(end - start)))
            {
                yield return part;
            }

            position = end;
            if (_sources.Live is null)
            {
                GiveBack(extent.Offset + (long)extent.LengthBytes); // with strategy precopy it is not in order
            }
        }

        foreach (MemoryPart part in Absent(region, position, region.End))
        {
            yield return part;
        }
    }

    private IEnumerable<MemoryPart> ReadCopy(ulong address, long offset, int lengthBytes, ZeroPages zeros = ZeroPages.LeftOut)
    {
        for (int position = 0; position < lengthBytes;)
        {
            ReadOnlyMemory<byte> bytes;
            if (_sources.WorkerCopy is { } copy)
            {
                Memory<byte> buffer = Buffer;
                buffer = buffer[..Math.Min(buffer.Length, lengthBytes - position)];
                copy.Read(offset + position, buffer.Span);
                bytes = buffer;
            }
            else
            {
                bytes = _sources.PauseCopy!.Memory(offset, lengthBytes); // where it lies: no copy of the copy is made
            }

            foreach (MemoryPart part in WithoutUnreadable(address + (ulong)position, bytes, zeros))
            {
                yield return part;
            }

            position += bytes.Length;
        }
    }

    /// <summary>Gives the spool back as it is read: its pages are free for the core that a client on this host makes of it.</summary>
    private void GiveBack(long readUpTo)
    {
        long length = (readUpTo - _givenBackUpTo) & ~(GiveBackBytes - 1);
        if (length > 0)
        {
            _sources.PauseCopy?.Release(_givenBackUpTo, length);
            _sources.WorkerCopy?.Release(_givenBackUpTo, length);
            _givenBackUpTo += length;
        }
    }

    private IEnumerable<MemoryPart> ReadPresent(SafeFileHandle memory, SafeFileHandle pagemap, CaptureRegion region)
    {
        const ulong Window = 1UL << 30;
        var map = new Pagemap((int)pagemap.DangerousGetHandle());
        var runs = new PageRunList(1024);
        ulong position = region.Start;
        for (ulong window = region.Start; window < region.End; window += Math.Min(Window, region.End - window))
        {
            runs.Clear();
            if (!map.Scan(window, Math.Min(region.End, window + Math.Min(Window, region.End - window)), runs))
            {
                yield return Dropped(position, region.End);
                yield break;
            }

            for (int i = 0; i < runs.Count; i++)
            {
                PageRun run = runs.Runs[i];
                foreach (MemoryPart part in Absent(region, position, run.Start))
                {
                    yield return part;
                }

                foreach (MemoryPart part in ReadRange(memory, run.Start, run.End))
                {
                    yield return part;
                }

                position = run.End;
                if (region.Source == RegionSource.PresentPages)
                {
                    _sources.Guard?.HasRead(region.Start, position);
                }
            }
        }

        foreach (MemoryPart part in Absent(region, position, region.End))
        {
            yield return part;
        }
    }

    /// <summary>
    /// Pages that are not in the target's page tables. Of private anonymous memory they are zero. Of a mapped file they are the
    /// file's. Of shared memory they may exist for others, and reading them would make them.
    /// </summary>
    private IEnumerable<MemoryPart> Absent(CaptureRegion region, ulong start, ulong end)
    {
        if (start >= end || region.Consistency == Consistency.Instant)
        {
            yield break;
        }

        if (region.Consistency is Consistency.Shared or Consistency.Live)
        {
            yield return new MemoryPart(start, default, end - start, HoleCause.PresenceUnknown);
            yield break;
        }

        foreach (MemoryPart part in ReadFile(_sources.Vmas[region.VmaIndex], start, end))
        {
            yield return part;
        }
    }

    private IEnumerable<MemoryPart> ReadFile(Vma vma, ulong start, ulong end, ZeroPages zeros = ZeroPages.LeftOut)
    {
        SafeFileHandle? file = _sources.Files.Open(vma);
        for (ulong address = start; address < end;)
        {
            Memory<byte> buffer = Buffer;
            int wanted = (int)Math.Min(end - address, (ulong)buffer.Length);
            int read = file is null
                ? 0
                : RandomAccess.Read(file, buffer.Span[..wanted], (long)(vma.FileOffsetBytes + (address - vma.Start.Value)));
            if (read == 0)
            {
                yield return new MemoryPart(address, default, end - address, file is null ? HoleCause.PresenceUnknown : HoleCause.Unreadable);
                yield break;
            }

            // The last page of a file is zero after its end.
            int whole = (read + PageBytes - 1) & ~(PageBytes - 1);
            buffer.Span[read..whole].Clear();
            foreach (MemoryPart part in WithoutZeros(address, buffer[..whole], zeros))
            {
                yield return part;
            }

            address += (ulong)whole;
        }
    }

    private IEnumerable<MemoryPart> ReadRange(SafeFileHandle memory, ulong start, ulong end, ZeroPages zeros = ZeroPages.LeftOut)
    {
        for (ulong address = start; address < end;)
        {
            Memory<byte> buffer = Buffer;
            int wanted = (int)Math.Min(end - address, (ulong)buffer.Length);
            int read = MemFile.Read(memory, new RemoteAddress(address), buffer.Span[..wanted], out Errno errno) & ~(PageBytes - 1);
            if (_sources.Lease is { StillHolds: false })
            {
                throw Gone();
            }

            if (read == 0)
            {
                if (errno == Errno.None)
                {
                    yield return Dropped(address, end);
                    yield break;
                }

                yield return new MemoryPart(address, default, PageBytes, HoleCause.Unreadable);
                address += PageBytes;
                continue;
            }

            foreach (MemoryPart part in WithoutZeros(address, buffer[..read], zeros))
            {
                yield return part;
            }

            address += (ulong)read;
        }
    }

    /// <summary>What is left of a range whose memory has gone: given up on purpose, or an error.</summary>
    private MemoryPart Dropped(ulong start, ulong end) => _sources.Guard?.Dropped is not null
        ? new MemoryPart(start, default, end - start, HoleCause.Dropped)
        : throw Gone();

    private CaptureException Gone() => _sources.Guard?.HasLostWorker() == true
        ? new CaptureException(
            CaptureFailure.WorkerLost, "the worker that held the snapshot's image ended unexpectedly while that was being read, and the process runs: see the agent's log, and try again")
        : GoneByItself();

    private CaptureException GoneByItself() => new(
        _sources.IsLease ? CaptureFailure.LeaseEnded : CaptureFailure.TargetExited,
        _sources.IsLease
            ? "the target was resumed, or ended, while its memory was being read: keep the lease alive, or raise the stop budget"
            : "the snapshot's image ended while it was being read: the target's pid namespace has gone, or the kernel was short of memory");
}
