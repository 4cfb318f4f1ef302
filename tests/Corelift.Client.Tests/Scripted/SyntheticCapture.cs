using System.Buffers.Binary;
using System.IO.Hashing;
using Corelift.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using K4os.Compression.LZ4;
using ZstdSharp;

namespace Corelift.Client.Tests.Scripted;

/// <summary>A capture of a process that never was: two threads, four VMAs, memory that is a function of its address.</summary>
public sealed partial class SyntheticCapture
{
    public const uint Pid = 4242;
    public const ulong CodeStart = 0x400000;
    public const ulong DataStart = 0x600000;
    public const ulong StackStart = 0x7ffc00000000;
    public const int PageSize = 4096;
    public const int DataPages = 512;
    public const int StackPages = 4;
    public const int CodePages = 2;

    public CaptureStarted Started { get; } = new()
    {
        CaptureId = "c-1",
        Process = NewProcess(),
        Plan = new CapturePlan
        {
            Strategy = Strategy.Fork,
            Content = Content.Default,
            Reasons = { "fork: the pause is shortest" },
            Warnings = { "a warning of the plan" },
            Bytes = new CaptureBytes { TotalBytes = (DataPages + StackPages + CodePages) * PageSize },
            EstimatedPause = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(20)),
            ThreadCount = 2,
            VmaCount = 4,
        },
        PageSizeBytes = PageSize,
        AgentVersion = "9.9.9",
        HostName = "host",
        KernelRelease = "6.18.0",
    };

    public Instant Instant { get; } = new()
    {
        Strategy = Strategy.Fork,
        StoppedAt = new Timestamp { Seconds = 1_700_000_000, Nanos = 123_456_789 },
        Pause = new Duration { Nanos = 21_400_000 },
        Skew = new Duration { Nanos = 310_000 },
        Phases = { new PausePhase { Name = "interrupt", Duration = new Duration { Nanos = 400_000 } } },
        ThreadCount = 2,
        VmaCount = 4,
        Auxv = ByteString.CopyFrom([6, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, .. new byte[16]]),
        ProcessInfo = new CoreProcessInfo
        {
            State = "S",
            Pid = Pid,
            ParentPid = 1,
            ProcessGroup = Pid,
            Session = Pid,
            Uid = 1000,
            Gid = 1000,
            Name = ByteString.CopyFromUtf8("worker"),
            Arguments = ByteString.CopyFromUtf8("/usr/bin/worker --all"),
        },
        CapturedRangeBytes = (DataPages + StackPages + CodePages) * PageSize,
    };

    public List<StoppedThread> Threads { get; } = [NewThread(Pid), NewThread(Pid + 1)];

    public List<CapturedVma> Vmas { get; } =
    [
        NewVma(CodeStart, CodePages, "r-xp", "/usr/bin/worker", Consistency.File),
        NewVma(DataStart, DataPages, "rw-p", "[heap]", Consistency.Instant),
        NewVma(DataStart + (DataPages * PageSize), 1, "---p", "", Consistency.Unspecified),
        NewVma(StackStart, StackPages, "rw-p", "[stack]", Consistency.Instant),
    ];

    /// <summary>Memory and holes.</summary>
    public List<CaptureResponse> Memory { get; } = [];

    /// <summary>Says the digest and sums; null to make them of <see cref="Memory"/>.</summary>
    public CaptureTrailer? Trailer { get; set; }

    /// <summary>A capture with all its memory, in chunks of up to 1 MiB, and one page that could not be read.</summary>
    public static SyntheticCapture WithMemory(Compression compression = Compression.None)
    {
        SyntheticCapture capture = new();
        capture.Memory.Add(Chunk(CodeStart, CodePages * PageSize, compression));
        capture.Memory.Add(Chunk(DataStart, 256 * PageSize, compression));
        capture.Memory.Add(Chunk(DataStart + (300 * PageSize), 212 * PageSize, compression)); // zeros before it
        capture.Memory.Add(new CaptureResponse
        {
            Hole = new Hole { Range = Range(StackStart, PageSize), Reason = HoleReason.Unreadable },
        });
        capture.Memory.Add(Chunk(StackStart + PageSize, (StackPages - 1) * PageSize, compression));
        return capture;
    }

    /// <summary>What the target's memory holds at an address.</summary>
    public static byte At(ulong address) => unchecked((byte)((address * 31) + (address >> 12)));

    public static byte[] Bytes(ulong address, int length)
    {
        byte[] bytes = new byte[length];
        for (int index = 0; index < length; index++)
        {
            bytes[index] = At(unchecked(address + (ulong)index));
        }

        return bytes;
    }

    public static CaptureResponse Chunk(ulong address, int length, Compression compression = Compression.None)
    {
        byte[] bytes = Bytes(address, length);
        return new CaptureResponse
        {
            Memory = new MemoryChunk
            {
                Address = address,
                LengthBytes = (uint)length,
                Compression = compression,
                Data = ByteString.CopyFrom(Pack(bytes, compression)),
            },
        };
    }

    public static byte[] Pack(byte[] bytes, Compression compression)
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

    public static AddressRange Range(ulong start, ulong length) => new() { Start = start, End = start + length };

    public static Process NewProcess(uint pid = Pid, string name = "worker") => new()
    {
        Summary = new ProcessSummary
        {
            Ref = new ProcessRef { Pid = pid, StartTimeTicks = 777 },
            Name = name,
            CommandLine = { "/usr/bin/worker", "--all" },
            Uid = 1000,
            ThreadCount = 2,
            ResidentBytes = 1 << 20,
            State = "S",
        },
        Executable = "/usr/bin/worker",
        BuildId = "00ff",
        ElfMachine = 62,
        Memory = new MemoryUsage { ResidentBytes = 1 << 20, VirtualBytes = 1 << 22, VmaCount = 4 },
    };

    public static StoppedThread NewThread(uint tid) => new()
    {
        Tid = tid,
        Name = $"t{tid}",
        StoppedAfter = new Duration { Nanos = 100_000 },
        RegisterSets =
        {
            new RegisterSet { NoteType = 1, Data = ByteString.CopyFrom(Bytes(tid, 216)) },
            new RegisterSet { NoteType = 2, Data = ByteString.CopyFrom(Bytes(tid, 512)) },
        },
        Siginfo = ByteString.CopyFrom(new byte[128]),
        UserTimeUs = 5,
    };

    public static CapturedVma NewVma(ulong start, int pages, string permissions, string name, Consistency consistency)
    {
        AddressRange range = Range(start, (ulong)pages * PageSize);
        Region region = new() { Range = range, Consistency = consistency };
        if (consistency == Consistency.Unspecified)
        {
            region.HoleReason = HoleReason.Unreadable;
        }

        return new CapturedVma { Vma = new Vma { Range = range.Clone(), Permissions = permissions, Name = name }, Regions = { region } };
    }

    /// <summary>The messages in their order.</summary>
    public List<CaptureResponse> Messages() =>
    [
        new() { Started = Started },
        .. LiveVmas.Select(part => new CaptureResponse { LiveVmas = part }),
        .. LiveMemory,
        new() { Instant = Instant },
        .. Threads.Select(thread => new CaptureResponse { Threads = new InstantThreads { Threads = { thread } } }),
        new() { Vmas = new InstantVmas { Vmas = { Vmas } } },
        .. Memory,
        new() { Trailer = Trailer ?? Sums() },
    ];

    /// <summary>The trailer that goes with what is live and with <see cref="Memory"/>, by the contract's words alone.</summary>
    public CaptureTrailer Sums()
    {
        CaptureTrailer trailer = new() { Elapsed = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)), Warnings = { "a warning of the trailer" } };
        XxHash3 digest = new();
        byte[] head = new byte[16];
        foreach (CaptureResponse part in LiveMemory.Concat(Memory))
        {
            if (part.Hole is { Range: { } hole })
            {
                trailer.HoleBytes += unchecked(hole.End - hole.Start);
            }
            else if (part.Zero is { Range: { } zero })
            {
                trailer.ZeroBytes += unchecked(zero.End - zero.Start);
            }
            else if (part.Memory is { } chunk)
            {
                trailer.MemoryBytes += chunk.LengthBytes;
                trailer.ChunkCount++;
                trailer.PackedBytes += (ulong)chunk.Data.Length;
                BinaryPrimitives.WriteUInt64LittleEndian(head, chunk.Address);
                BinaryPrimitives.WriteUInt64LittleEndian(head.AsSpan(8), chunk.LengthBytes);
                digest.Append(head);
                digest.Append(chunk.Compression == Compression.None
                    ? chunk.Data.ToByteArray()
                    : Bytes(chunk.Address, (int)Math.Min(chunk.LengthBytes, 1 << 20)));
            }
        }

        trailer.Digest = digest.GetCurrentHashAsUInt64();
        return trailer;
    }
}
