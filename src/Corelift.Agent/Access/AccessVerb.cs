namespace Corelift.Agent.Access;

/// <summary>What a right allows; the verbs of the policy file and of the virtual Kubernetes resource.</summary>
internal enum AccessVerb
{
    /// <summary><c>inspect</c>: see that a process is there, and what /proc says of it; plan a capture.</summary>
    Inspect,

    /// <summary><c>stop</c>: stop it under a lease, and read its registers.</summary>
    Stop,

    /// <summary><c>snapshot</c>: capture it, or read its memory while it is stopped.</summary>
    Snapshot,

    /// <summary><c>snapshot-secrets</c>: the same with what its owner marked as secret, and of processes that are not dumpable.</summary>
    SnapshotSecrets,
}
