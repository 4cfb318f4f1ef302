using Corelift.Capture.Worker;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;

namespace Corelift.Capture.Reading;

/// <content>Strategy precopy: the live rounds, and what of the instant differs from them.</content>
public sealed partial class SnapshotReader
{
    private const ulong SliceBytes = 32UL << 20;

    private readonly PageRunList _taken = new(1024);
    private readonly PageRunList _scratch = new(1024);
    private Pagemap? _livePagemap;

    private Pagemap LivePagemap => _livePagemap ??= new Pagemap((int)_sources.Pagemap!.DangerousGetHandle(), _sources.Tracking);

    /// <summary>
    /// Reads what was written since the last round, and in the first one everything. The target runs: pages may be of different
    /// moments. From the second round on zeros come as bytes, since they may have to replace others.
    /// </summary>
    internal IEnumerable<MemoryPart> ReadRound(bool isFirst)
    {
        foreach (CaptureRegion region in _sources.Regions)
        {
            IEnumerable<MemoryPart> parts = region.Source switch
            {
                RegionSource.Tracked => ReadTaken(region, isFirst),
                RegionSource.LiveFile when isFirst => FromFile(region, region.Start, region.End, ZeroPages.LeftOut),
                _ => [],
            };
            foreach (MemoryPart part in parts)
            {
                yield return part;
            }
        }
    }

    /// <summary>How much another round would read now, in bytes; changes nothing.</summary>
    internal ulong MeasureWritten()
    {
        ulong sum = 0;
        foreach (CaptureRegion region in _sources.Regions)
        {
            for (ulong start = region.Start; region.Source == RegionSource.Tracked && start < region.End; start += SliceBytes)
            {
                ulong end = start + Math.Min(SliceBytes, region.End - start);
                _scratch.Clear();
                _taken.Clear();
                if (LivePagemap.FindWritten(start, end, _scratch) != Linux.Errno.None)
                {
                    throw Gone();
                }

                if (_scratch.Count > 0)
                {
                    _ = LivePagemap.FindWrittenPresent(_scratch.Runs[0].Start, _scratch.Runs[^1].End, _taken);
                    sum += _taken.TotalBytes;
                }
            }
        }

        return sum;
    }

    /// <summary>Counts everything as not written to from now on, without reading any of it.</summary>
    internal void TakeAll()
    {
        foreach (CaptureRegion region in _sources.Regions)
        {
            for (ulong start = region.Start; region.Source == RegionSource.Tracked && start < region.End; start += SliceBytes)
            {
                _taken.Clear();
                if (LivePagemap.TakeWritten(start, start + Math.Min(SliceBytes, region.End - start), _scratch, _taken) != Linux.Errno.None)
                {
                    throw Gone();
                }
            }
        }
    }

    private IEnumerable<MemoryPart> ReadTaken(CaptureRegion region, bool isFirst)
    {
        bool isFile = region.Consistency == Consistency.File;
        for (ulong start = region.Start; start < region.End; start += SliceBytes)
        {
            ulong end = start + Math.Min(SliceBytes, region.End - start);
            ulong position = start;
            _taken.Clear();
            if (LivePagemap.TakeWritten(start, end, _scratch, _taken) != Linux.Errno.None)
            {
                throw Gone();
            }

            for (int i = 0; i < _taken.Count; i++)
            {
                PageRun run = _taken.Runs[i];
                if (isFile)
                {
                    _sources.Live!.NoteFilePages(run);
                }

                IEnumerable<MemoryPart> parts = isFile && isFirst ? FromFile(region, position, run.Start, ZeroPages.LeftOut) : [];
                foreach (MemoryPart part in parts.Concat(ReadRange(_sources.Memory!, run.Start, run.End, isFirst ? ZeroPages.LeftOut : ZeroPages.AsBytes)))
                {
                    yield return part;
                }

                position = run.End;
            }

            foreach (MemoryPart part in isFile && isFirst ? FromFile(region, position, end, ZeroPages.LeftOut) : [])
            {
                yield return part;
            }
        }
    }

