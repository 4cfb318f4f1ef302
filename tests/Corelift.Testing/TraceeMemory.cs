using System.Runtime.InteropServices;

namespace Corelift.Testing;

/// <summary>A half-open range of addresses of a tracee.</summary>
public readonly record struct AddressSpan(ulong Start, ulong End)
{
    /// <summary>Bytes in it.</summary>
    public long Length => checked((long)(End - Start));

    /// <summary>"0x...-0x..." as tracees print it.</summary>
    public static AddressSpan Parse(string text)
    {
        string[] ends = text.Split('-');
        return new AddressSpan(TraceeMemory.Address(ends[0]), TraceeMemory.Address(ends[1]));
    }
}

/// <summary>The content of a tracee's memory as a function of the address; the same as tracee_word in tracee.h.</summary>
public static class TraceeMemory
{
    /// <summary>Bytes of a page of the tracees.</summary>
    public const int PageSize = 4096;

    /// <summary>The word at an address in an epoch.</summary>
    public static ulong Word(ulong address, ulong epoch = 0)
    {
        unchecked
        {
            ulong x = address + (epoch * 0x9e3779b97f4a7c15ul);
            x ^= x >> 30;
            x *= 0xbf58476d1ce4e5b9ul;
            x ^= x >> 27;
            x *= 0x94d049bb133111ebul;
            x ^= x >> 31;
            return x;
        }
    }

    /// <summary>What the bytes from a word-aligned address on must be.</summary>
    public static byte[] Expected(ulong address, int length, ulong epoch = 0)
    {
        byte[] bytes = new byte[length];
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes.AsSpan());
        for (int i = 0; i < words.Length; i++)
        {
            words[i] = Word(address + ((ulong)i * sizeof(ulong)), epoch);
        }

        return bytes;
    }

    /// <summary>Index of the first byte that is not what the function says, or -1.</summary>
    public static int FirstDifference(ReadOnlySpan<byte> actual, ulong address, ulong epoch = 0)
    {
        int same = actual.CommonPrefixLength(Expected(address, actual.Length, epoch));
        return same == actual.Length ? -1 : same;
    }

    /// <summary>"0x..." as a number.</summary>
    public static ulong Address(string text) => Convert.ToUInt64(text, 16);
}
