namespace Corelift.Client;

/// <summary>How to talk to an agent. The defaults suit a Unix socket and a loopback address.</summary>
public sealed record CoreliftClientOptions
{
    /// <summary>Longest time that connecting may take.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// File with the CAs (PEM, any number) that the agent's certificate must come from; null for those of this host. Read for each
    /// connection. For https alone, as are the next three.
    /// </summary>
    public string? CaFile { get; init; }

    /// <summary>
    /// File with this client's certificate (PEM), those between it and its CA after it; null for none. Read for each connection:
    /// calls after a renewal go by the new one as soon as the agent asks for another connection, which it does before the old one
    /// expires.
    /// </summary>
    public string? CertificateFile { get; init; }

    /// <summary>File with the private key of that certificate (PEM, not encrypted); null where it stands in the same file.</summary>
    public string? KeyFile { get; init; }

    /// <summary>Name that the agent's certificate must have, where it is not the address's host; null for the host.</summary>
    public string? ServerName { get; init; }

    /// <summary>
    /// File with a bearer token, sent with each call and read anew for each; null for none. Over https and Unix sockets alone:
    /// a call over http throws <see cref="AgentException"/>, and so does one whose token cannot be read.
    /// </summary>
    public string? TokenFile { get; init; }

    /// <summary>
    /// Gives the bearer token for each call, where there is no <see cref="TokenFile"/>; null for none. The same rules hold; one that
    /// is no single word of printable ASCII is refused as well.
    /// </summary>
    public Func<string>? Token { get; init; }

    /// <summary>
    /// Opens connections instead of the client: a tunnel, a port-forward, a socket that was set up otherwise. The stream is the
    /// client's from then on, and is read and written asynchronously alone; for https the client makes TLS on it, for the host of the
    /// agent's address or <see cref="ServerName"/>. The address is not connected to, but names the agent in messages. What this
    /// throws is reported by <see cref="AgentUnreachableException"/>. Null: the client connects to the address. May be called
    /// again, when a connection was lost.
    /// </summary>
    public Func<CancellationToken, ValueTask<Stream>>? Open { get; init; }

    /// <summary>Why processes are stopped and read, for the agent's audit log; at most 1024 bytes. Null for no reason.</summary>
    public string? Reason { get; init; }

    /// <summary>Last word on the HTTP handler before the first call. Null for none.</summary>
    public Action<SocketsHttpHandler>? ConfigureHandler { get; init; }

    /// <summary>
    /// The trace that calls belong to where this program has no span of its own: a traceparent of W3C Trace Context, as build
    /// systems put it into the environment. One that is none is ignored, as that standard says.
    /// </summary>
    public string? TraceParent { get; init; }

    /// <summary>The tracestate that goes with it.</summary>
    public string? TraceState { get; init; }
}
