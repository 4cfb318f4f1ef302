namespace Corelift.Elf;

/// <summary>How a core is laid out. The defaults suit every reader that is tested.</summary>
public sealed record CoreWriterOptions
{
    /// <summary>
    /// Bytes set aside at the end of the file for the JSON of the vendor note; rounded up to a multiple of 4.
    /// 4 KiB to 16 MiB. What the JSON leaves over is filled with spaces, so it takes this room in every core.
    /// </summary>
    public int VendorNoteReserveBytes { get; init; } = 64 * 1024;

    /// <summary>
    /// Most program headers before neighbouring regions of equal permissions are merged. Not below 3. ClrMD refuses
    /// cores of more than 10,000. What cannot be merged is written all the same, so the table may still be longer.
    /// </summary>
    public int MergeHeadersAbove { get; init; } = 9000;

    /// <summary>
    /// Most entries of NT_FILE before entries are merged that follow each other in address and in the file. Not
    /// negative. ClrMD refuses more than 10,000. What cannot be merged is written all the same.
    /// </summary>
    public int MergeMappedFilesAbove { get; init; } = 9000;

    /// <summary>
    /// Longest core, in bytes, that is begun on a destination that cannot seek. There every absent page is really
    /// written as zeros, so a region of 1 TiB takes its time whatever it holds; a caller that knows what is absent
    /// splits the region and gives the rest no bytes. At least 0.
    /// </summary>
    public long LargestPipeFileBytes { get; init; } = 1L << 40;
}
