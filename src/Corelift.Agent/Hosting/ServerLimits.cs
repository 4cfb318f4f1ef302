using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Corelift.Agent.Hosting;

/// <summary>What one client can cost the agent.</summary>
internal static class ServerLimits
{
    /// <summary>Largest request message: ten thousand tids fit.</summary>
    internal const int MaxRequestBytes = 64 * 1024;

    /// <summary>Largest response message: a chunk of 1 MiB with room for what is around it, or a page of long paths.</summary>
    internal const int MaxResponseBytes = 16 * 1024 * 1024;

    private const int MaxFrameBytes = 1024 * 1024;

    // A request's headers come at once, or not at all.
    private static readonly TimeSpan s_headersPatience = TimeSpan.FromSeconds(10);

    internal static void Apply(KestrelServerOptions kestrel, ConnectionLimits connections)
    {
        kestrel.AddServerHeader = false;
        KestrelServerLimits limits = kestrel.Limits;
        limits.MaxConcurrentConnections = connections.MaxConnections;
        limits.MaxRequestBodySize = 1024 * 1024;
        limits.RequestHeadersTimeout = s_headersPatience;
        limits.MaxRequestHeaderCount = 64;
        limits.MaxRequestHeadersTotalSize = 16 * 1024;

        // Beyond this, what a service writes waits for the client. It holds per stream, beside the chunk being written.
        limits.MaxResponseBufferSize = 1024 * 1024;

        // Slow clients are served (the reader waits, nothing piles up), but one that has taken nothing for a while is let go:
        // an image of somebody's process is held for it.
        limits.MinResponseDataRate = new MinDataRate(ConnectionLimits.LeastBytesPerSecond, connections.MaxStall);

        // Requests are small: windows for what clients send stay small, too. Windows for what they receive are theirs to say.
        limits.Http2.MaxStreamsPerConnection = connections.MaxStreams;
        limits.Http2.InitialConnectionWindowSize = 256 * 1024;
        limits.Http2.InitialStreamWindowSize = 96 * 1024;
        limits.Http2.MaxRequestHeaderFieldSize = 8 * 1024;

        // What we send comes in frames as large as the client says it takes, up to this.
        limits.Http2.MaxFrameSize = MaxFrameBytes;

        // A peer that vanished without a word is noticed in 15 s.
        limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(10);
        limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(5);
    }
}
