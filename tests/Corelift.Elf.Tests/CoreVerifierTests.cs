using System.Buffers.Binary;

namespace Corelift.Elf.Tests;

/// <summary>One fault each in a core that is otherwise sound. Offsets are those of <see cref="Samples.SmallCore"/>.</summary>
public sealed class CoreVerifierTests
{
    private const int FirstLoad = 64 + 56;
    private const int Notes = 64 + (6 * 56);
    private const int PrPsInfo = Notes + 20 + 336;

    public static TheoryData<string, CoreFindingSeverity, Func<byte[], byte[]>> Faults() => new()
    {
        { "header", CoreFindingSeverity.Error, c => c[..63] },
        { "header", CoreFindingSeverity.Error, c => Set(c, 0, 0) },
        { "header", CoreFindingSeverity.Error, c => Set(c, 4, 1) }, // 32 bits
        { "header", CoreFindingSeverity.Error, c => Set(c, 16, 2) }, // an executable
        { "header", CoreFindingSeverity.Error, c => Set(Set(c, 56, 0xff), 57, 0xff) }, // PN_XNUM without a section
        { "machine", CoreFindingSeverity.Warning, c => Set(c, 18, 183) },
        { "notes", CoreFindingSeverity.Error, c => c[..^1] }, // cut in the vendor note
        { "load-bounds", CoreFindingSeverity.Error, c => c[..^8192] }, // cut in the memory
        { "load-bounds", CoreFindingSeverity.Error, c => SetLong(c, FirstLoad + 8, 1UL << 40) },
        { "load-order", CoreFindingSeverity.Error, c => SetLong(c, FirstLoad + 16, Samples.Base + 0x100000) },
        { "load-order", CoreFindingSeverity.Error, c => SetLong(c, FirstLoad + 40, 2 * Samples.Page) }, // overlap
        { "load-size", CoreFindingSeverity.Error, c => SetLong(c, FirstLoad + 40, 1) },
        { "load-size", CoreFindingSeverity.Error, c => SetLong(c, FirstLoad + 40, ulong.MaxValue) },
        { "load-alignment", CoreFindingSeverity.Warning, c => SetLong(c, FirstLoad + 48, 1UL << 50) },
        { "load-sharing", CoreFindingSeverity.Error, c => SetLong(c, FirstLoad + (3 * 56) + 8, BinaryPrimitives.ReadUInt64LittleEndian(c.AsSpan(FirstLoad + 8))) },
        { "required-note", CoreFindingSeverity.Error, c => Set(c, PrPsInfo + 8, 99) },
        { "required-note", CoreFindingSeverity.Error, c => Set(c, PrPsInfo + 12, (byte)'X') }, // another owner
        { "note-size", CoreFindingSeverity.Error, c => Set(c, PrPsInfo + 4, 133) },
        { "thread-status", CoreFindingSeverity.Error, c => Set(c, SecondStatus(c) + 20 + 32, (byte)(4000 & 0xff)) }, // the tid twice
        { "thread-status", CoreFindingSeverity.Error, c => Set(c, SecondStatus(c) + 8, 99) }, // a thread without NT_PRSTATUS
        { "auxv", CoreFindingSeverity.Error, c => Set(c, Find(c, 6) + 20 + 16, 1) },
        { "mapped-files", CoreFindingSeverity.Error, c => Set(c, Find(c, 0x46494c45) + 20, 200) }, // count
        { "mapped-files", CoreFindingSeverity.Error, c => SetLong(c, Find(c, 0x46494c45) + 20 + 16, 4096) }, // no such memory
        { "mapped-files", CoreFindingSeverity.Error, c => SetLong(c, Find(c, 0x46494c45) + 20 + 24, 0) }, // backwards
        { "floating-point", CoreFindingSeverity.Warning, c => Set(c, Find(c, 2) + 8, 99) },
        { "vendor-note", CoreFindingSeverity.Information, c => Set(c, Find(c, 0x434C0001) + 8, 99) },
        { "vendor-note", CoreFindingSeverity.Error, c => Set(c, Find(c, 0x434C0001) + 12 + 12, (byte)'x') }, // not JSON
        { "vendor-note", CoreFindingSeverity.Error, _ => Samples.SmallCore(record: new SnapshotRecord()) }, // no totals
        { "partial", CoreFindingSeverity.Warning, _ => Samples.SmallCore(record: new SnapshotRecord { PartialBecause = "dropped", Totals = new(1, 1, 1) }) },
        { "vendor-note", CoreFindingSeverity.Warning, _ => Samples.SmallCore(record: new SnapshotRecord { FormatVersion = 2, Totals = new(1, 1, 1) }) },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_fault_is_found_and_called_by_its_kind(string kind, CoreFindingSeverity severity, Func<byte[], byte[]> spoil)
    {
        CoreVerification verification = CoreVerifier.Verify(new MemoryStream(spoil(Samples.SmallCore())));

        Assert.Contains(verification.Findings, f => f.Kind == kind && f.Severity == severity);
        Assert.Equal(severity != CoreFindingSeverity.Error, verification.IsSound);
    }

    [Fact]
    public void A_whole_core_has_no_findings()
    {
        CoreVerification verification = CoreVerifier.Verify(new MemoryStream(Samples.SmallCore()));

        Assert.Empty(verification.Findings);
        Assert.Equal(new RecordTotals(1, 1, 1), verification.Record!.Totals);
    }

    [Fact]
    public void A_core_that_was_not_completed_is_not_sound()
    {
        using MemoryStream stream = new();
        using (CoreWriter writer = CoreWriter.Create(stream, Samples.SmallSnapshot()))
        {
            writer.WriteMemory(Samples.Base + (4 * Samples.Page), Samples.Pattern(4 * Samples.Page, 1)); // all that comes
        }

        Assert.False(CoreVerifier.Verify(stream).IsSound);
    }

    [Fact]
    public void A_file_cut_anywhere_is_not_sound()
    {
        byte[] core = Samples.SmallCore();
        for (int length = 0; length < core.Length; length++)
        {
            CoreVerification verification = CoreVerifier.Verify(new MemoryStream(core, 0, length));
            Assert.False(verification.IsSound, $"cut at {length} of {core.Length}");
        }
    }

    [Fact]
    public void Many_faults_of_one_kind_are_counted_rather_than_listed()
    {
        using MemoryStream stream = new();
        using CoreWriter writer = CoreWriter.Create(stream, Samples.Snapshot(1, Samples.Alternating(1000)));
        writer.Complete(Samples.Json);
        byte[] core = stream.ToArray();
        for (int i = 0; i < 1000; i++)
        {
            SetLong(core, FirstLoad + (i * 56) + 16, Samples.Base);
        }

        CoreVerification verification = CoreVerifier.Verify(new MemoryStream(core));

        Assert.Equal(11, verification.Findings.Count(f => f.Kind == "load-order"));
        Assert.Contains(verification.Findings, f => f.Message == "and 989 more of this kind");
    }

    private static int Find(byte[] core, uint type)
    {
        using CoreFile file = CoreFile.Open(new MemoryStream(core));
        CoreNote note = file.Notes.First(n => n.Type == type);
        return (int)note.OffsetBytes - (note.Owner == "CORELIFT" ? 24 : 20);
    }

    private static int SecondStatus(byte[] core)
    {
        using CoreFile file = CoreFile.Open(new MemoryStream(core));
        return (int)file.Notes.Where(n => n is { Owner: "CORE", Type: 1 }).ElementAt(1).OffsetBytes - 20;
    }

    private static byte[] Set(byte[] core, int offset, byte value)
    {
        Assert.NotEqual(value, core[offset]); // or the fault would be none
        core[offset] = value;
        return core;
    }

    private static byte[] SetLong(byte[] core, int offset, ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(core.AsSpan(offset), value);
        return core;
    }
}
