using System.Globalization;
using System.Text;
using Corelift.Linux.Interop;
using Corelift.Linux.Procfs;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Tests.Procfs;

/// <summary>A VMA grows while smaps is read: the real kernel then prints it twice.</summary>
public sealed class GrowingMapsTests
{
    private const int Page = 4096;
    private const int None = 0;                 // PROT_NONE
    private const int ReadWrite = 3;            // PROT_READ | PROT_WRITE
    private const int PrivateAnonymous = 0x22;  // MAP_PRIVATE | MAP_ANONYMOUS
    private const int Fixed = 0x10;             // MAP_FIXED

    [Fact]
    public unsafe void A_vma_that_grows_between_two_reads_is_there_once_and_whole()
    {
        byte* memory = (byte*)LibC.Mmap(null, 16 * Page, None, PrivateAnonymous, -1, 0);
        Assert.NotEqual(-1, (nint)memory);
        try
        {
            Map(memory + (4 * Page), 4);
            using SafeFileHandle source = File.OpenHandle("/proc/self/smaps");
            var text = new List<byte>();
            ReadTo(source, text, line => Begins(line, memory + (4 * Page), memory + (8 * Page)));
            Map(memory + (8 * Page), 2);
            ReadTo(source, text, _ => false);

            string[] lines = Encoding.ASCII.GetString([.. text]).Split('\n');
            Assert.Contains(lines, line => Begins(line, memory + (4 * Page), memory + (10 * Page))); // otherwise this proves nothing
            IEnumerable<Vma> vmas = SmapsParser.Parse([.. text], ProcfsLimits.Default).Select(details => details.Vma);
            ulong start = (ulong)memory;
            Assert.Equal(
                [(start + (4 * Page), start + (8 * Page)), (start + (8 * Page), start + (10 * Page))],
                vmas.Where(vma => vma.IsWritable && vma.Start.Value >= start && vma.End.Value <= start + (16 * Page)).Select(vma => (vma.Start.Value, vma.End.Value)));
        }
        finally
        {
            _ = LibC.Munmap(memory, 16 * Page);
        }
    }

    private static unsafe void Map(byte* address, int pages) =>
        Assert.Equal((nint)address, (nint)LibC.Mmap(address, (nuint)(pages * Page), ReadWrite, PrivateAnonymous | Fixed, -1, 0));

    private static unsafe bool Begins(string line, byte* start, byte* end) =>
        line.StartsWith(string.Create(CultureInfo.InvariantCulture, $"{(ulong)start:x}-{(ulong)end:x} rw-p"), StringComparison.Ordinal);

    /// <summary>Byte by byte, so that the kernel has no more than one record ready, up to the end of the line that is meant.</summary>
    private static void ReadTo(SafeFileHandle source, List<byte> text, Func<string, bool> isMeant)
    {
        Span<byte> one = stackalloc byte[1];
        int line = text.Count;
        while (RandomAccess.Read(source, one, text.Count) == 1)
        {
            text.Add(one[0]);
            if (one[0] == (byte)'\n')
            {
                if (isMeant(Encoding.ASCII.GetString([.. text.Skip(line)])))
                {
                    return;
                }

                line = text.Count;
            }
        }
    }
}
