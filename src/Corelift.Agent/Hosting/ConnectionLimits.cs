using Corelift.Agent.Configuration;

namespace Corelift.Agent.Hosting;

/// <summary>What clients may cost the agent, as it was set up.</summary>
internal sealed record ConnectionLimits
{
    /// <summary>A client that takes less than this for <see cref="MaxStall"/> is let go.</summary>
    internal const double LeastBytesPerSecond = 240;

    private static readonly TimeSpan s_shortestStall = TimeSpan.FromSeconds(2); // Kestrel looks once a second

    /// <summary>Most connections at once.</summary>
    internal int MaxConnections { get; init; } = 256;

    /// <summary>Most of them over TLS: the rest is left to the Unix sockets.</summary>
    internal int MaxTlsConnections => MaxConnections / 4 * 3;

    /// <summary>Most calls at once on one connection.</summary>
    internal int MaxStreams { get; init; } = 100;

    /// <summary>How long a client may take nothing, or as good as nothing.</summary>
    internal TimeSpan MaxStall { get; init; } = TimeSpan.FromMinutes(1);

    /// <exception cref="StartRefusedException">Values that cannot be kept.</exception>
    internal static ConnectionLimits Read(SettingValues values)
    {
        TimeSpan stall = values.Get(AgentSettings.MaxStall);
        return stall < s_shortestStall
            ? throw new StartRefusedException($"--max-stall of {stall.TotalSeconds} s cannot be kept: it must be {s_shortestStall.TotalSeconds} s or more")
            : new ConnectionLimits
            {
                MaxConnections = values.Get(AgentSettings.MaxConnections),
                MaxStreams = values.Get(AgentSettings.MaxStreams),
                MaxStall = stall,
            };
    }
}
