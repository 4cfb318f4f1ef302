using System.Buffers.Binary;
using Corelift.Capture.Worker;
using Corelift.Linux;
using Corelift.Linux.Memory;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Planning;

/// <summary>
/// Pages that a debugger needs to find the mapped objects of a core: program headers, dynamic sections, r_debug, and the
/// link_map list with its names (link.h). A walk over the target's own structures: bounded in every direction, and whatever
/// it cannot read it leaves out.
/// </summary>
internal static class DebuggerPages
{
    private const int MostObjects = 4096;
    private const int MostHeaders = 128;
    private const int MostDynamicEntries = 256;
    private const ulong PageBytes = 4096;
    private const ulong ProgramHeaderBytes = 56;

    private const uint Dynamic = 2;             // PT_DYNAMIC
    private const uint ProgramHeaderTable = 6;  // PT_PHDR
    private const ulong Debug = 21;             // DT_DEBUG

    /// <summary>Addresses of the pages, each once; by a worker, which may read the target without a descriptor.</summary>
    internal static HashSet<ulong> Find(TargetFacts facts) => AuxvOnStack.Read(facts) is { } auxv
        ? Find(new ProcessMemory(facts.Directory.Tid).TryRead, auxv)
        : [];

    /// <summary>Addresses of the pages, each once.</summary>
    /// <param name="read">Reads a word of the target; false where it cannot be read.</param>
    /// <param name="auxv">The auxiliary vector.</param>
    internal static HashSet<ulong> Find(WordReader read, byte[] auxv)
    {
        var pages = new HashSet<ulong>();
        try
        {
            ulong headers = AuxvValue(auxv, 3); // AT_PHDR
            Add(pages, headers, ProgramHeaderBytes * MostHeaders / 4);
            ulong dynamic = FindDynamic(read, headers, Math.Min(AuxvValue(auxv, 5), MostHeaders)); // AT_PHNUM
            Add(pages, dynamic, 16 * 40);
            WalkLinkMap(read, FindDebug(read, dynamic), pages);
        }
        catch (SyscallException)
        {
            // What was found so far is what there is.
        }

        return pages;
    }

    private static ulong AuxvValue(byte[] auxv, ulong type)
    {
        for (int i = 0; i + 16 <= auxv.Length; i += 16)
        {
            if (BinaryPrimitives.ReadUInt64LittleEndian(auxv.AsSpan(i)) == type)
            {
                return BinaryPrimitives.ReadUInt64LittleEndian(auxv.AsSpan(i + 8));
            }
        }

        return 0;
    }

    private static ulong FindDynamic(WordReader read, ulong headers, ulong count)
    {
        ulong bias = 0;
        ulong dynamic = 0;
        for (ulong i = 0; i < count; i++)
        {
            ulong header = unchecked(headers + (i * ProgramHeaderBytes));
            if (!read(header, out ulong type) || !read(unchecked(header + 16), out ulong address))
            {
                break;
            }

            if ((uint)(type & uint.MaxValue) == ProgramHeaderTable)
            {
                bias = unchecked(headers - address);
            }
            else if ((uint)(type & uint.MaxValue) == Dynamic)
            {
                dynamic = address;
            }
        }

        return dynamic == 0 ? 0 : unchecked(bias + dynamic);
    }

    private static ulong FindDebug(WordReader read, ulong dynamic)
    {
        for (int i = 0; i < MostDynamicEntries && dynamic != 0; i++, dynamic = unchecked(dynamic + 16))
        {
            if (!read(dynamic, out ulong tag) || tag == 0)
            {
                break;
            }

            if (tag == Debug)
            {
                return read(unchecked(dynamic + 8), out ulong value) ? value : 0;
            }
        }

        return 0;
    }

    private static void WalkLinkMap(WordReader read, ulong debug, HashSet<ulong> pages)
    {
        Add(pages, debug, 40);
        if (debug == 0 || !read(unchecked(debug + 8), out ulong map))
        {
            return;
        }

        for (int i = 0; i < MostObjects && map != 0; i++)
        {
            Add(pages, map, 40);
            if (!read(unchecked(map + 8), out ulong name) || !read(unchecked(map + 16), out ulong dynamic)
                || !read(unchecked(map + 24), out ulong next))
            {
                return;
            }

            Add(pages, name, 256);
            Add(pages, dynamic, 16 * 40);
            map = next;
        }
    }

    private static void Add(HashSet<ulong> pages, ulong address, ulong lengthBytes)
    {
        if (address == 0 || address > ulong.MaxValue - lengthBytes - PageBytes)
        {
            return; // the pages after the last one would be counted from 0 again
        }

        for (ulong page = address & ~(PageBytes - 1); page < address + lengthBytes; page += PageBytes)
        {
            pages.Add(page);
        }
    }
}

/// <summary>Reads eight bytes of a target; false where not all of them are readable.</summary>
internal delegate bool WordReader(ulong address, out ulong value);

/// <summary>Words through a descriptor of the target's memory.</summary>
internal sealed class MemFileWords(SafeFileHandle memory)
{
    internal bool TryRead(ulong address, out ulong value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        bool whole = address <= long.MaxValue && MemFile.Read(memory, new RemoteAddress(address), bytes, out _) == bytes.Length;
        value = whole ? BinaryPrimitives.ReadUInt64LittleEndian(bytes) : 0;
        return whole;
    }
}