    /// <summary>What of a region differs from what the live rounds read.</summary>
    private IEnumerable<MemoryPart> ReadTracked(CaptureRegion region)
    {
        ExtentTable extents = _sources.Extents!;
        foreach (PageRun run in _sources.WrittenIn(region.Start, region.End))
        {
            ulong position = run.Start;
            for (int i = extents.Find(run.Start); i < extents.Count && extents[i].Address < run.End; i++)
            {
                PauseExtent extent = extents[i];
                ulong start = Math.Max(run.Start, extent.Address);
                int length = (int)(Math.Min(run.End, extent.Address + extent.LengthBytes) - start);
                foreach (MemoryPart part in NotCopied(region, position, start))
                {
                    yield return part;
                }

                foreach (MemoryPart part in ReadCopy(start, extent.Offset + (long)(start - extent.Address), length, ZeroPages.AsZeros))
                {
                    yield return part;
                }

                position = start + (ulong)length;
            }

            foreach (MemoryPart part in NotCopied(region, position, run.End))
            {
                yield return part;
            }
        }
    }

    /// <summary>Written pages that were not copied: they are in the image, where there is one, or no longer there.</summary>
    private IEnumerable<MemoryPart> NotCopied(CaptureRegion region, ulong start, ulong end)
    {
        if (start >= end)
        {
            yield break;
        }

        ulong position = start;
        if (_sources.Memory is not null && !_sources.Vmas[region.VmaIndex].IsShared)
        {
            _scratch.Clear();
            if (!LivePagemap.Scan(start, end, _scratch))
            {
                yield return Dropped(start, end);
                yield break;
            }

            foreach (PageRun run in _scratch.Runs.ToArray())
            {
                foreach (MemoryPart part in NoLonger(region, position, run.Start).Concat(ReadRange(_sources.Memory, run.Start, run.End, ZeroPages.AsZeros)))
                {
                    yield return part;
                }

                position = run.End;
            }
        }

        foreach (MemoryPart part in NoLonger(region, position, end))
        {
            yield return part;
        }
    }

    /// <summary>Pages that are not there at the instant: zero in anonymous memory, the file's in a mapping of one.</summary>
    private IEnumerable<MemoryPart> NoLonger(CaptureRegion region, ulong start, ulong end)
    {
        if (start >= end)
        {
            yield break;
        }

        if (region.Consistency == Consistency.Instant)
        {
            yield return MemoryPart.Zeros(start, end);
            yield break;
        }

        bool isFile = region.Consistency == Consistency.File;
        for (ulong page = start; page < end;)
        {
            bool again = IsToBeSaid(isFile, page);
            ulong from = page;
            for (page += PageBytes; page < end && IsToBeSaid(isFile, page) == again; page += PageBytes)
            {
            }

            IEnumerable<MemoryPart> parts = !again ? []
                : isFile ? FromFile(region, from, page, ZeroPages.AsZeros)
                : [new MemoryPart(from, default, page - from, HoleCause.PresenceUnknown)];
            foreach (MemoryPart part in parts)
            {
                yield return part;
            }
        }
    }

    /// <summary>Pages of a mapped file as they are now: from the file; where that is closed to us, through the target's mapping.</summary>
    private IEnumerable<MemoryPart> FromFile(CaptureRegion region, ulong start, ulong end, ZeroPages zeros)
    {
        Vma vma = _sources.Vmas[region.VmaIndex];
        return start >= end ? []
            : _sources.Files.Open(vma) is null && (_sources.LiveMemory ?? _sources.Memory) is { } memory
                ? ReadRange(memory, start, end, zeros)
                : ReadFile(vma, start, end, zeros);
    }

    /// <summary>What a live round said of a page of a file stands unless it came from memory; of shared memory it stands.</summary>
    private bool IsToBeSaid(bool isFile, ulong page) =>
        _sources.Live is null || (isFile ? _sources.Live.NeedsFileAgain(page) : !_sources.Live.Covers(page));
}

/// <summary>What becomes of pages that hold nothing but zeros.</summary>
internal enum ZeroPages
{
    /// <summary>They are not mentioned.</summary>
    LeftOut,

    /// <summary>They come as other bytes do.</summary>
    AsBytes,

    /// <summary>They come as parts that say so.</summary>
    AsZeros,
}
