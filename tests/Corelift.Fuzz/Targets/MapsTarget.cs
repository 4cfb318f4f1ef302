using Corelift.Fuzz.Engine;
using Corelift.Linux.Procfs;

namespace Corelift.Fuzz.Targets;

/// <summary>maps, smaps and smaps_rollup: names are the target's, numbers and their order the kernel's.</summary>
internal sealed class MapsTarget : IFuzzTarget
{
    private static readonly ProcfsLimits s_limits = new() { MaxVmas = 64, MaxNameBytes = 256 };

    public static string Name => "maps";

    public static IReadOnlyList<string> Words =>
    [
        "\\012", " (deleted)", "[heap]", "[stack]", "rwxs", "---p", "00:00 0", "\n", ":", "-", " kB\n", "VmFlags: ", "Rss: ", "Swap: ", "Locked: ", "KernelPageSize: ",
        "dd", "00000000-00001000 r--p 00000000 00:00 0 \n", "fffffffffffff000-ffffffffffffffff",
    ];

    public static IEnumerable<byte[]> Seeds =>
    [
        ProcText.Bytes(0, ProcText.Maps), ProcText.Bytes(1, ProcText.Smaps),
        ProcText.Bytes(2, "00400000-7ffc0ea12000 ---p 00000000 00:00 0                              [rollup]\n" + ProcText.SmapsBlock),
    ];

    public static void Fuzz(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty)
        {
            return;
        }

        ReadOnlySpan<byte> text = input[1..];
        try
        {
            switch (input[0] % 3)
            {
                case 0:
                    VerifyOrder(MapsParser.Parse(text, s_limits));
                    break;
                case 1:
                    VerifyOrder([.. SmapsParser.Parse(text, s_limits).Select(details => details.Vma)]);
                    break;
                default:
                    _ = SmapsParser.ParseRollup(text, s_limits);
                    break;
            }
        }
        catch (ProcfsFormatException)
        {
            // What is documented.
        }
    }

    private static void VerifyOrder(List<Vma> vmas)
    {
        for (int i = 0; i < vmas.Count; i++)
        {
            if (vmas[i].End <= vmas[i].Start || (i > 0 && vmas[i].Start < vmas[i - 1].End))
            {
                throw new InvalidOperationException("VMAs that are empty or out of order");
            }
        }
    }
}
