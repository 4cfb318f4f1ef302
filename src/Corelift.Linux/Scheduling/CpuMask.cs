using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Corelift.Linux.Interop;

namespace Corelift.Linux.Scheduling;

/// <summary>A set of CPUs (cpu_set_t), as large as Linux can be built for on x86-64.</summary>
[InlineArray(WordCount)]
internal struct CpuMask
{
    private const int WordCount = 128;
    private const int BitsPerWord = 64;

    private ulong _first;

    /// <summary>Every CPU that there could be.</summary>
    internal static CpuMask All
    {
        get
        {
            CpuMask mask = default;
            ((Span<ulong>)mask).Fill(ulong.MaxValue);
            return mask;
        }
    }

    /// <summary>Number of CPUs in it.</summary>
    internal readonly int Count
    {
        get
        {
            int count = 0;
            foreach (ulong word in (ReadOnlySpan<ulong>)this)
            {
                count += BitOperations.PopCount(word);
            }

            return count;
        }
    }

    /// <summary>The CPU with the largest number in it, or -1.</summary>
    internal readonly int Last
    {
        get
        {
            int word = ((ReadOnlySpan<ulong>)this).LastIndexOfAnyExcept(0UL);
            return word < 0 ? -1 : (word * BitsPerWord) + BitOperations.Log2(this[word]);
        }
    }

    /// <summary>A set of one.</summary>
    internal static CpuMask Of(int cpu)
    {
        CpuMask mask = default;
        mask[cpu / BitsPerWord] = 1UL << (cpu % BitsPerWord);
        return mask;
    }

    /// <summary>Whether a CPU is in it.</summary>
    internal readonly bool Has(int cpu) => cpu >= 0 && cpu < WordCount * BitsPerWord && (this[cpu / BitsPerWord] & (1UL << (cpu % BitsPerWord))) != 0;

    /// <summary>The CPUs that are in both.</summary>
    internal readonly CpuMask And(in CpuMask other)
    {
        CpuMask both = default;
        for (int i = 0; i < WordCount; i++)
        {
            both[i] = this[i] & other[i];
        }

        return both;
    }

    /// <summary>The CPUs that are not in <paramref name="other"/>.</summary>
    internal readonly CpuMask Except(in CpuMask other)
    {
        CpuMask rest = default;
        for (int i = 0; i < WordCount; i++)
        {
            rest[i] = this[i] & ~other[i];
        }

        return rest;
    }

    /// <summary>Where a task may run (sched_getaffinity(2)): what it asked for, within its cpuset.</summary>
    /// <param name="tid">A task, or 0 for the calling thread.</param>
    /// <param name="mask">The set.</param>
    /// <returns>False where the task has gone.</returns>
    internal static unsafe bool TryGet(int tid, out CpuMask mask)
    {
        mask = default;
        fixed (CpuMask* start = &mask)
        {
            return LibC.SchedGetaffinity(tid, start, sizeof(CpuMask)) > 0;
        }
    }

    /// <summary>sched_setaffinity(2); <see cref="Errno.None"/> where it worked.</summary>
    internal static unsafe Errno Set(int tid, in CpuMask mask)
    {
        fixed (CpuMask* start = &mask)
        {
            return LibC.SchedSetaffinity(tid, start, sizeof(CpuMask)) ? Errno.None : (Errno)Marshal.GetLastPInvokeError();
        }
    }

    /// <summary>Whether both hold the same CPUs.</summary>
    internal readonly bool IsSame(in CpuMask other) => ((ReadOnlySpan<ulong>)this).SequenceEqual(other);
}
