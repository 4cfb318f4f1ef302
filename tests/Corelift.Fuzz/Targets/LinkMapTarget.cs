using System.Buffers.Binary;
using Corelift.Capture.Planning;
using Corelift.Fuzz.Engine;

namespace Corelift.Fuzz.Targets;

/// <summary>The structures in a target's memory that lead to its link_map: pointer loops and huge counts are its to write.</summary>
internal sealed class LinkMapTarget : IFuzzTarget
{
    private const int AuxvBytes = 64;
    private const ulong Base = 0x10000;
    private const int MostPages = 100_000;

    public static string Name => "link-map";

    public static IReadOnlyList<string> Words => ["\u0003\0\0\0\0\0\0\0", "\u0005\0\0\0\0\0\0\0", "\u0006\0\0\0", "\u0002\0\0\0", "\u0015\0\0\0\0\0\0\0"];

    public static IEnumerable<byte[]> Seeds => [Memory()];

    public static void Fuzz(ReadOnlySpan<byte> input)
    {
        byte[] auxv = input[..Math.Min(AuxvBytes, input.Length)].ToArray();
        byte[] memory = input[auxv.Length..].ToArray();
        int reads = 0;
        bool TryRead(ulong address, out ulong value)
        {
            reads++;
            bool holds = address >= Base && address - Base <= (ulong)Math.Max(0, memory.Length - 8) && memory.Length >= 8;
            value = holds ? BinaryPrimitives.ReadUInt64LittleEndian(memory.AsSpan((int)(address - Base))) : 0;
            return holds;
        }

        HashSet<ulong> pages = DebuggerPages.Find(TryRead, auxv);
        if (pages.Count > MostPages || reads > MostPages)
        {
            throw new InvalidOperationException($"{pages.Count} pages and {reads} reads");
        }
    }

    /// <summary>Program headers, a dynamic section with DT_DEBUG, r_debug and a ring of two link_maps.</summary>
    private static byte[] Memory()
    {
        byte[] input = new byte[AuxvBytes + 512];
        void Put(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(input.AsSpan(at), value);
        void Write(int at, ulong value) => Put(AuxvBytes + at, value);
        (ulong, ulong)[] auxv = [(3, Base), (5, 2), (6, 4096), (0, 0)];
        for (int i = 0; i < auxv.Length; i++)
        {
            Put(i * 16, auxv[i].Item1);
            Put((i * 16) + 8, auxv[i].Item2);
        }

        Write(0, 6); // PT_PHDR
        Write(16, Base);
        Write(56, 2); // PT_DYNAMIC
        Write(56 + 16, Base + 128);
        Write(128, 1);
        Write(144, 21); // DT_DEBUG
        Write(152, Base + 200);
        Write(208, Base + 256);
        foreach ((int at, ulong next) in ((int, ulong)[])[(256, Base + 320), (320, Base + 256)])
        {
            Write(at + 8, Base + 400);
            Write(at + 16, Base + 128);
            Write(at + 24, next);
        }

        return input;
    }
}
