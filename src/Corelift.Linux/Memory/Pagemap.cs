using System.Runtime.InteropServices;
using Corelift.Linux.Interop;

namespace Corelift.Linux.Memory;

/// <summary>A run of pages that exist: half-open range of addresses, page-aligned.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct PageRun(ulong Start, ulong End);

/// <summary>
/// Which pages exist. Reading a page that does not exist would create it (1 GiB of untouched shared memory became 1 GiB of
/// real memory, measured), so every bulk read asks here first. PAGEMAP_SCAN (Linux 6.7) where the kernel has it, the
/// 8-byte entries of pagemap otherwise.
/// </summary>
internal sealed unsafe partial class Pagemap
{
    private const ulong Tracked = 1 << 0;                        // PAGE_IS_WPALLOWED
    private const ulong Written = 1 << 1;                        // PAGE_IS_WRITTEN
    private const ulong PresentOrSwapped = (1 << 3) | (1 << 4);  // PAGE_IS_PRESENT | PAGE_IS_SWAPPED
    private const ulong ZeroPage = 1 << 5;                       // PAGE_IS_PFNZERO
    private const nuint ScanRequest = 0xc0606610;                // PAGEMAP_SCAN = _IOWR('f', 16, struct pm_scan_arg)
    private const ulong ProtectMatching = 1 << 0;                // PM_SCAN_WP_MATCHING
    private const int PageSize = 4096;
    private const ulong EntryPresentOrSwapped = 0b11UL << 62;
    private const ulong EntryPresent = 1UL << 63; // these: proc_pid_pagemap(5)
    private const ulong EntryOwn = EntryPresent | EntryMappedOnce;
    private const ulong EntrySharedOrFile = 1UL << 61;

    private readonly int _descriptor;
    private readonly WriteTracking _tracking;
    private readonly PageRegion[] _regions = new PageRegion[1024];
    private readonly ulong[] _entries = new ulong[8192];
    private bool _scanMissing;

    /// <param name="descriptor">Of pagemap.</param>
    /// <param name="tracking">What the questions after written pages are answered by.</param>
    internal Pagemap(int descriptor, WriteTracking tracking = WriteTracking.Protection) => (_descriptor, _tracking) = (descriptor, tracking);

    /// <summary>Appends the runs of pages of [start, end) that are present or swapped, the zero page left out.</summary>
    /// <returns>Whether the kernel answered; false where the descriptor's process has gone.</returns>
    internal bool Scan(ulong start, ulong end, PageRunList runs)
    {
        if (!_scanMissing)
        {
            Errno result = ScanByRequest(start, end, runs);
            if (result != Errno.InappropriateControl)
            {
                return result == Errno.None;
            }

            _scanMissing = true;
        }

        return ScanByEntries(start, end, runs);
    }

