using Corelift.Testing;

namespace Corelift.Elf.Tests;

/// <summary>Writes a live core and keeps, page by page, what it must hold in the end.</summary>
internal sealed class LiveModel : IDisposable
{
    private const int Page = Samples.Page;
    private const int Pages = 48;

    private readonly (int At, int Count)[] _live;
    private readonly FileStream _stream;
    private readonly CoreWriter _writer;
    private readonly byte[]?[] _said = new byte[]?[Pages]; // null: zero, or nothing
    private readonly bool[] _isWritten = new bool[Pages];
    private CoreVma[]? _vmas;
    private long _unreferencedPages;
    private int _seed;

    internal LiveModel(string path, (int At, int Count)[] live)
    {
        Path = path;
        _live = live;
        _stream = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, 0);
        _writer = CoreWriter.CreateLive(_stream, Page, live.Select(r => (Address(r.At), Address(r.At + r.Count))));
    }

    internal string Path { get; }

    internal long UnreferencedPages => _writer.UnreferencedBytes / Page;

    internal static ulong Address(int page) => Samples.Base + ((ulong)page * Page);

    /// <summary>Ranges that ascend, some of them side by side.</summary>
    internal static (int At, int Count)[] Ranges(Random random)
    {
        List<(int, int)> ranges = [];
        for (int at = random.Next(6); at < Pages - 8;)
        {
            int count = random.Next(1, 8);
            ranges.Add((at, count));
            at += count + (random.Next(2) * random.Next(6));
        }

        return [.. ranges];
    }

    /// <summary>VMAs of alternating and of like permissions, with and without bytes.</summary>
    internal static CoreVma[] Vmas(Random random) =>
    [
        .. Ranges(random).Select(r => Samples.Vma(r.At, r.Count, (CoreVmaFlags)random.Next(8), hasBytes: random.Next(5) > 0)),
    ];

    /// <summary>Fills all that is live.</summary>
    internal void WriteLive(int seed)
    {
        foreach ((int at, int count) in _live)
        {
            Write(at, Samples.Pattern(count * Page, seed));
        }
    }

    /// <summary>Bytes, bytes with zero pages among them, and zeros, all where they may come now.</summary>
    internal void SayAnything(Random random)
    {
        (int At, int Count)[] ranges = _vmas is null
            ? _live
            : [.. _vmas.Where(v => v.Regions[0].HasBytes).Select(v => ((int)((v.Start - Samples.Base) / Page), (int)((v.End - v.Start) / Page)))];
        for (int i = 0; i < 12 && ranges.Length > 0; i++)
        {
            (int at, int count) = ranges[random.Next(ranges.Length)];
            int skip = random.Next(count);
            int length = random.Next(1, count - skip + 1);
            if (random.Next(3) == 0)
            {
                _writer.WriteZeros(Address(at + skip), Address(at + skip + length));
                Array.Clear(_said, at + skip, length);
                Array.Clear(_isWritten, at + skip, length);
                continue;
            }

            byte[] bytes = Samples.Pattern(length * Page, ++_seed);
            bytes.AsSpan(random.Next(length) * Page, Page).Clear();
            Write(at + skip, bytes);
        }
    }

    internal void BeginInstant(CoreVma[] vmas)
    {
        _vmas = vmas;
        _unreferencedPages = _isWritten.Where((isWritten, page) => isWritten && !IsCaptured(page)).Count();
        for (int page = 0; page < Pages; page++)
        {
            if (!IsCaptured(page))
            {
                _said[page] = null; // and it may be captured no more
            }
        }

        _writer.BeginInstant(Samples.Snapshot(1, vmas));
    }

    internal void Complete()
    {
        _writer.Complete(Samples.Json);
        Dispose();
    }

    public void Dispose()
    {
        _writer.Dispose();
        _stream.Dispose();
    }

    /// <summary>Every page is what was said last, by a reader that shares no code with the writer.</summary>
    internal void AssertWhole()
    {
        using CoreImage core = new(Path);
        for (int page = 0; page < Pages; page++)
        {
            byte[]? read = core.TryRead(Address(page), Page);
            Assert.Equal(IsCaptured(page), read is not null);
            Assert.True(read is null || read.AsSpan().SequenceEqual(_said[page] ?? new byte[Page]), $"{Path}: page {page}");
        }

        using FileStream stream = File.OpenRead(Path);
        Assert.Empty(CoreVerifier.Verify(stream).Findings);
        Assert.Equal(_unreferencedPages, UnreferencedPages);
        Assert.Equal(_writer.FileLengthBytes, stream.Length);
        Assert.Equal(_isWritten.Where((isWritten, page) => isWritten && IsCaptured(page)).Count() * Page, _writer.HeldBytes);
    }

    private bool IsCaptured(int page) =>
        _vmas!.Any(v => v.Regions[0].HasBytes && v.Start <= Address(page) && Address(page) < v.End);

    private void Write(int at, byte[] bytes)
    {
        _writer.WriteMemory(Address(at), bytes);
        for (int i = 0; i < bytes.Length / Page; i++)
        {
            _said[at + i] = bytes[(i * Page)..((i + 1) * Page)];
            _isWritten[at + i] |= _said[at + i]!.AsSpan().ContainsAnyExcept((byte)0); // zeros that replace are written
        }
    }
}
