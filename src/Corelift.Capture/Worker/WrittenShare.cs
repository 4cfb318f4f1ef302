using Corelift.Linux;
using Corelift.Linux.Memory;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Worker;

/// <summary>A piece of the address space for one thread to look at.</summary>
/// <param name="Start">First address.</param>
/// <param name="End">End.</param>
/// <param name="SpanEnd">Up to where mappings without a tracker are looked for: only by the first slice of tracked neighbours, in one request.</param>
/// <param name="MustBeRegistered">Whether it is new, or was moved here, where it is not registered: anonymous memory, by soft-dirty bits.</param>
internal readonly record struct ScanSlice(ulong Start, ulong End, ulong SpanEnd, bool MustBeRegistered);

/// <summary>How long a share's lists were.</summary>
internal readonly record struct ShareMark(int Written, int Untracked, int Present);

/// <summary>What was found in a slice: from one mark to the other of the share that looked at it; nobody did where that is null.</summary>
internal readonly record struct SliceFound(WrittenShare? Share, ShareMark From, ShareMark To);

/// <summary>What one thread of <see cref="WrittenScanner"/> found.</summary>
internal sealed class WrittenShare(SafeFileHandle pagemap, WriteTracker tracker)
{
    private const int RunsAhead = 16 * 1024;
    private const int FewRuns = 64;

    private readonly Pagemap _pagemap = new((int)pagemap.DangerousGetHandle(), tracker.Tracking);
    private readonly PageRunList _scratch = new(RunsAhead);
    private readonly PageRunList _written = new(RunsAhead);
    private readonly PageRunList _untracked = new(64);
    private readonly PageRunList _present = new(RunsAhead);

    private ShareMark Mark => new(_written.Count, _untracked.Count, _present.Count);

    internal void Clear()
    {
        _written.Clear();
        _untracked.Clear();
        _present.Clear();
    }

    /// <summary>Looks at one slice.</summary>
    internal Errno Scan(ScanSlice range, bool expectsMuch, out SliceFound found)
    {
        ShareMark from = Mark;
        Errno result = tracker.Tracking == WriteTracking.SoftDirty ? FindDirty(range) : Find(range, expectsMuch);
        found = new SliceFound(this, from, Mark);
        return result;
    }

    /// <inheritdoc cref="WrittenScanner.Take"/>
    internal Errno Take(ScanSlice range, PageRunList present) => _pagemap.TakeWritten(range.Start, range.End, _scratch, present);

    /// <summary>Appends what was found in a slice of this share.</summary>
    internal void Append(in SliceFound found, PageRunList written, PageRunList untracked, PageRunList present)
    {
        Append(_written, found.From.Written, found.To.Written, written);
        Append(_untracked, found.From.Untracked, found.To.Untracked, untracked);
        Append(_present, found.From.Present, found.To.Present, present);
    }

    private static void Append(PageRunList source, int from, int to, PageRunList target)
    {
        foreach (PageRun run in source.Runs[from..to])
        {
            target.Add(run.Start, run.End);
        }
    }

    private Errno FindDirty(ScanSlice range)
    {
        if (!range.MustBeRegistered || tracker.IsRegistered(range.Start))
        {
            return _pagemap.FindWrittenAndPresent(range.Start, range.End, _written, _present);
        }

        _written.Add(range.Start, range.End);
        return _pagemap.Scan(range.Start, range.End, _present) ? Errno.None : Errno.NoSuchTask;
    }

    private Errno Find(ScanSlice range, bool expectsMuch)
    {
        Errno result;
        if (expectsMuch)
        {
            result = _pagemap.FindWrittenAndPresent(range.Start, range.End, _written, _present);
        }
        else
        {
            _scratch.Clear();
            result = _pagemap.FindWritten(range.Start, range.End, _scratch);
            if (result == Errno.None && _scratch.Count > 0)
            {
                Append(_scratch, 0, _scratch.Count, _written);
                result = FindPresent();
            }
        }

        return result == Errno.None && range.SpanEnd > range.Start ? _pagemap.FindUntracked(range.Start, range.SpanEnd, _untracked) : result;
    }

    /// <summary>Few runs are looked at one by one: mostly they are holes, and what lies between them was not written to.</summary>
    private Errno FindPresent()
    {
        if (_scratch.Count > FewRuns)
        {
            return _pagemap.FindWrittenPresent(_scratch.Runs[0].Start, _scratch.Runs[^1].End, _present);
        }

        Errno result = Errno.None;
        for (int i = 0; i < _scratch.Count && result == Errno.None; i++)
        {
            result = _pagemap.FindWrittenPresent(_scratch.Runs[i].Start, _scratch.Runs[i].End, _present);
        }

        return result;
    }
}
