namespace Corelift.Client;

/// <summary>How far a snapshot has come.</summary>
/// <param name="Phase">What is being waited for.</param>
/// <param name="ReceivedBytes">Bytes of memory that came.</param>
/// <param name="ExpectedBytes">Bytes of memory that the plan expects; an estimate, 0 where unknown.</param>
/// <param name="Elapsed">Time since the request.</param>
public readonly record struct SnapshotProgress(SnapshotPhase Phase, long ReceivedBytes, long ExpectedBytes, TimeSpan Elapsed);

/// <summary>Phases of a snapshot as its receiver sees them.</summary>
public enum SnapshotPhase
{
    /// <summary>The agent plans.</summary>
    Planning,

    /// <summary>The target is being stopped, or was and runs again: the agent says when.</summary>
    Stopping,

    /// <summary>Memory comes.</summary>
    Receiving,

    /// <summary>All came and was checked.</summary>
    Complete,
}
