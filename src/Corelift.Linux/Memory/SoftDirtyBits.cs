using Corelift.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Memory;

/// <summary>
/// Has the kernel count all memory of a process as not written to (clear_refs, proc_pid_clear_refs(5)). It protects every page
/// for that, with the memory map held for writing: whoever of the process makes a page fault meanwhile, or maps, waits. Each
/// page's first write after it is a minor fault. There is nothing to take back.
/// </summary>
internal static unsafe class SoftDirtyBits
{
    private const int MostSamples = 512;
    private const int SamplesOfOne = 8;

    /// <summary>Resets the bits, and makes sure that it was done to this memory.</summary>
    /// <param name="clearRefs">The process's clear_refs, open for writing.</param>
    /// <param name="pagemap">Its pagemap.</param>
    /// <param name="ranges">Mappings of it, private and writable.</param>
    /// <returns>Whether pages that counted as written to no longer do.</returns>
    internal static bool TryReset(SafeFileHandle clearRefs, Pagemap pagemap, IEnumerable<PageRun> ranges)
    {
        var samples = new List<ulong>();
        foreach (PageRun range in ranges)
        {
            pagemap.SampleDirty(range.Start, range.End, Math.Min(MostSamples, samples.Count + SamplesOfOne), samples);
        }

        byte four = (byte)'4';
        return LibC.Write((int)clearRefs.DangerousGetHandle(), &four, 1) == 1 && pagemap.IsAnyReset(samples);
    }
}
