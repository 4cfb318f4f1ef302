using System.Buffers;
using Corelift.Client.Receiving;
using Corelift.Client.Tests.Scripted;
using Corelift.Client.Wire;
using Corelift.Elf;
using Corelift.V1;
using Google.Protobuf;

namespace Corelift.Client.Tests;

/// <summary>Random rounds of random VMAs, received straight from their bytes, and held against a model of pages.</summary>
public sealed class RandomRoundsTests
{
    private const int Page = SyntheticCapture.PageSize;
    private const int Pages = 64;
    private const ulong Base = 0x10000000;

    private enum Word
    {
        Nothing,
        Memory,
        Zeros,
        Hole,
    }

    [Fact]
    public void Every_page_and_every_hole_is_what_was_said_last()
    {
        for (int seed = 0; seed < 400; seed++)
        {
            Random random = new(seed);
            SyntheticCapture capture = new();
            (Word Word, int Version)[] pages = new (Word, int)[Pages];
            bool[] live = Ranges(random, out List<CapturedVma> liveVmas);
            capture.LiveVmas.Add(new LiveVmas { Vmas = { liveVmas }, IsLast = true });
            int rounds = random.Next(4);
            for (int round = 1; round <= rounds; round++)
            {
                capture.Instant.Rounds.Add(new LiveRound { Round = (uint)round });
                capture.LiveMemory.AddRange(Say(random, pages, live, (uint)round));
            }

            bool[] captured = Ranges(random, out List<CapturedVma> vmas);
            capture.Vmas.Clear();
            capture.Vmas.AddRange(vmas);
            capture.Instant.VmaCount = (uint)vmas.Count;
            capture.Instant.CapturedRangeBytes = (ulong)captured.Count(isIn => isIn) * Page;
            for (int page = 0; page < Pages; page++)
            {
                pages[page] = captured[page] && live[page] ? pages[page] : default;
            }

            capture.Memory.AddRange(Say(random, pages, captured, 0));
            AssertReceived(capture, pages, captured, seed);
        }
    }

    private static void AssertReceived(SyntheticCapture capture, (Word Word, int Version)[] pages, bool[] captured, int seed)
    {
        using MemoryStream stream = new();
        using CaptureReceiver receiver = new(stream, new SnapshotLimits(), null);
        foreach (CaptureResponse message in capture.Messages())
        {
            using CaptureFrame frame = CaptureMethod.Read(new ReadOnlySequence<byte>(message.ToByteArray()));
            receiver.Add(frame);
        }

        SnapshotResult result = receiver.Finish();
        Assert.Empty(CoreVerifier.Verify(stream).Findings);
        using CoreFile core = CoreFile.Open(stream, leaveOpen: true);
        byte[] read = new byte[Page];
        for (int page = 0; page < Pages; page++)
        {
            int length = core.Read(Base + ((ulong)page * Page), read);
            Assert.True(length == (captured[page] ? Page : 0), $"seed {seed}, page {page}: {length} bytes");
            byte[] expected = pages[page].Word == Word.Memory ? Content(page, pages[page].Version) : new byte[Page];
            Assert.True(length == 0 || read.AsSpan().SequenceEqual(expected), $"seed {seed}, page {page} is not {pages[page]}");
            Assert.Equal(
                captured[page] && pages[page].Word == Word.Hole,
                result.Record.Holes.Any(h => h.Reason == "unreadable" && h.Start <= Base + ((ulong)page * Page) && Base + ((ulong)page * Page) < h.End));
        }

        Assert.Equal(pages.Where((p, i) => captured[i] && p.Word == Word.Hole).Count() * Page, result.HoleBytes);
        Assert.Equal(pages.Where((p, i) => captured[i] && p.Word == Word.Memory).Count() * Page, result.CapturedBytes);
    }

    /// <summary>Says something of some pages; each kind ascends, and the kinds are mixed as chance has it.</summary>
    private static IEnumerable<CaptureResponse> Say(Random random, (Word Word, int Version)[] pages, bool[] allowed, uint round)
    {
        Queue<CaptureResponse>[] kinds = [new(), new(), new()];
        for (int page = 0; page < Pages;)
        {
            int count = random.Next(1, 5);
            Word word = (Word)random.Next(4);
            bool fits = page + count <= Pages && Enumerable.Range(page, count).All(p => allowed[p]);
            if (fits && word != Word.Nothing && !(word == Word.Zeros && round > 0))
            {
                Array.Fill(pages, (word, (int)round), page, count);
                ulong address = Base + ((ulong)page * Page);
                kinds[(int)word - 1].Enqueue(word switch
                {
                    Word.Memory => SyntheticCapture.Live(round, address, [.. Enumerable.Range(page, count).SelectMany(p => Content(p, (int)round))]),
                    Word.Zeros => SyntheticCapture.NewZero(address, count),
                    _ => SyntheticCapture.NewHole(address, count),
                });
            }

            page += count;
        }

        // A hole says no round of its own: memory that begins a round comes before it.
        bool begun = kinds[0].Count == 0;
        while (kinds.Any(kind => kind.Count > 0))
        {
            Queue<CaptureResponse> kind = begun ? kinds[random.Next(3)] : kinds[0];
            if (kind.TryDequeue(out CaptureResponse? next))
            {
                begun = true;
                yield return next;
            }
        }
    }

    /// <summary>Pages of random VMAs, side by side or not, with bytes or not.</summary>
    private static bool[] Ranges(Random random, out List<CapturedVma> vmas)
    {
        bool[] pages = new bool[Pages];
        vmas = [];
        for (int page = random.Next(4); page < Pages - 10 || vmas.Count == 0;)
        {
            int count = random.Next(1, 10);
            bool hasBytes = random.Next(4) > 0;
            vmas.Add(SyntheticCapture.NewVma(
                Base + ((ulong)page * Page), count, random.Next(2) > 0 ? "rw-p" : "r--p", "", hasBytes ? Consistency.Instant : Consistency.Unspecified));
            vmas[^1].Regions[0].HoleReason = hasBytes ? HoleReason.Unspecified : HoleReason.NotInContent;
            Array.Fill(pages, hasBytes, page, count);
            page += count + (random.Next(2) * random.Next(4));
        }

        return pages;
    }

    private static byte[] Content(int page, int version)
    {
        byte[] bytes = new byte[Page];
        Array.Fill(bytes, (byte)(1 + page + (version * Pages)));
        return bytes;
    }
}
