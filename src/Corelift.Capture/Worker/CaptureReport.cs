using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Corelift.Capture.Reading;
using Corelift.Linux.Memory;

namespace Corelift.Capture.Worker;

/// <summary>A run of bytes that was copied in the pause.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct PauseExtent(ulong Address, ulong LengthBytes, long Offset);

/// <summary>Pages that turned out to be unreadable in the pause.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct UnreadableRun(ulong Start, ulong End);

/// <summary>Fixed part of what a worker says of an instant; the variable parts follow it in the same buffer.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ReportHeader
{
    internal int ThreadCount, ThreadStrideBytes, RegionCount, RegionBytes, ExtentCount, UnreadableCount, WrittenCount, MapsBytes, AuxvBytes;
    internal int IsGroupStopped, ImagePid;
    internal CaptureStrategy Strategy;
    internal WriteTracking Tracking; // of live rounds
    internal long PauseNanoseconds, SkewNanoseconds, StoppedAtUnixNanoseconds;
    internal long Interrupt, Registers, Scan, Copy, Fork, Resume, Setup;
    internal ulong ScratchStart, ScratchEnd;

    /// <summary>Where the copy lies, where its descriptor is the worker's mem file; 0 where that is to be mapped.</summary>
    internal ulong CopyAddress;

    /// <summary>What a target says of its stop, from then on, also after its resume; all else is 0.</summary>
    internal static ReportHeader Of(StoppedTarget target) => new()
    {
        ThreadCount = target.StoppedCount,
        ThreadStrideBytes = target.Records.StrideBytes,
        IsGroupStopped = target.Session.IsGroupStopped ? 1 : 0,
        SkewNanoseconds = target.Session.SkewNanoseconds,
        StoppedAtUnixNanoseconds = target.StoppedAtUnixNanoseconds,
        Interrupt = target.InterruptNanoseconds,
        Registers = target.RegistersNanoseconds,
    };
}

/// <summary>The report's variable parts.</summary>
internal sealed record ReportParts(byte[] Maps, byte[] Auxv, CaptureRegion[] Regions, UnreadableRun[] Unreadable)
{
    /// <summary>Strategy precopy: what was written, unmapped or mapped anew since the live rounds, in ascending order.</summary>
    internal PageRun[] Written { get; init; } = [];
}

/// <summary>Writes and reads the report that a worker hands over in a memfd.</summary>
internal static class CaptureReport
{
    private const int Alignment = 16;

    internal static SharedBuffer Write(ReportHeader header, ReportParts parts, ExtentList extents)
    {
        header.MapsBytes = parts.Maps.Length;
        header.AuxvBytes = parts.Auxv.Length;
        header.RegionCount = parts.Regions.Length;
        header.RegionBytes = Unsafe.SizeOf<CaptureRegion>();
        header.ExtentCount = extents.Count;
        header.UnreadableCount = parts.Unreadable.Length;
        header.WrittenCount = parts.Written.Length;
        ReadOnlySpan<byte> regions = MemoryMarshal.AsBytes<CaptureRegion>(parts.Regions);
        int extentBytes = checked(extents.Count * Unsafe.SizeOf<PauseExtent>());
        ReadOnlySpan<byte> unreadable = MemoryMarshal.AsBytes<UnreadableRun>(parts.Unreadable);
        ReadOnlySpan<byte> written = MemoryMarshal.AsBytes<PageRun>(parts.Written);
        long length = Align(Unsafe.SizeOf<ReportHeader>()) + Align(parts.Maps.Length) + Align(parts.Auxv.Length)
            + Align(regions.Length) + Align(extentBytes) + Align(unreadable.Length) + Align(written.Length);

        SharedBuffer buffer = SharedBuffer.Create("corelift-report", length);
        long offset = 0;
        Append(buffer, ref offset, WorkerMessage.ToBytes(ref header));
        Append(buffer, ref offset, parts.Maps);
        Append(buffer, ref offset, parts.Auxv);
        Append(buffer, ref offset, regions);
        Append(buffer, ref offset, unreadable);
        Append(buffer, ref offset, written);
        foreach (ReadOnlyMemory<PauseExtent> block in extents.Blocks())
        {
            ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(block.Span);
            bytes.CopyTo(buffer.Slice(offset, bytes.Length));
            offset += bytes.Length;
        }

        return buffer;
    }

    /// <summary>Copies the report out of its buffer, but for the extents: they stay there, and their table does not own it.</summary>
    /// <exception cref="InvalidDataException">Lengths do not fit the buffer.</exception>
    internal static (ReportHeader Header, ReportParts Parts, ExtentTable Extents) Read(SharedBuffer buffer)
    {
        long offset = 0;
        var header = MemoryMarshal.Read<ReportHeader>(Take(buffer, ref offset, Unsafe.SizeOf<ReportHeader>()));
        byte[] maps = Take(buffer, ref offset, header.MapsBytes).ToArray();
        byte[] auxv = Take(buffer, ref offset, header.AuxvBytes).ToArray();
        CaptureRegion[] regions = TakeArray<CaptureRegion>(buffer, ref offset, header.RegionCount);
        UnreadableRun[] unreadable = TakeArray<UnreadableRun>(buffer, ref offset, header.UnreadableCount);
        PageRun[] written = TakeArray<PageRun>(buffer, ref offset, header.WrittenCount);
        long extents = offset;
        _ = Take(buffer, ref offset, (long)header.ExtentCount * Unsafe.SizeOf<PauseExtent>());
        return (header, new ReportParts(maps, auxv, regions, unreadable) { Written = written }, new ExtentTable(buffer, extents, header.ExtentCount));
    }

    private static long Align(int length) => ((long)length + Alignment - 1) & ~(Alignment - 1L);

    private static void Append(SharedBuffer buffer, ref long offset, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(buffer.Slice(offset, bytes.Length));
        offset += Align(bytes.Length);
    }

    /// <param name="buffer">The report.</param>
    /// <param name="offset">Where; moved behind it.</param>
    /// <param name="length">How much; a product of two 32-bit numbers at most.</param>
    private static Span<byte> Take(SharedBuffer buffer, ref long offset, long length)
    {
        if (length is < 0 or > int.MaxValue || length > buffer.LengthBytes - offset)
        {
            throw new InvalidDataException("a worker's report does not fit its buffer");
        }

        Span<byte> bytes = buffer.Slice(offset, (int)length);
        offset += Align((int)length);
        return bytes;
    }

    private static T[] TakeArray<T>(SharedBuffer buffer, ref long offset, int count)
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(Take(buffer, ref offset, (long)count * Unsafe.SizeOf<T>())).ToArray();
}
