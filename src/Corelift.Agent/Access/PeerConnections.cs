using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Corelift.Agent.Access;

/// <summary>Which way a connection came in.</summary>
internal enum Door
{
    /// <summary>None that this agent opened.</summary>
    None,

    /// <summary>A Unix socket.</summary>
    UnixSocket,

    /// <summary>Loopback TCP without TLS.</summary>
    Loopback,

    /// <summary>TCP with TLS.</summary>
    Tls,
}

/// <summary>What was found out about a connection's peer; seen by calls as a feature of theirs.</summary>
/// <param name="Door">Which way it came in.</param>
/// <param name="Peer">Who it is; of a Unix socket alone, and null where the kernel did not say.</param>
/// <param name="Caller">Whom calls without a token are made by; null where the connection proves nobody.</param>
/// <param name="IsAllowed">Whether such calls are served.</param>
internal sealed record PeerAccess(Door Door, PeerIdentity? Peer, Caller? Caller, bool IsAllowed)
{
    /// <summary>Of a connection that nothing was found out about.</summary>
    internal static PeerAccess Refused { get; } = new(Door.None, null, null, false);

    /// <summary>Of a connection over loopback TCP, which is not authenticated.</summary>
    internal static PeerAccess Unchecked { get; } = new(Door.Loopback, null, new Caller(CallerKind.Anonymous, "anonymous"), true);

    /// <summary>Of a Unix socket whose peer the kernel does not name.</summary>
    internal static PeerAccess Unnamed { get; } = new(Door.UnixSocket, null, null, false);

    /// <summary>Of a TLS connection.</summary>
    /// <param name="caller">Whose the client certificate is; null without one.</param>
    internal static PeerAccess OfTls(Caller? caller) => new(Door.Tls, null, caller, caller is not null);

    /// <summary>Of a Unix socket.</summary>
    internal static PeerAccess OfPeer(PeerIdentity peer, bool isAllowed) => new(
        Door.UnixSocket, peer, new Caller(CallerKind.UnixPeer, $"uid:{peer.Uid}") { Uid = peer.Uid, Gid = peer.Gid, Groups = peer.Groups }, isAllowed);

    /// <inheritdoc/>
    public override string ToString() => Peer?.ToString() ?? Caller?.Name ?? "a peer that nobody names";
}

/// <summary>Finds out who connects, before the first byte is read.</summary>
internal static class PeerConnections
{
    /// <summary>Judges the peers of a Unix socket. Calls of others are answered, each with a clean refusal, and not served.</summary>
    internal static void UsePeerPolicy(this ListenOptions options, PeerPolicy policy) =>
        options.Use(next => connection =>
        {
            connection.Features.Set(Judge(connection, policy));
            return next(connection);
        });

    /// <summary>Marks connections of a listener that does not authenticate.</summary>
    internal static void UseNoPeerPolicy(this ListenOptions options) =>
        options.Use(next => connection =>
        {
            connection.Features.Set(PeerAccess.Unchecked);
            return next(connection);
        });

    private static PeerAccess Judge(ConnectionContext connection, PeerPolicy policy)
    {
        try
        {
            Socket? socket = connection.Features.Get<IConnectionSocketFeature>()?.Socket;
            PeerIdentity? peer = socket is null ? null : PeerIdentity.Read(socket);
            return peer is null ? PeerAccess.Unnamed : PeerAccess.OfPeer(peer, policy.Allows(peer));
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            return PeerAccess.Unnamed;
        }
    }
}
