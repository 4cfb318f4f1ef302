namespace Corelift.Capture.Reading;

/// <summary>
/// Bytes of the target's memory, or a hole. The bytes belong to the reader and are valid until its next step; runs of zero
/// pages come in neither.
/// </summary>
/// <param name="Address">First address.</param>
/// <param name="Bytes">The bytes; empty for a hole.</param>
/// <param name="HoleBytes">Length of the hole; 0 for bytes.</param>
/// <param name="Hole">Why, for a hole.</param>
public readonly record struct MemoryPart(ulong Address, ReadOnlyMemory<byte> Bytes, ulong HoleBytes, HoleCause Hole)
{
    /// <summary>Whether it is a hole.</summary>
    public bool IsHole => HoleBytes > 0;
}
