using System.Numerics;
using System.Runtime.InteropServices;
using SharpFuzz.Common;

namespace Corelift.Fuzz.Engine;

/// <summary>
/// Which branches an input took, and how often: the counters that instrumented code raises (those of afl), and what all inputs so
/// far have shown together. Code that is not instrumented shows nothing.
/// </summary>
internal sealed unsafe class CoverageMap
{
    private const int Size = 1 << 16;

    // Counts of one class say the same: once, twice, three times, some, many.
    private static readonly byte[] s_classes =
        [.. Enumerable.Range(0, 256).Select(count => (byte)(count < 4 ? (1 << count) >> 1 : 1 << Math.Min(7, BitOperations.Log2((uint)count) + 1)))];

    // Never freed: a thread of an input may outlive it.
    private static readonly byte* s_counts = (byte*)NativeMemory.AllocZeroed(Size);
    private readonly byte[] _seen = new byte[Size];

    /// <summary>Branches that were taken at all.</summary>
    internal int Branches { get; private set; }

    /// <summary>Gives instrumented code its counters. Before any of it runs: it writes to them without asking.</summary>
    internal static void Attach() => Trace.SharedMem = s_counts;

    /// <summary>Forgets the counts of the input before.</summary>
    internal static void Begin()
    {
        new Span<byte>(s_counts, Size).Clear();
        Trace.PrevLocation = 0;
    }

    /// <summary>Takes the counts of an input; how many of them are new in their class.</summary>
    internal int Take()
    {
        int found = 0;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(new ReadOnlySpan<byte>(s_counts, Size));
        for (int i = 0; i < words.Length; i++)
        {
            if (words[i] != 0)
            {
                found += TakeWord(i * sizeof(ulong));
            }
        }

        return found;
    }

    private int TakeWord(int start)
    {
        int found = 0;
        for (int i = start; i < start + sizeof(ulong); i++)
        {
            byte kind = s_classes[s_counts[i]];
            if ((kind & ~_seen[i]) != 0)
            {
                Branches += _seen[i] == 0 ? 1 : 0;
                _seen[i] |= kind;
                found++;
            }
        }

        return found;
    }
}
