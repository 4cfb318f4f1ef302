using Corelift.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Corelift.Client.Tests.Scripted;

/// <summary>The live rounds of a capture by strategy precopy.</summary>
public sealed partial class SyntheticCapture
{
    public const ulong GoneStart = 0x500000;
    public const int GonePages = 4;
    public const int LiveDataPages = 256;

    /// <summary>VMAs before the instant; none for a capture without live rounds.</summary>
    public List<LiveVmas> LiveVmas { get; } = [];

    /// <summary>Memory and holes of live rounds.</summary>
    public List<CaptureResponse> LiveMemory { get; } = [];

    /// <summary>
    /// Two live rounds, in which the heap was half as long and a VMA was there that is gone at the instant. In the end the
    /// heap is as <see cref="At"/> says, but for zeros in its pages 20 to 30 and 256 to 300, and a hole at its page 30;
    /// the first two pages of the stack are holes.
    /// </summary>
    public static SyntheticCapture WithRounds()
    {
        SyntheticCapture capture = new();
        capture.Started.Plan.Strategy = Strategy.Precopy;
        capture.Instant.Strategy = Strategy.Precopy;
        capture.Instant.Phases.Add(new PausePhase { Name = "scan", Duration = new Duration { Nanos = 100_000 } });
        for (uint round = 1; round <= 2; round++)
        {
            capture.Instant.Rounds.Add(new LiveRound { Round = round, MemoryBytes = 1 << 20, Duration = new Duration { Nanos = 5_000_000 } });
        }

        capture.LiveVmas.Add(new LiveVmas { Vmas = { NewVma(CodeStart, CodePages, "r-xp", "/usr/bin/worker", Consistency.File) } });
        capture.LiveVmas.Add(new LiveVmas
        {
            Vmas =
            {
                NewVma(GoneStart, GonePages, "rw-s", "", Consistency.SharedLive),
                NewVma(DataStart, LiveDataPages, "rw-p", "[heap]", Consistency.Instant),
                NewVma(StackStart, StackPages, "rw-p", "[stack]", Consistency.Instant),
            },
            IsLast = true,
        });
        capture.LiveMemory.AddRange(
            Live(1, CodeStart, Bytes(CodeStart, CodePages * PageSize)),
            Live(1, GoneStart, Old(GonePages)),
            Live(1, DataStart, Old(LiveDataPages)),
            NewHole(StackStart, 1),
            Live(1, StackStart + PageSize, Old(StackPages - 1)),
            Live(2, Data(10), Bytes(Data(10), 10 * PageSize)),
            NewHole(Data(30), 1),
            Live(2, StackStart + PageSize, Old(1)));
        capture.Memory.AddRange(
            Chunk(Data(0), 10 * PageSize),
            NewZero(Data(20), 10),
            Chunk(Data(31), 225 * PageSize),
            Chunk(Data(300), 212 * PageSize),
            NewHole(StackStart + PageSize, 1),
            Chunk(StackStart + (2 * PageSize), 2 * PageSize));
        return capture;
    }

    /// <summary>Address of a page of the heap.</summary>
    public static ulong Data(int page) => DataStart + ((ulong)page * PageSize);

    /// <summary>A chunk of a live round.</summary>
    public static CaptureResponse Live(uint round, ulong address, byte[] bytes) => new()
    {
        Memory = new MemoryChunk { Address = address, Round = round, LengthBytes = (uint)bytes.Length, Compression = Compression.None, Data = ByteString.CopyFrom(bytes) },
    };

    public static CaptureResponse NewHole(ulong address, int pages, HoleReason reason = HoleReason.Unreadable) => new()
    {
        Hole = new Hole { Range = Range(address, (ulong)pages * PageSize), Reason = reason },
    };

    public static CaptureResponse NewZero(ulong address, int pages) => new()
    {
        Zero = new ZeroRange { Range = Range(address, (ulong)pages * PageSize) },
    };

    /// <summary>What must not be in the core in the end.</summary>
    public static byte[] Old(int pages)
    {
        byte[] bytes = new byte[pages * PageSize];
        Array.Fill(bytes, (byte)0xEE);
        return bytes;
    }
}
