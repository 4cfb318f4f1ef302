using Corelift.Capture;
using Corelift.Linux.Procfs;
using Wire = Corelift.V1;

namespace Corelift.Agent.Services;

/// <summary>VMAs with what smaps adds, as the contract has them.</summary>
internal static class VmaMapping
{
    private const int MessageBytes = 900 * 1024;

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

    /// <summary>VMAs in lists that fit a message each; the last one may be empty only where there are none.</summary>
    internal static IEnumerable<List<Wire.CapturedVma>> InMessages(this IReadOnlyList<CapturedVma> vmas)
    {
        var list = new List<Wire.CapturedVma>();
        int bytes = 0;
        foreach (CapturedVma vma in vmas)
        {
            Wire.CapturedVma wire = vma.ToWire();
            int size = wire.CalculateSize() + 8;
            if (bytes + size > MessageBytes)
            {
                yield return list;
                list = [];
                bytes = 0;
            }

            list.Add(wire);
            bytes += size;
        }

        yield return list;
    }
}
