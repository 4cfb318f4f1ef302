using Corelift.Linux;
using Corelift.Linux.Memory;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Worker;

/// <summary>A piece of the address space for one thread to look at.</summary>
/// <param name="Start">First address.</param>
/// <param name="End">End.</param>
/// <param name="SpanEnd">Up to where mappings without a tracker are looked for: only by the first slice of tracked neighbours, in one request.</param>
internal readonly record struct ScanSlice(ulong Start, ulong End, ulong SpanEnd);

/// <summary>What one thread of <see cref="WrittenScanner"/> found, by slice. Its slices come in ascending order.</summary>
internal sealed class WrittenShare(SafeFileHandle pagemap)
{
    private const int RunsAhead = 16 * 1024;
    private const int FewRuns = 64;

    private readonly Pagemap _pagemap = new((int)pagemap.DangerousGetHandle());
    private readonly PageRunList _scratch = new(RunsAhead);
    private readonly PageRunList _written = new(RunsAhead);
    private readonly PageRunList _untracked = new(64);
    private readonly PageRunList _present = new(RunsAhead);
    private Slice[] _slices = [];
    private int _count;
    private int _at;

    internal void Reserve(int sliceCount) => _slices = new Slice[sliceCount];

    internal void Clear()
    {
        _count = 0;
        _written.Clear();
        _untracked.Clear();
        _present.Clear();
    }

    internal void Rewind() => _at = 0;

    /// <summary>Looks at one slice.</summary>
    internal Errno Scan(int slice, ScanSlice range, bool take, bool expectsMuch)
    {
        Errno result = take ? _pagemap.TakeWritten(range.Start, range.End, _scratch, _present) : Find(range, expectsMuch);
        _slices[_count++] = new Slice(slice, _written.Count, _untracked.Count, _present.Count);
        return result;
    }

    /// <summary>Appends what was found in a slice, if it is the next of this share.</summary>
    internal bool TryAppend(int slice, PageRunList written, PageRunList untracked, PageRunList present)
    {
        if (_at >= _count || _slices[_at].Index != slice)
        {
            return false;
        }

        Slice from = _at == 0 ? default : _slices[_at - 1];
        Slice to = _slices[_at++];
        Append(_written, from.Written, to.Written, written);
        Append(_untracked, from.Untracked, to.Untracked, untracked);
        Append(_present, from.Present, to.Present, present);
        return true;
    }

    private static void Append(PageRunList source, int from, int to, PageRunList target)
    {
        foreach (PageRun run in source.Runs[from..to])
        {
            target.Add(run.Start, run.End);
        }
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

    private readonly record struct Slice(int Index, int Written, int Untracked, int Present);
}
