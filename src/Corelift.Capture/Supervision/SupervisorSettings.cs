using Corelift.Linux.Processes;

namespace Corelift.Capture.Supervision;

/// <summary>How a supervisor is started.</summary>
public sealed record SupervisorOptions
{
    /// <summary>Version of this program; a front end must have the same.</summary>
    public required string Version { get; init; }

    /// <summary>What a front end can ask for.</summary>
    public SupervisorLimits Limits { get; init; } = new();

    /// <summary>Time for a front end to end in order after a signal; then it is ended.</summary>
    public TimeSpan FrontEndPatience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Directory for the journals of quiesced targets, or null: then they are lost where the supervisor is killed.</summary>
    public string? StateDirectory { get; init; }
}

/// <summary>What a supervisor works with.</summary>
/// <param name="Executable">This program.</param>
/// <param name="Limits">What a front end can ask for.</param>
/// <param name="Journals">Where quiesced targets are noted.</param>
internal sealed record SupervisorSettings(string Executable, SupervisorLimits Limits, QuiesceJournals Journals);

/// <summary>What a supervisor looks at beside its front end and its workers.</summary>
internal interface ISupervisorEvents
{
    /// <summary>What to wait on.</summary>
    IReadOnlyList<MessageSocket> Sockets { get; }

    /// <summary>When to look at the latest, CLOCK_MONOTONIC in nanoseconds; <see cref="long.MaxValue"/> for never.</summary>
    long DueAt { get; }

    /// <summary>Deals with the sockets that are ready.</summary>
    void Look(ReadOnlySpan<bool> isReady);

    /// <summary>Whether the front end is to be let go, and everybody resumed.</summary>
    bool IsOver(long now);
}
