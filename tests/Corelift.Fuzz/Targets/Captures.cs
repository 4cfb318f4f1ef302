using System.Buffers;
using Corelift.Client.Wire;
using Corelift.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using K4os.Compression.LZ4;
using ZstdSharp;

namespace Corelift.Fuzz.Targets;

/// <summary>Captures as an agent sends them, of a process that never was: one small one without live rounds, and one with.</summary>
internal static class Captures
{
    internal const ulong Data = 0x600000;
    internal const uint Page = 4096;

    /// <summary>The messages, each behind its length as a varint: the same form as in a sealed snapshot.</summary>
    internal static byte[] ToBytes(IEnumerable<CaptureResponse> messages)
    {
        using MemoryStream stream = new();
        foreach (CaptureResponse message in messages)
        {
            message.WriteDelimitedTo(stream);
        }

        return stream.ToArray();
    }

    /// <summary>The messages of an input as bytes, as far as it can be cut.</summary>
    internal static List<byte[]> Cut(ReadOnlySpan<byte> input)
    {
        List<byte[]> messages = [];
        while (!input.IsEmpty)
        {
            ulong length = 0;
            int used = 0;
            for (int shift = 0; used < input.Length && shift < 35; shift += 7)
            {
                byte next = input[used++];
                length |= (ulong)(next & 0x7f) << shift;
                if (next < 0x80)
                {
                    break;
                }
            }

            input = input[used..];
            int taken = (int)Math.Min(length, (ulong)input.Length);
            messages.Add(input[..taken].ToArray());
            input = input[taken..];
        }

        return messages;
    }

    internal static CaptureFrame Frame(byte[] message) => CaptureMethod.Read(new ReadOnlySequence<byte>(message));

    internal static List<CaptureResponse> Simple() =>
    [
        new() { Started = Started() },
        new() { Instant = Instant(2, 3, 5 * Page) },
        new() { Threads = new InstantThreads { Threads = { Thread(4242), Thread(4243) } } },
        new() { Vmas = new InstantVmas { Vmas = { Vma(0x400000, 1, "r-xp", "/usr/bin/worker", Consistency.File), Vma(Data, 4, "rw-p", "[heap]", Consistency.Instant), Vma(Data + (4 * Page), 1, "---p", "", Consistency.Unspecified) } } },
        Chunk(0x400000, 1, Compression.None),
        Chunk(Data, 1, Compression.Lz4),
        Chunk(Data + Page, 1, Compression.Zstd),
        new() { Hole = new Hole { Range = Range(Data + (2 * Page), 1), Reason = HoleReason.Unreadable } },
        new() { Trailer = new CaptureTrailer { Elapsed = new Duration { Seconds = 1 } } },
    ];

    internal static List<CaptureResponse> Live() =>
    [
        new() { Started = Started() },
        new() { LiveVmas = new LiveVmas { Vmas = { Vma(Data, 4, "rw-p", "[heap]", Consistency.Live) } } },
        new() { LiveVmas = new LiveVmas { Vmas = { Vma(Data + (8 * Page), 2, "rw-p", "", Consistency.Live) }, IsLast = true } },
        Chunk(Data, 2, Compression.None, round: 1),
        new() { Hole = new Hole { Range = Range(Data + (2 * Page), 1), Reason = HoleReason.Unreadable } },
        Chunk(Data + (8 * Page), 1, Compression.Lz4, round: 1),
        Chunk(Data, 1, Compression.None, round: 2),
        new() { Instant = Rounds(Instant(1, 2, 6 * Page)) },
        new() { Threads = new InstantThreads { Threads = { Thread(4242) } } },
        new() { Vmas = new InstantVmas { Vmas = { Vma(Data, 4, "rw-p", "[heap]", Consistency.Instant), Vma(Data + (9 * Page), 2, "rw-p", "", Consistency.Instant) } } },
        Chunk(Data + Page, 1, Compression.None),
        new() { Zero = new ZeroRange { Range = Range(Data + (3 * Page), 1) } },
        new() { Trailer = new CaptureTrailer { Elapsed = new Duration { Seconds = 1 } } },
    ];

    internal static byte[] Pack(byte[] bytes, Compression compression)
    {
        switch (compression)
        {
            case Compression.Lz4:
                byte[] room = new byte[LZ4Codec.MaximumOutputSize(bytes.Length)];
                return room[..LZ4Codec.Encode(bytes, room)];
            case Compression.Zstd:
                using (Compressor compressor = new())
                {
                    return compressor.Wrap(bytes).ToArray();
                }

            default:
                return bytes;
        }
    }

    private static CaptureStarted Started() => new()
    {
        CaptureId = "c-1",
        Process = new Process { Summary = new ProcessSummary { Ref = new ProcessRef { Pid = 4242, StartTimeTicks = 7 }, Name = "worker" }, ElfMachine = 62 },
        Plan = new CapturePlan { Strategy = Strategy.Fork, Content = Content.Default, Reasons = { "why" }, Bytes = new CaptureBytes { TotalBytes = 5 * Page } },
        PageSizeBytes = Page,
    };

    private static Instant Instant(uint threads, uint vmas, ulong bytes) => new()
    {
        Strategy = Strategy.Fork,
        StoppedAt = new Timestamp { Seconds = 1_700_000_000 },
        Pause = new Duration { Nanos = 21_400_000 },
        Phases = { new PausePhase { Name = "interrupt", Duration = new Duration { Nanos = 400_000 } } },
        ThreadCount = threads,
        VmaCount = vmas,
        Auxv = ByteString.CopyFrom([6, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, .. new byte[16]]),
        ProcessInfo = new CoreProcessInfo { State = "S", Pid = 4242, ParentPid = 1, Name = ByteString.CopyFromUtf8("worker"), Arguments = ByteString.CopyFromUtf8("worker --all") },
        CapturedRangeBytes = bytes,
    };

    private static Instant Rounds(Instant instant)
    {
        instant.Strategy = Strategy.Precopy;
        instant.Rounds.Add([new LiveRound { Round = 1, MemoryBytes = 3 * Page }, new LiveRound { Round = 2, MemoryBytes = Page }]);
        return instant;
    }

    private static StoppedThread Thread(uint tid) => new()
    {
        Tid = tid,
        Name = "t",
        RegisterSets = { new RegisterSet { NoteType = 1, Data = ByteString.CopyFrom(new byte[216]) } },
        Siginfo = ByteString.CopyFrom(new byte[128]),
    };

    private static CapturedVma Vma(ulong start, uint pages, string permissions, string name, Consistency consistency) => new()
    {
        Vma = new Vma { Range = Range(start, pages), Permissions = permissions, Name = name },
        Regions = { new Region { Range = Range(start, pages), Consistency = consistency, HoleReason = consistency == Consistency.Unspecified ? HoleReason.DontDump : default } },
    };

    private static CaptureResponse Chunk(ulong address, uint pages, Compression compression, uint round = 0)
    {
        byte[] bytes = new byte[pages * Page];
        bytes[7] = 42;
        byte[] packed = Pack(bytes, compression);
        return new CaptureResponse { Memory = new MemoryChunk { Address = address, LengthBytes = pages * Page, Compression = compression, Round = round, Data = ByteString.CopyFrom(packed) } };
    }

    private static AddressRange Range(ulong start, uint pages) => new() { Start = start, End = start + (pages * Page) };
}
