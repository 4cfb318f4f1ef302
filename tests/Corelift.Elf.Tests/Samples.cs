using System.Buffers.Binary;
using System.Text;

namespace Corelift.Elf.Tests;

/// <summary>Synthetic snapshots: plausible enough for every reader to open, with values that tell where they came from.</summary>
internal static class Samples
{
    internal const int Page = 4096;
    internal const ulong Base = 0x7f00_0000_0000;

    internal static byte[] Json => new SnapshotRecord { ToolVersion = "test", Totals = new RecordTotals(1, 1, 1) }.ToJson();

    internal static CoreSnapshot Snapshot(int threads = 2, params CoreVma[] vmas) => new()
    {
        Machine = 62,
        PageSizeBytes = Page,
        Process = new CoreProcess
        {
            State = 'S',
            Nice = -5,
            Flags = 0x400100,
            Uid = 1000,
            Gid = 1001,
            Pid = 4000,
            ParentPid = 3999,
            ProcessGroup = 3998,
            Session = 3997,
            Name = "a-name-that-is-too-long"u8.ToArray(),
            Arguments = Encoding.ASCII.GetBytes("/usr/bin/target\0--flag " + new string('x', 100)),
        },
        Threads = [.. Enumerable.Range(0, threads).Select(i => Thread(4000 + i))],
        Vmas = vmas.Length > 0 ? vmas : [Vma(0, 4, CoreVmaFlags.Read | CoreVmaFlags.Write)],
        Auxv = Auxv(),
    };

    internal static CoreThread Thread(int tid) => new()
    {
        Tid = tid,
        RegisterSets = [new(1, Pattern(216, tid)), new(0x202, XState(tid + 1))],
        SigInfo = new byte[128],
        CurrentSignal = 11,
        PendingSignals = 0x1111,
        BlockedSignals = 0x2222,
        UserTime = TimeSpan.FromMicroseconds(3_000_004),
        SystemTime = TimeSpan.FromMicroseconds(5_000_006),
    };

    /// <summary>A VMA at a page of <see cref="Base"/>, of one region.</summary>
    internal static CoreVma Vma(
        long page, long pages, CoreVmaFlags flags, bool hasBytes = true, string path = "", ulong fileOffsetBytes = 0)
    {
        ulong start = Base + ((ulong)page * Page);
        ulong end = start + ((ulong)pages * Page);
        return new CoreVma
        {
            Start = start,
            End = end,
            Flags = flags,
            Path = path,
            FileOffsetBytes = fileOffsetBytes,
            Regions = [new CoreRegion(start, end, hasBytes)],
        };
    }

    /// <summary>Pages next to each other whose permissions alternate, so that none can be merged.</summary>
    internal static CoreVma[] Alternating(int count) =>
        [.. Enumerable.Range(0, count).Select(i => Vma(i, 1, i % 2 == 0 ? CoreVmaFlags.Read : CoreVmaFlags.Read | CoreVmaFlags.Write, hasBytes: i % 100 == 0))];

    internal static byte[] Pattern(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>A small whole core of two threads, four VMAs of which two are of a file, and some memory.</summary>
    internal static byte[] SmallCore(CoreWriterOptions? options = null, SnapshotRecord? record = null)
    {
        using MemoryStream stream = new();
        using CoreWriter writer = CoreWriter.Create(stream, SmallSnapshot(), options ?? new() { VendorNoteReserveBytes = 4096 });
        writer.WriteMemory(Base, Pattern(Page, 1));
        writer.WriteMemory(Base + (7 * Page), Pattern(Page, 2));
        writer.Complete(record?.ToJson(writer.VendorNoteCapacityBytes) ?? Json);
        return stream.ToArray();
    }

    internal static CoreSnapshot SmallSnapshot() => Snapshot(
        2,
        Vma(0, 1, CoreVmaFlags.Read, path: "/usr/bin/target"),
        Vma(1, 2, CoreVmaFlags.Read | CoreVmaFlags.Execute, hasBytes: false, path: "/usr/bin/target", fileOffsetBytes: Page),
        Vma(3, 1, CoreVmaFlags.None, hasBytes: false),
        Vma(4, 4, CoreVmaFlags.Read | CoreVmaFlags.Write));

    /// <summary>
    /// An xstate of a CPU with AVX-512 and protection keys. Only the FXSAVE area is noise: gdb takes XCR0 from offset 464 and
    /// says "Core file format not supported" to a core whose XCR0 makes no sense.
    /// </summary>
    internal static byte[] XState(int seed)
    {
        byte[] xstate = new byte[2696];
        Pattern(464, seed).CopyTo(xstate, 0);
        BinaryPrimitives.WriteUInt64LittleEndian(xstate.AsSpan(464), 0x2e7);
        return xstate;
    }

    private static byte[] Auxv()
    {
        byte[] auxv = new byte[32];
        BinaryPrimitives.WriteUInt64LittleEndian(auxv, 6); // AT_PAGESZ
        BinaryPrimitives.WriteUInt64LittleEndian(auxv.AsSpan(8), Page);
        return auxv;
    }
}
