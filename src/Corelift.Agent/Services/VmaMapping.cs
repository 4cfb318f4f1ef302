using Corelift.Linux.Procfs;
using Wire = Corelift.V1;

namespace Corelift.Agent.Services;

/// <summary>VMAs with what smaps adds, as the contract has them.</summary>
internal static class VmaMapping
{
    /// <summary>Maps a VMA with its details; where there are none they are zero, and there are no flags.</summary>
    internal static Wire.Vma ToWire(this VmaDetails details)
    {
        Wire.Vma wire = details.Vma.ToWire();
        wire.ResidentBytes = details.ResidentBytes;
        wire.SwappedBytes = details.SwappedBytes;
        wire.AnonymousBytes = details.AnonymousBytes;
        wire.KernelFlags.AddRange(VmaKernelFlagNames.Format(details.Flags));
        wire.KernelFlags.AddRange(details.OtherFlags);
        return wire;
    }
}
