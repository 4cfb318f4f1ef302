using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Corelift.Capture;
using Corelift.Capture.Reading;
using Corelift.Capture.Worker;
using Corelift.Fuzz.Engine;
using Corelift.Linux.Memory;

namespace Corelift.Fuzz.Targets;

/// <summary>The report of an instant, in memory that a worker hands over: counts, lengths, and what they lead to.</summary>
internal sealed class WorkerReportTarget : IFuzzTarget
{
    private const int BufferBytes = 16 * 1024;
    private static readonly Lazy<SharedBuffer> s_buffer = new(() => SharedBuffer.Create("fuzz-report", BufferBytes));

    public static string Name => "worker-report";

    public static int MostBytes => BufferBytes;

    public static IEnumerable<byte[]> Seeds
    {
        get
        {
            ExtentList extents = new();
            extents.Add(new PauseExtent(0x1000, 4096, 0));
            extents.Add(new PauseExtent(0x4000, 8192, 4096));
            ReportParts parts = new(
                ProcText.Bytes(ProcText.Maps), new byte[32], [new CaptureRegion(0x1000, 0x2000, 0, Consistency.Instant, HoleCause.None, RegionSource.PauseCopy)], [new UnreadableRun(0x3000, 0x4000)])
            {
                Written = [new PageRun(0x1000, 0x2000)],
            };
            using SharedBuffer report = CaptureReport.Write(new ReportHeader { ThreadCount = 1, ThreadStrideBytes = 4096 }, parts, extents);
            return [report.Slice(0, (int)report.LengthBytes).ToArray()];
        }
    }

    public static byte[]? Mutate(byte[] input, Random random)
    {
        byte[] changed = (byte[])input.Clone();
        int fields = Math.Min(changed.Length, Unsafe.SizeOf<ReportHeader>()) / 4;
        if (fields > 0)
        {
            int[] values = [0, 1, -1, 2, int.MaxValue, int.MinValue, 1 << 24, 1 << 28, 0x4000, random.Next()];
            int value = values[random.Next(values.Length)];
            MemoryMarshal.Write(changed.AsSpan(random.Next(fields) * 4), in value);
        }

        return changed;
    }

    public static void Fuzz(ReadOnlySpan<byte> input)
    {
        Span<byte> memory = s_buffer.Value.Slice(0, BufferBytes);
        memory.Clear();
        input[..Math.Min(input.Length, BufferBytes)].CopyTo(memory);
        try
        {
            (_, _, ExtentTable extents) = CaptureReport.Read(s_buffer.Value);
            for (int i = 0; i < Math.Min(extents.Count, 64); i++)
            {
                _ = extents[i];
            }

            _ = extents.Find(0x4000);
            _ = extents.Find(ulong.MaxValue);
        }
        catch (InvalidDataException)
        {
            // What is documented.
        }
    }
}
