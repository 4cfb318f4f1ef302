using Corelift.Agent.Access;
using Corelift.Agent.Access.Tls;
using Corelift.Agent.Access.Tokens;
using Corelift.Agent.Kubernetes;
using Corelift.Agent.Telemetry;
using Corelift.Sealing;

namespace Corelift.Agent.Hosting;

/// <summary>How the agent was started.</summary>
internal sealed record AgentOptions
{
    /// <summary>Where to listen; at least one.</summary>
    internal required IReadOnlyList<ListenAddress> Listen { get; init; }

    /// <summary>Group that may use the Unix sockets, by name or number; null for the agent's own.</summary>
    internal string? SocketGroup { get; init; }

    /// <summary>Mode of the Unix sockets; null for what the group asks for.</summary>
    internal UnixFileMode? SocketMode { get; init; }

    /// <summary>The files of the TLS doors; null where there are none.</summary>
    internal TlsFiles? Tls { get; init; }

    /// <summary>The issuer whose tokens are taken; null for none.</summary>
    internal OidcOptions? Oidc { get; init; }

    /// <summary>What the doors ask of callers.</summary>
    internal DoorRules Doors { get; init; } = new(AllowAuthenticated: false, HealthWithoutIdentity: false);

    /// <summary>Most memory for what strategy direct copies; 0 for a quarter of what is available then.</summary>
    internal long SpoolBytes { get; init; }

    /// <summary>Directory that such copies may be put in, or null for memory alone.</summary>
    internal string? SpoolDirectory { get; init; }

    /// <summary>Directory that remembers captures, so that the next agent can clean up after a killed one; null for none.</summary>
    internal string? StateDirectory { get; init; }

    /// <summary>Stop budget where a call names none.</summary>
    internal TimeSpan DefaultStopBudget { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Largest stop budget.</summary>
    internal TimeSpan MaxStopBudget { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Longest time to live of a lease.</summary>
    internal TimeSpan MaxLease { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Longest time that a lease can last in all.</summary>
    internal TimeSpan MaxHold { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Policy file, or null: then whoever may use the socket may do everything.</summary>
    internal string? Policy { get; init; }

    /// <summary>Audit log, or null for none.</summary>
    internal string? AuditLog { get; init; }

    /// <summary>Most stops and captures at once.</summary>
    internal int MaxCaptures { get; init; } = 32;

    /// <summary>What a target may have, and a capture may take.</summary>
    internal Capture.TargetLimits Limits { get; init; } = new();

    /// <summary>Longest time for one capture, the client's reading included.</summary>
    internal TimeSpan MaxCaptureTime { get; init; } = TimeSpan.FromHours(2);

    /// <summary>What clients may cost.</summary>
    internal ConnectionLimits Connections { get; init; } = new();

    /// <summary>Nice value of the serving process; workers run at 0, and above all others while somebody is stopped.</summary>
    internal int Nice { get; init; } = 5;

    /// <summary>Whom every snapshot is sealed to, beside those that a caller names; empty for nobody.</summary>
    internal IReadOnlyList<AgeRecipient> SealTo { get; init; } = [];

    /// <summary>How long captures may go on when the agent stops; their targets run.</summary>
    internal TimeSpan StopGrace { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Where telemetry goes.</summary>
    internal TelemetryOptions Telemetry { get; init; } = new();

    /// <summary>Whether log lines are JSON objects.</summary>
    internal bool JsonLog { get; init; }

    /// <summary>Whether it asks a Kubernetes API server, and which.</summary>
    internal KubernetesOptions Kubernetes { get; init; } = new();
}
