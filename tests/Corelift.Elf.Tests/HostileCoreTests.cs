using System.Buffers.Binary;

namespace Corelift.Elf.Tests;

/// <summary>Whatever a file holds, nothing but CoreFormatException and IOException comes out of reading it.</summary>
public sealed class HostileCoreTests
{
    private static readonly CoreLimits s_tight = new()
    {
        MaxProgramHeaders = 6,
        MaxNoteSegments = 2,
        MaxNotes = 12,
        MaxThreads = 2,
        MaxMappedFiles = 2,
        MaxPathBytes = 15,
        MaxAuxvEntries = 2,
        MaxRecordBytes = 4096,
    };

    [Fact]
    public void Limits_that_are_just_met_are_no_obstacle()
    {
        using CoreFile core = CoreFile.Open(new MemoryStream(Samples.SmallCore()), s_tight);

        Assert.Equal(2, core.ReadThreads().Count);
        Assert.Equal(2, core.ReadMappedFiles().Count);
        Assert.Equal(2, core.ReadAuxv().Count);
        Assert.NotNull(core.ReadRecord());
    }

    public static TheoryData<CoreLimits> Tighter() => new()
    {
        s_tight with { MaxProgramHeaders = 5 },
        s_tight with { MaxNoteSegments = 1 },
        s_tight with { MaxNotes = 11 },
        s_tight with { MaxThreads = 1 },
        s_tight with { MaxMappedFiles = 1 },
        s_tight with { MaxPathBytes = 14 },
        s_tight with { MaxAuxvEntries = 1 },
        s_tight with { MaxRecordBytes = 4095 },
        s_tight with { MaxNoteBytes = 95 }, // NT_FILE has 96
        s_tight with { MaxPrStatusBytes = 335 },
    };

    [Theory]
    [MemberData(nameof(Tighter))]
    public void Every_limit_is_kept(CoreLimits limits) =>
        Assert.Throws<CoreFormatException>(() => ReadAll(Samples.SmallCore(), limits));

    [Fact]
    public void Absurd_header_counts_are_refused_before_anything_is_allocated()
    {
        byte[] core = Samples.SmallCore();
        BinaryPrimitives.WriteUInt16LittleEndian(core.AsSpan(56), 0xffff);
        BinaryPrimitives.WriteUInt64LittleEndian(core.AsSpan(40), 64); // section header 0 lies on the program headers
        BinaryPrimitives.WriteUInt32LittleEndian(core.AsSpan(64 + 44), 900_000); // below the limit, beyond the file
        long before = GC.GetAllocatedBytesForCurrentThread();

        Assert.Throws<CoreFormatException>(() => CoreFile.Open(new MemoryStream(core)));

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Theory]
    [InlineData(0x7fff_ffffu)]
    [InlineData(0xffff_ffffu)]
    [InlineData(0xffff_fffcu)]
    public void Absurd_note_sizes_are_damage_and_allocate_nothing(uint size)
    {
        byte[] core = Samples.SmallCore();
        const int FirstNote = 64 + (6 * 56);
        BinaryPrimitives.WriteUInt32LittleEndian(core.AsSpan(FirstNote + 4), size);
        long before = GC.GetAllocatedBytesForCurrentThread();

        using CoreFile file = CoreFile.Open(new MemoryStream(core));

        Assert.Single(file.NoteDamage);
        Assert.Empty(file.ReadThreads());
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void Offsets_that_overflow_are_refused()
    {
        ulong[] absurd = [ulong.MaxValue, ulong.MaxValue - 55, long.MaxValue, (ulong)long.MaxValue + 1, ulong.MaxValue - 4096];
        for (int offset = 0; offset + 8 <= 64 + (6 * 56); offset += 8)
        {
            foreach (ulong value in absurd)
            {
                byte[] core = Samples.SmallCore();
                BinaryPrimitives.WriteUInt64LittleEndian(core.AsSpan(offset), value);
                ReadTolerantly(core);
            }
        }
    }

    [Fact]
    public void A_file_cut_anywhere_gives_nothing_but_format_errors()
    {
        byte[] core = Samples.SmallCore();
        for (int length = 0; length < core.Length; length += length < 8192 ? 1 : 61)
        {
            ReadTolerantly(core[..length]);
        }
    }

    [Fact]
    public void Random_damage_gives_nothing_but_format_errors()
    {
        byte[] whole = Samples.SmallCore();
        int notesEnd = 64 + (6 * 56) + 8192;
        for (int seed = 0; seed < 20_000; seed++)
        {
            Random random = new(seed);
            byte[] core = [.. whole];
            for (int i = random.Next(1, 12); i > 0; i--)
            {
                int at = random.Next(4) switch
                {
                    0 => random.Next(16, 64 + (6 * 56)), // headers
                    1 => random.Next(core.Length - 4120, core.Length - 3900), // vendor note
                    _ => random.Next(16, Math.Min(notesEnd, core.Length)),
                };
                core[at] = random.Next(3) switch { 0 => 0xff, 1 => 0, _ => (byte)random.Next(256) };
            }

            ReadTolerantly(core, $"seed {seed}");
        }
    }

    private static void ReadTolerantly(byte[] core, string what = "")
    {
        try
        {
            ReadAll(core, new CoreLimits());
        }
        catch (CoreFormatException)
        {
            // As it should be.
        }
        catch (Exception failure)
        {
            Assert.Fail($"{what}: {failure}");
        }

        Assert.NotNull(CoreVerifier.Verify(new MemoryStream(core))); // finds, never throws
    }

    /// <summary>Every way in; a failure of one does not keep the next from being tried.</summary>
    private static void ReadAll(byte[] bytes, CoreLimits limits)
    {
        using CoreFile core = CoreFile.Open(new MemoryStream(bytes), limits);
        CoreFormatException? failure = null;
        byte[] buffer = new byte[10_000];
        Action[] ways =
        [
            () => core.ReadThreads(), () => core.ReadMappedFiles(), () => core.ReadAuxv(), () => core.ReadRecord(),
            () => core.Read(Samples.Base, buffer), () => core.Read(ulong.MaxValue - 10, buffer),
            .. core.ProgramHeaders.Select<ProgramHeader, Action>(h => () => core.Read(h.Address, buffer)),
            .. core.Notes.Select<CoreNote, Action>(n => () => core.ReadNote(n)),
        ];
        foreach (Action way in ways)
        {
            try
            {
                way();
            }
            catch (CoreFormatException refused)
            {
                failure = refused;
            }
        }

        if (failure is not null)
        {
            throw failure;
        }
    }
}
