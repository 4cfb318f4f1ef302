using Corelift.Linux.Interop;
using Corelift.Linux.Processes;

namespace Corelift.Linux.Memory;

/// <summary>
/// Mappings whose pages are all made before they are used, huge where that is faster. It is not always: a guest whose host
/// takes free memory back (free page reporting, which is done in blocks of a huge page's size and more) waits for the host with
/// each page of such a block. There 1 GiB took 2.1 s in huge pages and 0.28 s in small ones, which come from the scattered
/// memory that the guest still has; later, with its own memory, 0.13 s and 0.27 s. Nothing tells beforehand, so a large
/// mapping begins with small pages and tries.
/// </summary>
internal static unsafe class PopulatedMapping
{
    private const int MapFixed = 0x10;          // MAP_FIXED
    private const int Reserve = 0x4022;         // MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    private const int NoAccess = 0;             // PROT_NONE
    private const int AdviseHuge = 14;          // MADV_HUGEPAGE
    private const int AdviseSmall = 15;         // MADV_NOHUGEPAGE
    private const int PopulateWrite = 23;       // MADV_POPULATE_WRITE, Linux 5.14
    private const long HugePageBytes = 2L << 20;
    private const long LargeFrom = 64L << 20;
    private const long PieceBytes = 16L << 20;

    /// <summary>Maps a file, or private memory, where huge pages can be mapped whole. No page is made.</summary>
    /// <exception cref="SyscallException">No memory, or it cannot be mapped.</exception>
    internal static byte* Map(int descriptor, long length, int protection, int flags)
    {
        byte* start = length < 2 * HugePageBytes ? null : ReserveAligned(length);
        int place = start is null ? 0 : MapFixed;
        void* mapped = LibC.Mmap(start, (nuint)length, protection, flags | place, descriptor, 0);
        if ((nint)mapped == -1)
        {
            var failure = SyscallException.FromLastError("mmap", 0);
            _ = start is null ? 0 : LibC.Munmap(start, (nuint)length);
            throw failure;
        }

        _ = start is null ? 0 : LibC.Madvise(mapped, (nuint)length, AdviseHuge); // EINVAL on a kernel without them
        return (byte*)mapped;
    }

    /// <summary>Makes all pages of what <see cref="Map"/> gave.</summary>
    /// <returns>False, with errno, where the kernel has no memory for them, or does not make pages this way.</returns>
    internal static bool TryPopulate(byte* start, long length)
    {
        if (length < LargeFrom)
        {
            return Populate(start, length);
        }

        _ = LibC.Madvise(start, (nuint)PieceBytes, AdviseSmall);
        long begin = MonotonicClock.Nanoseconds;
        if (!Populate(start, PieceBytes))
        {
            return false;
        }

        long smallTakes = MonotonicClock.Nanoseconds - begin;
        byte* rest = start + PieceBytes;
        long restLength = length - PieceBytes;
        return Environment.ProcessorCount == 1
            ? PopulateByPieces(rest, restLength, smallTakes)
            : PopulateByTwo(rest, restLength, smallTakes);
    }

    /// <summary>Making pages is what a large spool takes the most time for; halves of it can be made at once.</summary>
    private static bool PopulateByTwo(byte* start, long length, long smallTakes)
    {
        long half = length / 2 / HugePageBytes * HugePageBytes;
        bool isSecondThere = false;
        var second = new Thread(() => isSecondThere = PopulateByPieces(start + half, length - half, smallTakes)) { IsBackground = true };
        second.Start();
        bool isFirstThere = PopulateByPieces(start, half, smallTakes);
        second.Join();
        return isFirstThere && isSecondThere;
    }

    /// <summary>Makes huge pages until a piece takes longer than one of small pages did, and small ones from there.</summary>
    private static bool PopulateByPieces(byte* start, long length, long smallTakes)
    {
        for (long done = 0; done < length; done += PieceBytes)
        {
            long begin = MonotonicClock.Nanoseconds;
            if (!Populate(start + done, Math.Min(PieceBytes, length - done)))
            {
                return false;
            }

            long next = done + PieceBytes;
            if (next < length && MonotonicClock.Nanoseconds - begin > smallTakes)
            {
                _ = LibC.Madvise(start + next, (nuint)(length - next), AdviseSmall);
                return Populate(start + next, length - next);
            }
        }

        return true;
    }

    private static bool Populate(byte* start, long length) => LibC.Madvise(start, (nuint)length, PopulateWrite) == 0;

    /// <summary>Addresses for a mapping that begins at a multiple of a huge page, or null.</summary>
    private static byte* ReserveAligned(long length)
    {
        void* reserved = LibC.Mmap(null, (nuint)(length + HugePageBytes), NoAccess, Reserve, -1, 0);
        if ((nint)reserved == -1)
        {
            return null;
        }

        byte* first = (byte*)reserved;
        byte* start = (byte*)(((nint)reserved + (nint)HugePageBytes - 1) & ~((nint)HugePageBytes - 1));
        nuint before = (nuint)(start - first);
        nuint after = (nuint)HugePageBytes - before;
        _ = before == 0 ? 0 : LibC.Munmap(first, before);
        _ = after == 0 ? 0 : LibC.Munmap(start + length, after);
        return start;
    }
}
