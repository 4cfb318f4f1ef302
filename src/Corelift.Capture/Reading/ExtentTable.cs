using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Corelift.Capture.Worker;
using Corelift.Linux.Memory;

namespace Corelift.Capture.Reading;

/// <summary>What a worker copied in the pause, in ascending order of address, read where the worker wrote it.</summary>
internal sealed class ExtentTable(SharedBuffer report, long offset, int count)
{
    internal int Count => count;

    /// <exception cref="ArgumentOutOfRangeException">Not below the count.</exception>
    internal PauseExtent this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)count, nameof(index));
            int size = Unsafe.SizeOf<PauseExtent>();
            return MemoryMarshal.Read<PauseExtent>(report.Slice(offset + ((long)index * size), size));
        }
    }

    /// <summary>Index of the first extent that ends above an address.</summary>
    internal int Find(ulong address)
    {
        int low = 0;
        int high = count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            PauseExtent extent = this[middle];
            bool isBelow = extent.Address <= address && extent.LengthBytes <= address - extent.Address; // no sum that could overflow
            (low, high) = isBelow ? (middle + 1, high) : (low, middle);
        }

        return low;
    }
}
