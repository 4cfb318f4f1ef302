namespace Corelift.Client;

/// <summary>How to talk to an agent. The defaults suit a Unix socket and a loopback address.</summary>
public sealed record CoreliftClientOptions
{
    /// <summary>Longest time that connecting may take.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Why processes are stopped and read, for the agent's audit log; at most 1024 bytes. Null for no reason.</summary>
    public string? Reason { get; init; }

    /// <summary>Last word on the HTTP handler before the first call: client certificates, trusted roots. Null for none.</summary>
    public Action<SocketsHttpHandler>? ConfigureHandler { get; init; }

    /// <summary>
    /// The trace that calls belong to where this program has no span of its own: a traceparent of W3C Trace Context, as build
    /// systems put it into the environment. One that is none is ignored, as that standard says.
    /// </summary>
    public string? TraceParent { get; init; }

    /// <summary>The tracestate that goes with it.</summary>
    public string? TraceState { get; init; }
}
