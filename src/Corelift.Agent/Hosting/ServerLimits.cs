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
    private const int MaxConnections = 256;
    private const int MaxStreams = 100;

    internal static void Apply(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        KestrelServerLimits limits = kestrel.Limits;
        limits.MaxConcurrentConnections = MaxConnections;
        limits.MaxRequestBodySize = 1024 * 1024;
        limits.MaxRequestHeaderCount = 64;
        limits.MaxRequestHeadersTotalSize = 16 * 1024;

        // Beyond this, what a service writes waits for the client. It holds per stream, beside the chunk being written.
        limits.MaxResponseBufferSize = 1024 * 1024;

        // Slow clients are served (the reader waits, nothing piles up), but one that has taken nothing for a minute is let go:
        // an image of somebody's process is held for it.
        limits.MinResponseDataRate = new MinDataRate(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(60));

        // Requests are small: windows for what clients send stay small, too. Windows for what they receive are theirs to say.
        limits.Http2.MaxStreamsPerConnection = MaxStreams;
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
