namespace Corelift.Capture.Reading;

/// <summary>
/// Bytes of the target's memory, or a hole. The bytes belong to the reader and are valid until its next step; runs of zero
/// pages come in neither, but for those that replace what a live round read.
/// </summary>
/// <param name="Address">First address.</param>
/// <param name="Bytes">The bytes; empty for a hole.</param>
/// <param name="HoleBytes">Length of the hole, or of the zeros; 0 for bytes.</param>
/// <param name="Hole">Why, for a hole; None for bytes and zeros.</param>
public readonly record struct MemoryPart(ulong Address, ReadOnlyMemory<byte> Bytes, ulong HoleBytes, HoleCause Hole)
{
    /// <summary>Whether it is a hole.</summary>
    public bool IsHole => HoleBytes > 0 && Hole != HoleCause.None;

    /// <summary>Whether it says that addresses are zero by now which a live round may have found otherwise (strategy precopy).</summary>
    public bool IsZero => HoleBytes > 0 && Hole == HoleCause.None;

    /// <summary>Zeros that replace what a live round read.</summary>
    internal static MemoryPart Zeros(ulong start, ulong end) => new(start, default, end - start, HoleCause.None);
}