    /// <summary>
    /// Whether pages are all present, anonymous and mapped by their process alone. Needs no object: several threads ask.
    /// </summary>
    /// <param name="descriptor">Of pagemap.</param>
    /// <param name="start">Address of the first.</param>
    /// <param name="pages">How many: few, they are on the stack.</param>
    internal static bool HasOwnPagesOnly(int descriptor, ulong start, int pages)
    {
        Span<ulong> entries = stackalloc ulong[pages];
        fixed (ulong* buffer = entries)
        {
            if (LibC.Pread(descriptor, buffer, (nuint)pages * 8, checked((long)(start / PageSize * 8))) != (nint)pages * 8)
            {
                return false;
            }
        }

        foreach (ulong entry in entries)
        {
            if ((entry & (EntryOwn | EntrySharedOrFile)) != EntryOwn)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Appends the runs that may differ from what they were when <see cref="TakeWritten"/> last saw them: written since, or no
    /// longer there. About 0.3 to 0.5 ms per GiB of 4 KiB pages (measured, Linux 6.18): the kernel has a fast path for just this.
    /// </summary>
    /// <returns>None, or why the kernel did not answer: the process has gone.</returns>
    internal Errno FindWritten(ulong start, ulong end, PageRunList runs) => _tracking == WriteTracking.SoftDirty ? FindDirty(start, end, runs, null) : Request(
        new PmScanArg { Start = start, End = end, CategoryMask = Written, ReturnMask = Written }, runs, ignored: 0);

    /// <summary>Appends the runs of pages that exist and were written to, the zero page left out.</summary>
    /// <inheritdoc cref="FindWritten"/>
    internal Errno FindWrittenPresent(ulong start, ulong end, PageRunList runs) => _tracking == WriteTracking.SoftDirty ? FindDirty(start, end, null, runs) : Request(
        new PmScanArg
        {
            Start = start,
            End = end,
            CategoryInverted = ZeroPage,
            CategoryMask = Written | ZeroPage,
            CategoryAnyOfMask = PresentOrSwapped,
            ReturnMask = Written,
        },
        runs,
        ignored: 0);

    /// <summary>
    /// Both at once: what may differ, and which of it exists. One walk at about twice the price of <see cref="FindWritten"/>,
    /// so for where much was written.
    /// </summary>
    /// <inheritdoc cref="FindWritten"/>
    internal Errno FindWrittenAndPresent(ulong start, ulong end, PageRunList written, PageRunList present) => _tracking == WriteTracking.SoftDirty ? FindDirty(start, end, written, present) : Request(
        new PmScanArg { Start = start, End = end, CategoryMask = Written, ReturnMask = Written | PresentOrSwapped | ZeroPage },
        written,
        ignored: 0,
        present);

    /// <summary>
    /// Appends the runs of mappings that no tracker is registered for. Skips the others without a look at their pages. By protection
    /// only.
    /// </summary>
    /// <inheritdoc cref="FindWritten"/>
    internal Errno FindUntracked(ulong start, ulong end, PageRunList runs) => Request(
        new PmScanArg { Start = start, End = end, CategoryInverted = Tracked, CategoryMask = Tracked, ReturnMask = Tracked }, runs, ignored: 0);

    /// <summary>
    /// Appends the runs of existing pages that were written to, and from now on counts them as not written to
    /// (PM_SCAN_WP_MATCHING). What does not exist is left alone: it goes on counting as written to, so that pages which the process
    /// gave up are never forgotten, and no page table is made for a hole. By soft-dirty bits, which are reset before and all at
    /// once, these are all existing pages.
    /// </summary>
    /// <param name="start">First address.</param>
    /// <param name="end">End.</param>
    /// <param name="scratch">Emptied and used.</param>
    /// <param name="runs">Receives the runs.</param>
    /// <inheritdoc cref="FindWritten"/>
    internal Errno TakeWritten(ulong start, ulong end, PageRunList scratch, PageRunList runs)
    {
        scratch.Clear();
        if (_tracking == WriteTracking.SoftDirty)
        {
            return Scan(start, end, runs) ? Errno.None : Errno.NoSuchTask;
        }

        Errno result = FindWritten(start, end, scratch);
        return result != Errno.None || scratch.Count == 0 ? result : Request(
            new PmScanArg
            {
                Flags = ProtectMatching,
                Start = scratch.Runs[0].Start,
                End = scratch.Runs[^1].End,
                CategoryMask = Written,
                CategoryAnyOfMask = PresentOrSwapped,
                ReturnMask = PresentOrSwapped | ZeroPage,
            },
            runs,
            ignored: ZeroPage);
    }

    private Errno ScanByRequest(ulong start, ulong end, PageRunList runs) => Request(
        new PmScanArg
        {
            Start = start,
            End = end,
            CategoryInverted = ZeroPage,
            CategoryMask = ZeroPage,
            CategoryAnyOfMask = PresentOrSwapped,
            ReturnMask = PresentOrSwapped,
        },
        runs,
        ignored: 0);

    /// <summary>
    /// Makes one request as often as it takes, and appends what it finds, but for runs of an ignored category; what exists of it
    /// to another list, where there is one.
    /// </summary>
    private Errno Request(PmScanArg argument, PageRunList runs, ulong ignored, PageRunList? present = null)
    {
        fixed (PageRegion* regions = _regions)
        {
            ulong end = argument.End;
            argument.Size = (ulong)sizeof(PmScanArg);
            argument.Vector = (ulong)regions;
            argument.VectorLength = (ulong)_regions.Length;
            while (argument.Start < end)
            {
                int count = LibC.Ioctl(_descriptor, ScanRequest, &argument);
                if (count < 0)
                {
                    return (Errno)Marshal.GetLastPInvokeError();
                }

                for (int i = 0; i < count; i++)
                {
                    if ((regions[i].Categories & ignored) == 0)
                    {
                        runs.Add(regions[i].Start, regions[i].End);
                    }

                    if (present is not null && (regions[i].Categories & PresentOrSwapped) != 0 && (regions[i].Categories & ZeroPage) == 0)
                    {
                        present.Add(regions[i].Start, regions[i].End);
                    }
                }

                if (count < _regions.Length)
                {
                    return Errno.None; // there was room for more
                }

                // Never walk_end alone: where the walk ends in the kernel's second buffer of 512, it still says where the first
                // one was full, and what came after it would come again (seen with Linux 6.18; fs/proc/task_mmu.c,
                // do_pagemap_scan, sets it at the end only where it is 0).
                argument.Start = Math.Max(argument.WalkEnd, regions[count - 1].End);
            }
        }

        return Errno.None;
    }

    private bool ScanByEntries(ulong start, ulong end, PageRunList runs)
    {
        ulong next = start;
        while (next < end)
        {
            ReadOnlySpan<ulong> entries = ReadEntries(next, end);
            if (entries.IsEmpty)
            {
                return false;
            }

            foreach (ulong entry in entries)
            {
                if ((entry & EntryPresentOrSwapped) != 0)
                {
                    runs.Add(next, next + PageSize);
                }

                next += PageSize;
            }
        }

        return true;
    }

    /// <summary>The entries from a page on, as many as there is room for; none where the descriptor's process has gone.</summary>
    private ReadOnlySpan<ulong> ReadEntries(ulong start, ulong end)
    {
        int pages = (int)Math.Min((end - start) / PageSize, (ulong)_entries.Length);
        fixed (ulong* entries = _entries)
        {
            nint read = LibC.Pread(_descriptor, entries, (nuint)(pages * 8), checked((long)(start / PageSize * 8)));
            return _entries.AsSpan(0, (int)Math.Max(0, read / 8));
        }
    }
}
