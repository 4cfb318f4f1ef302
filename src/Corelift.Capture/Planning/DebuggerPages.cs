using System.Buffers.Binary;
using Corelift.Capture.Worker;
using Corelift.Linux;
using Corelift.Linux.Memory;

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

    /// <summary>Addresses of the pages, each once.</summary>
    internal static HashSet<ulong> Find(TargetFacts facts)
    {
        var pages = new HashSet<ulong>();
        try
        {
            var memory = new ProcessMemory(facts.Directory.Tid);
            if (AuxvOnStack.Read(facts) is { } auxv)
            {
                ulong headers = AuxvValue(auxv, 3); // AT_PHDR
                Add(pages, headers, ProgramHeaderBytes * MostHeaders / 4);
                ulong dynamic = FindDynamic(memory, headers, Math.Min(AuxvValue(auxv, 5), MostHeaders)); // AT_PHNUM
                Add(pages, dynamic, 16 * 40);
                WalkLinkMap(memory, FindDebug(memory, dynamic), pages);
            }
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

    private static ulong FindDynamic(ProcessMemory memory, ulong headers, ulong count)
    {
        ulong bias = 0;
        ulong dynamic = 0;
        for (ulong i = 0; i < count; i++)
        {
            ulong header = unchecked(headers + (i * ProgramHeaderBytes));
            if (!memory.TryRead(header, out uint type) || !memory.TryRead(unchecked(header + 16), out ulong address))
            {
                break;
            }

            if (type == ProgramHeaderTable)
            {
                bias = unchecked(headers - address);
            }
            else if (type == Dynamic)
            {
                dynamic = address;
            }
        }

        return dynamic == 0 ? 0 : unchecked(bias + dynamic);
    }

    private static ulong FindDebug(ProcessMemory memory, ulong dynamic)
    {
        for (int i = 0; i < MostDynamicEntries && dynamic != 0; i++, dynamic = unchecked(dynamic + 16))
        {
            if (!memory.TryRead(dynamic, out ulong tag) || tag == 0)
            {
                break;
            }

            if (tag == Debug)
            {
                return memory.TryRead(unchecked(dynamic + 8), out ulong value) ? value : 0;
            }
        }

        return 0;
    }

    private static void WalkLinkMap(ProcessMemory memory, ulong debug, HashSet<ulong> pages)
    {
        Add(pages, debug, 40);
        if (debug == 0 || !memory.TryRead(unchecked(debug + 8), out ulong map))
        {
            return;
        }

        for (int i = 0; i < MostObjects && map != 0; i++)
        {
            Add(pages, map, 40);
            if (!memory.TryRead(unchecked(map + 8), out ulong name) || !memory.TryRead(unchecked(map + 16), out ulong dynamic)
                || !memory.TryRead(unchecked(map + 24), out ulong next))
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
        if (address == 0 || address > ulong.MaxValue - lengthBytes)
        {
            return;
        }

        for (ulong page = address & ~(PageBytes - 1); page < address + lengthBytes; page += PageBytes)
        {
            pages.Add(page);
        }
    }
}
