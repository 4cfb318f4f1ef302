namespace Corelift.Client;

/// <summary>Why a snapshot that had begun did not become a core.</summary>
public enum SnapshotFailure
{
    /// <summary>The stream ended before its trailer.</summary>
    Broken,

    /// <summary>The agent sent what the contract forbids: order, bounds, totals or digest are wrong.</summary>
    Violation,

    /// <summary>The agent sent, or claimed, more than <see cref="SnapshotLimits"/> allows.</summary>
    LimitExceeded,

    /// <summary>The core could not be written, or its name is taken.</summary>
    Output,

    /// <summary>It is sealed to keys that are not at hand.</summary>
    Sealed,
}

/// <summary>A snapshot failed on the client's side. No core is left behind, whole or partial, except in a pipe.</summary>
public sealed class SnapshotException : Exception
{
    /// <summary>Without details.</summary>
    public SnapshotException()
        : this(SnapshotFailure.Broken, "the snapshot broke off")
    {
    }

    /// <summary>With a message.</summary>
    public SnapshotException(string message)
        : this(SnapshotFailure.Broken, message)
    {
    }

    /// <summary>With a message and what caused it.</summary>
    public SnapshotException(string message, Exception? innerException)
        : this(SnapshotFailure.Broken, message, innerException)
    {
    }

    /// <summary>With the kind of failure.</summary>
    public SnapshotException(SnapshotFailure failure, string message, Exception? innerException = null)
        : base(message, innerException)
    {
        Failure = failure;
    }

    /// <summary>What kind of failure it was.</summary>
    public SnapshotFailure Failure { get; }

    internal static SnapshotException Violation(string what) =>
        new(SnapshotFailure.Violation, $"the agent broke the protocol: {what}; nothing was kept");

    internal static SnapshotException Limit(string what) =>
        new(SnapshotFailure.LimitExceeded, $"the agent sent too much: {what}; nothing was kept");
}
