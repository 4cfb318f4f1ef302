using Corelift.Capture.Worker;

namespace Corelift.Capture.Reading;

/// <content>What was read, in parts: without pages of zeros, and with what cannot be read as holes.</content>
public sealed partial class SnapshotReader
{
    private IEnumerable<MemoryPart> WithoutUnreadable(ulong address, ReadOnlyMemory<byte> bytes, ZeroPages zeros = ZeroPages.LeftOut)
    {
        int position = 0;
        foreach (UnreadableRun run in _sources.UnreadableIn(address, address + (ulong)bytes.Length))
        {
            int at = (int)(run.Start - address);
            foreach (MemoryPart part in WithoutZeros(address + (ulong)position, bytes[position..at], zeros))
            {
                yield return part;
            }

            yield return new MemoryPart(run.Start, default, run.End - run.Start, HoleCause.Unreadable);
            position = (int)(run.End - address);
        }

        foreach (MemoryPart part in WithoutZeros(address + (ulong)position, bytes[position..], zeros))
        {
            yield return part;
        }
    }

    /// <summary>The runs of pages; zero ones as asked. The image's scratch page was zero in the target.</summary>
    private IEnumerable<MemoryPart> WithoutZeros(ulong address, ReadOnlyMemory<byte> bytes, ZeroPages zeros = ZeroPages.LeftOut)
    {
        if (zeros == ZeroPages.AsBytes)
        {
            yield return new MemoryPart(address, bytes, 0, HoleCause.None);
            yield break;
        }

        bool wasZero = false;
        int start = 0;
        for (int page = 0; page <= bytes.Length; page += PageBytes)
        {
            bool ends = page >= bytes.Length;
            bool zero = !ends && IsZero(address + (ulong)page, bytes.Span.Slice(page, Math.Min(PageBytes, bytes.Length - page)));
            if (page > 0 && (ends || zero != wasZero))
            {
                if (!wasZero)
                {
                    yield return new MemoryPart(address + (ulong)start, bytes[start..page], 0, HoleCause.None);
                }
                else if (zeros == ZeroPages.AsZeros)
                {
                    yield return MemoryPart.Zeros(address + (ulong)start, address + (ulong)page);
                }

                start = page;
            }

            wasZero = zero;
        }
    }

    private bool IsZero(ulong address, ReadOnlySpan<byte> page) =>
        (address >= _sources.ScratchStart && address < _sources.ScratchEnd) || !page.ContainsAnyExcept((byte)0);
}
