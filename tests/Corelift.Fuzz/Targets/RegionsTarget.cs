using Corelift.Capture;
using Corelift.Capture.Planning;
using Corelift.Fuzz.Engine;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;

namespace Corelift.Fuzz.Targets;

/// <summary>
/// What becomes of maps: the regions of a capture, from VMAs that are no longer those that smaps showed before, with the stack
/// pointers that the target had, and pages that it says exist.
/// </summary>
internal sealed class RegionsTarget : IFuzzTarget
{
    private const int HeadBytes = 3 + (4 * sizeof(ulong));

    private static readonly ProcfsLimits s_limits = new() { MaxVmas = 64, MaxNameBytes = 256 };

    public static string Name => "regions";

    public static IReadOnlyList<string> Words =>
        [.. MapsTarget.Words, "/dev/zero", "/dev/shm/x", "/memfd:x", "/SYSV", "[vdso]", "[vvar]", "/secretmem", "/dev/dri/card0", "io", "pf", "wf", "dc", "libcoreclr.so", "doublemapper", "\0"];

    public static IEnumerable<byte[]> Seeds =>
        from content in Enumerable.Range(0, 3)
        select (byte[])[(byte)content, (byte)content, 0, .. BitConverter.GetBytes(0x7ffc0ea00000), .. BitConverter.GetBytes(0xe04000L), .. new byte[16], .. ProcText.Bytes(ProcText.Smaps + "\0" + ProcText.Maps)];

    public static void Fuzz(ReadOnlySpan<byte> input)
    {
        if (input.Length < HeadBytes)
        {
            return;
        }

        ulong[] pointers = [.. Enumerable.Range(0, 4).Zip(Words64(input), (_, pointer) => pointer)];
        ReadOnlySpan<byte> text = input[HeadBytes..];
        int middle = text.IndexOf((byte)0);
        try
        {
            List<VmaDetails> before = SmapsParser.Parse(middle < 0 ? text : text[..middle], s_limits);
            List<Vma> now = middle < 0 ? [.. before.Select(details => details.Vma)] : MapsParser.Parse(text[(middle + 1)..], s_limits);
            Plan(input, before, now, pointers);
        }
        catch (ProcfsFormatException)
        {
            // What is documented.
        }
    }

    private static ulong[] Words64(ReadOnlySpan<byte> input) =>
        System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(input[3..HeadBytes]).ToArray();

    private static void Plan(ReadOnlySpan<byte> input, List<VmaDetails> before, List<Vma> now, ulong[] pointers)
    {
        ContentSelector selector = new(new SelectionInput
        {
            Content = (CaptureContent)((int)CaptureContent.Default + (input[0] % 3)),
            CoredumpFilter = input[2],
            IsCoreClr = (input[2] & 1) != 0,
            Secrets = new SecretMemory { IsIncluded = (input[0] & 0x80) != 0, Names = ["*heap*", "/usr/*er"] },
            StackPointers = pointers,
            DebuggerPages = [.. pointers.Select(pointer => pointer & ~4095UL)],
        });
        CaptureStrategy[] strategies = [CaptureStrategy.Fork, CaptureStrategy.Direct, CaptureStrategy.Precopy];
        CaptureStrategy strategy = strategies[input[1] % 3];
        List<CaptureRegion> regions = strategy == CaptureStrategy.Precopy
            ? RegionPlanner.PlanPrecopy(now, before, selector, input[1] << 12)
            : RegionPlanner.Plan(now, before, selector, strategy, copiesInPause: (input[1] & 0x80) != 0);
        Verify(now, regions);
        PageRunList runs = new(2);
        foreach (CaptureRegion region in regions.Where(region => region.HasBytes))
        {
            runs.Add(region.Start, region.End);
        }

        if (runs.TotalBytes != regions.Where(region => region.HasBytes).Aggregate(0UL, (sum, region) => sum + region.LengthBytes))
        {
            throw new InvalidOperationException("runs of pages of another length than their regions");
        }
    }

    /// <summary>The regions of each VMA follow each other from its start to its end.</summary>
    private static void Verify(List<Vma> vmas, List<CaptureRegion> regions)
    {
        int next = 0;
        for (int i = 0; i < vmas.Count; i++)
        {
            ulong at = vmas[i].Start.Value;
            for (; next < regions.Count && regions[next].VmaIndex == i; next++)
            {
                if (regions[next].Start != at || regions[next].End <= at)
                {
                    throw new InvalidOperationException($"a region 0x{regions[next].Start:x}-0x{regions[next].End:x} where 0x{at:x} was due");
                }

                at = regions[next].End;
            }

            if (at != vmas[i].End.Value)
            {
                throw new InvalidOperationException("regions that end before their VMA");
            }
        }
    }
}
