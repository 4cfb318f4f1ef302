namespace Corelift.Client;

/// <summary>How far a snapshot has come.</summary>
/// <param name="Phase">What is being waited for.</param>
/// <param name="ReceivedBytes">Bytes of memory that came, in all rounds.</param>
/// <param name="ExpectedBytes">Bytes of memory that the plan expects; an estimate, 0 where unknown.</param>
/// <param name="Elapsed">Time since the request.</param>
public readonly record struct SnapshotProgress(SnapshotPhase Phase, long ReceivedBytes, long ExpectedBytes, TimeSpan Elapsed)
{
    /// <summary>The live round that comes now, from 1 (<see cref="SnapshotPhase.LiveRounds"/>); 0 otherwise.</summary>
    public int Round { get; init; }

    /// <summary>Live rounds of which memory came.</summary>
    public int RoundCount { get; init; }

    /// <summary>Bytes of memory that came in the round, or of the instant.</summary>
    public long RoundBytes { get; init; }
}

/// <summary>Phases of a snapshot as its receiver sees them.</summary>
public enum SnapshotPhase
{
    /// <summary>The agent plans.</summary>
    Planning,

    /// <summary>The target is being stopped, or was and runs again: the agent says when.</summary>
    Stopping,

    /// <summary>Memory comes that is read while the target runs, before it is stopped.</summary>
    LiveRounds,

    /// <summary>Memory of the instant comes.</summary>
    Receiving,

    /// <summary>All came and was checked.</summary>
    Complete,
}
