using Corelift.V1;

namespace Corelift.Client;

/// <summary>What to capture, and how. Exactly one of <see cref="Target"/> and <see cref="LeaseId"/> is set.</summary>
public sealed record SnapshotRequest
{
    /// <summary>The process to stop, capture and resume.</summary>
    public ProcessRef? Target { get; init; }

    /// <summary>A lease whose target is captured as it stands, and stays stopped.</summary>
    public string? LeaseId { get; init; }

    /// <summary>How the instant is held; unspecified lets the agent choose.</summary>
    public Strategy Strategy { get; init; }

    /// <summary>How much of the memory is captured.</summary>
    public Content Content { get; init; }

    /// <summary>Longest time the target may be stopped; null for the agent's default.</summary>
    public TimeSpan? StopBudget { get; init; }

    /// <summary>Most bytes of shared and unforkable memory that strategy fork copies in the pause; 0 for the agent's default.</summary>
    public ulong PauseCopyLimitBytes { get; init; }

    /// <summary>Most bytes of memory that the agent reads a second; 0 for as fast as the client takes them.</summary>
    public ulong RateLimitBytesPerSecond { get; init; }

    /// <summary>Whether the target's threads are brought to stop at more nearly the same moment, as the contract has it.</summary>
    public bool Quiesce { get; init; }

    /// <summary>Whether memory that its owner marked as secret is captured, too. Needs the right snapshot-secrets.</summary>
    public bool IncludeSecrets { get; init; }

    /// <summary>Why, for the agent's audit log; null for <see cref="CoreliftClientOptions.Reason"/>.</summary>
    public string? Reason { get; init; }

    /// <summary>Packing on the wire; unspecified is none.</summary>
    public Compression Compression { get; init; }

    /// <summary>What the client takes from an agent.</summary>
    public SnapshotLimits Limits { get; init; } = new();

    internal CaptureOptions ToOptions(bool sinkCannotSeek = false) => new()
    {
        Strategy = Strategy,
        Content = Content,
        StopBudget = StopBudget is { } budget ? Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(budget) : null,
        PauseCopyLimitBytes = PauseCopyLimitBytes,
        Compression = Compression,
        RateLimitBytesPerSecond = RateLimitBytesPerSecond,
        Quiesce = Quiesce,
        IncludeSecrets = IncludeSecrets,
        SinkCannotSeek = sinkCannotSeek,
    };

    /// <exception cref="ArgumentException">Neither a target nor a lease, or both.</exception>
    internal void Verify()
    {
        if ((Target is null) == (LeaseId is null))
        {
            throw new ArgumentException("a snapshot needs either a target or a lease");
        }
    }

    internal CaptureRequest ToCapture(bool sinkCannotSeek, string? reason)
    {
        Verify();
        CaptureRequest request = new() { Options = ToOptions(sinkCannotSeek), Reason = Reason ?? reason ?? string.Empty };
        if (LeaseId is not null)
        {
            request.LeaseId = LeaseId;
        }
        else
        {
            request.Ref = Target;
        }

        return request;
    }
}
