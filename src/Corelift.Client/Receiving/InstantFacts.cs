using Corelift.Elf;
using Corelift.V1;

namespace Corelift.Client.Receiving;

/// <summary>Checks the first two messages of a capture and takes the core's process facts from them.</summary>
internal static class InstantFacts
{
    private const ushort MachineX64 = 62; // EM_X86_64
    private const int AuxvPairBytes = 16;
    private const int LongestName = 15;
    private const int LongestArguments = 80;
    private const int MostEntries = 256;
    private const uint LargestPid = 4_194_304; // PID_MAX_LIMIT

    internal static void Check(CaptureStarted started)
    {
        if (started.Process?.Summary?.Ref is null || started.Plan is null)
        {
            throw SnapshotException.Violation("the first message lacks the process or the plan");
        }

        if (started.PageSizeBytes is < 4096 or > 65536 || !uint.IsPow2(started.PageSizeBytes))
        {
            throw SnapshotException.Violation($"a page size of {started.PageSizeBytes} bytes");
        }

        if (started.Plan.Reasons.Count > MostEntries || started.Plan.Warnings.Count > MostEntries)
        {
            throw SnapshotException.Limit($"more than {MostEntries} reasons or warnings");
        }
    }

    internal static void Check(Instant instant, SnapshotLimits limits)
    {
        if (instant.ProcessInfo is null)
        {
            throw SnapshotException.Violation("the instant lacks the facts of the process");
        }

        if (instant.ThreadCount == 0 || instant.VmaCount == 0)
        {
            throw SnapshotException.Violation($"an instant of {instant.ThreadCount} threads and {instant.VmaCount} VMAs");
        }

        if (instant.ThreadCount > limits.MaxThreads)
        {
            throw SnapshotException.Limit($"{instant.ThreadCount} threads, where at most {limits.MaxThreads} are taken");
        }

        if (instant.VmaCount > limits.MaxVmas)
        {
            throw SnapshotException.Limit($"{instant.VmaCount} VMAs, where at most {limits.MaxVmas} are taken");
        }

        if (instant.Auxv.Length > limits.MaxAuxvBytes || instant.Phases.Count > MostEntries)
        {
            throw SnapshotException.Limit($"an auxiliary vector of {instant.Auxv.Length} bytes and {instant.Phases.Count} phases");
        }

        // Pairs of words, the last of them AT_NULL: with any other end no reader would take the core.
        if (instant.Auxv.Length % AuxvPairBytes != 0 || (instant.Auxv.Length > 0 && instant.Auxv.Span[^AuxvPairBytes..^(AuxvPairBytes / 2)].ContainsAnyExcept((byte)0)))
        {
            throw SnapshotException.Violation($"an auxiliary vector of {instant.Auxv.Length} bytes that does not end in AT_NULL");
        }

        if (instant.Reasons.Count > MostEntries || instant.Rounds.Count > limits.MaxRounds)
        {
            throw SnapshotException.Limit($"{instant.Reasons.Count} reasons and {instant.Rounds.Count} rounds");
        }

        if (!WireTime.IsSane(instant.Pause) || !WireTime.IsSane(instant.Setup) || !WireTime.IsSane(instant.Skew)
            || instant.Phases.Any(phase => !WireTime.IsSane(phase.Duration)))
        {
            throw SnapshotException.Violation("a time that is negative or longer than a century");
        }
    }

    /// <summary>Checks what the instant says of live rounds against what came of them.</summary>
    /// <param name="instant">The instant.</param>
    /// <param name="hadLive">Whether live VMAs came.</param>
    /// <param name="lastRound">The last round of which memory came; 0 if none.</param>
    internal static void CheckRounds(Instant instant, bool hadLive, uint lastRound)
    {
        if (!hadLive && (instant.Strategy == Strategy.Precopy || instant.Rounds.Count > 0))
        {
            throw SnapshotException.Violation("an instant of strategy precopy, or with rounds, but no live VMAs came");
        }

        if (lastRound > instant.Rounds.Count)
        {
            throw SnapshotException.Violation($"memory of round {lastRound} came, but the instant names {instant.Rounds.Count} rounds");
        }

        foreach ((int index, LiveRound round) in instant.Rounds.Index())
        {
            if (round.Round != index + 1 || !WireTime.IsSane(round.Duration))
            {
                throw SnapshotException.Violation($"a round {round.Round} where {index + 1} was due, or a time of it that cannot be");
            }
        }
    }

    internal static CoreProcess ToProcess(CoreProcessInfo info) => new()
    {
        State = info.State is [>= '!' and <= '~'] ? info.State[0] : '?',
        Nice = (sbyte)Math.Clamp(info.Nice, -20, 19),
        Flags = info.Flags,
        Uid = info.Uid,
        Gid = info.Gid,
        Pid = ToPid(info.Pid),
        ParentPid = ToPid(info.ParentPid),
        ProcessGroup = ToPid(info.ProcessGroup),
        Session = ToPid(info.Session),
        Name = Cut(info.Name.Memory, LongestName),
        Arguments = Cut(info.Arguments.Memory, LongestArguments),
    };

    /// <summary>0 stands for a machine that the agent could not tell: only x86-64 has agents so far.</summary>
    internal static ushort ToMachine(Process process) => process.ElfMachine switch
    {
        0 or MachineX64 => MachineX64,
        _ => throw new SnapshotException(
            SnapshotFailure.LimitExceeded, $"cores of ELF machine {process.ElfMachine} cannot be written; only of 62 (x86-64)"),
    };

    internal static int ToPid(uint pid) =>
        pid <= LargestPid ? (int)pid : throw SnapshotException.Violation($"a pid of {pid}");

    private static ReadOnlyMemory<byte> Cut(ReadOnlyMemory<byte> bytes, int longest) =>
        bytes.Length <= longest ? bytes : bytes[..longest];
}
