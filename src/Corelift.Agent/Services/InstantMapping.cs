using Corelift.Capture;
using Corelift.Capture.Sessions;
using Corelift.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Corelift.Agent.Services;

/// <summary>The message of a snapshot's instant.</summary>
internal static class InstantMapping
{
    internal static Instant ToWire(this SnapshotSession session, CoreProcessInfo info)
    {
        var instant = new Instant
        {
            Strategy = session.Strategy.ToWire(),
            StoppedAt = Timestamp.FromDateTimeOffset(session.StoppedAt),
            Pause = session.Pause is { } pause ? Duration.FromTimeSpan(pause) : null,
            Skew = Duration.FromTimeSpan(session.Skew),
            ThreadCount = (uint)session.ThreadCount,
            VmaCount = (uint)session.Vmas.Count,
            Auxv = ByteString.CopyFrom(session.Auxv.Span),
            ProcessInfo = info,
            CapturedRangeBytes = session.CapturedRangeBytes,
            WasGroupStopped = session.WasGroupStopped,
        };
        instant.Setup = session.Setup > TimeSpan.Zero ? Duration.FromTimeSpan(session.Setup) : null;
        instant.Reasons.AddRange(session.Reasons.Concat(session.ReasonsSincePlan));
        instant.Rounds.AddRange(session.Rounds.Select(round => round.ToWire()));
        PausePhases phases = session.Phases;
        AddPhase(instant, "interrupt", phases.Interrupt);
        AddPhase(instant, "registers", phases.Registers);
        AddPhase(instant, "scan", phases.Scan);
        AddPhase(instant, "copy", phases.Copy);
        AddPhase(instant, "fork", phases.Fork);
        AddPhase(instant, "resume", phases.Resume);
        return instant;
    }

    private static void AddPhase(Instant instant, string name, long nanoseconds)
    {
        if (nanoseconds > 0)
        {
            instant.Phases.Add(new PausePhase { Name = name, Duration = WireMapping.ToDuration(nanoseconds) });
        }
    }
}
