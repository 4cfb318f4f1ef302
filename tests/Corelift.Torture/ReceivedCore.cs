using System.Buffers.Binary;
using Corelift.Torture.Targets;
using Corelift.V1;

namespace Corelift.Torture;

/// <summary>What of a capture can be compared with the target's own model of its memory and registers.</summary>
internal sealed class ReceivedCore
{
    private const int PageSize = TraceeMemory.PageSize;
    private const uint GeneralRegisters = 1; // NT_PRSTATUS
    private const ulong Futex = 202;
    private const int Rbx = 5, R12 = 3, R13 = 2, R14 = 1, R15 = 0, OriginalRax = 15;

    // Must be there in a capture of content "default"; of the others what is there must be right.
    private static readonly string[] s_required = ["private", "shared"];
    private static readonly string[] s_known = ["private", "shared", "memfd", "dontfork", "file", "first", "second"];

    private readonly List<Range> _ranges = [];
    private readonly Dictionary<int, byte[]> _registers = [];
    private readonly LiveTarget _target;

    internal ReceivedCore(LiveTarget target)
    {
        _target = target;
        foreach (string name in s_known.Where(target.Process.Facts.ContainsKey))
        {
            AddressSpan span = target.Process.Range(name);
            _ranges.Add(new Range(name, span, new byte[span.Length], new bool[span.Length / PageSize]));
        }
    }

    private sealed record Range(string Name, AddressSpan Span, byte[] Bytes, bool[] Has);

    internal void Take(MemoryChunk chunk) => Put(chunk.Address, chunk.Data.Span);

    internal void Take(ZeroRange zero)
    {
        foreach (Range range in _ranges)
        {
            ulong start = Math.Max(zero.Range.Start, range.Span.Start), end = Math.Min(zero.Range.End, range.Span.End);
            if (start < end)
            {
                Put(start, new byte[end - start]);
            }
        }
    }

    internal void Take(StoppedThread thread)
    {
        if (thread.RegisterSets.FirstOrDefault(set => set.NoteType == GeneralRegisters) is { } general)
        {
            _registers[(int)thread.Tid] = general.Data.ToByteArray();
        }
    }

    /// <summary>Compares a whole core.</summary>
    /// <exception cref="TestingException">It is not what the target had.</exception>
    internal void AssertRight()
    {
        if (_target.Kind.HasModel)
        {
            _ranges.ForEach(AssertWords);
            AssertSleepers();
        }

        if (_target.Kind.Name == "pairs")
        {
            AssertPairs();
        }
    }

    private void Put(ulong address, ReadOnlySpan<byte> bytes)
    {
        ulong last = address + (ulong)bytes.Length;
        foreach (Range range in _ranges)
        {
            ulong start = Math.Max(address, range.Span.Start), end = Math.Min(last, range.Span.End);
            if (start >= end)
            {
                continue;
            }

            int at = (int)(start - range.Span.Start), length = (int)(end - start);
            bytes.Slice((int)(start - address), length).CopyTo(range.Bytes.AsSpan(at));
            range.Has.AsSpan(at / PageSize, length / PageSize).Fill(true);
        }
    }

    private static void AssertWords(Range range)
    {
        for (int page = 0; page < range.Has.Length; page++)
        {
            ulong address = range.Span.Start + ((ulong)page * PageSize);
            if (!range.Has[page])
            {
                _ = s_required.Contains(range.Name) ? throw new TestingException($"a core said to be whole lacks the page {address:x} of {range.Name}") : 0;
                continue;
            }

            ulong epoch = range.Name == "file" && page % 3 == 0 ? 1ul : 0;
            int wrong = TraceeMemory.FirstDifference(range.Bytes.AsSpan(page * PageSize, PageSize), address, epoch);
            _ = wrong >= 0 ? throw new TestingException($"a core said to be whole has another byte than the target at {address + (ulong)wrong:x} ({range.Name})") : 0;
        }
    }

    /// <summary>Registers of threads that slept in their futex; one that was on its way there has others.</summary>
    private void AssertSleepers()
    {
        foreach (Sleeper sleeper in _target.Kind.Surroundings == Surroundings.PidNamespace ? [] : _target.Process.Sleepers)
        {
            if (!_registers.TryGetValue(sleeper.Tid, out byte[]? registers))
            {
                throw new TestingException($"a core said to be whole lacks thread {sleeper.Tid}");
            }

            ulong Register(int index) => BinaryPrimitives.ReadUInt64LittleEndian(registers.AsSpan(index * 8));
            ulong[] had = [Register(Rbx), Register(R12), Register(R13), Register(R14), Register(R15)];
            if (Register(OriginalRax) == Futex && had.Where((value, index) => value != TraceeMemory.Word((ulong)sleeper.Tid, (ulong)index)).Any())
            {
                throw new TestingException($"a core said to be whole has other registers than thread {sleeper.Tid} had");
            }
        }
    }

    /// <summary>See pairs.c: at any instant 0 &lt;= a - b &lt;= 1, and a thread's words never ascend.</summary>
    private void AssertPairs()
    {
        Range first = _ranges.Single(range => range.Name == "first"), second = _ranges.Single(range => range.Name == "second");
        long pairs = _target.Process.Number("pairs"), threads = _target.Process.Number("threads");
        for (long thread = 0; thread < threads; thread++)
        {
            List<ulong> words = [];
            for (long pair = thread; pair < pairs; pair += threads)
            {
                words.Add(Word(first, pair));
                words.Add(Word(second, pair));
            }

            if (words[0] - words[^1] > 1 || words.Zip(words.Skip(1)).Any(two => two.First < two.Second))
            {
                throw new TestingException($"a core said to be whole is of no one instant: the words of thread {thread} are {string.Join(' ', words.Take(20))} ...");
            }
        }
    }

    private static ulong Word(Range range, long page) => range.Has[page]
        ? BinaryPrimitives.ReadUInt64LittleEndian(range.Bytes.AsSpan((int)page * PageSize))
        : throw new TestingException($"a core said to be whole lacks page {page} of {range.Name}");
}
