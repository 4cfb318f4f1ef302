using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Corelift.Agent.Access;

/// <summary>What was found out about a connection's peer; seen by calls as a feature of theirs.</summary>
/// <param name="Peer">Who it is; null over TCP, or where the kernel did not say.</param>
/// <param name="IsAllowed">Whether its calls are served.</param>
internal sealed record PeerAccess(PeerIdentity? Peer, bool IsAllowed)
{
    /// <summary>Who calls, for policy and audit.</summary>
    internal Caller Caller => Peer is null
        ? new Caller(CallerKind.Anonymous, "anonymous")
        : new Caller(CallerKind.UnixPeer, $"uid:{Peer.Uid}") { Uid = Peer.Uid, Gid = Peer.Gid, Groups = Peer.Groups };

    /// <summary>Of a connection that nothing was found out about.</summary>
    internal static PeerAccess Refused { get; } = new(null, false);

    /// <summary>Of a connection over loopback TCP, which is not authenticated.</summary>
    internal static PeerAccess Unchecked { get; } = new(null, true);

    /// <inheritdoc/>
    public override string ToString() => Peer?.ToString() ?? "a peer that the kernel does not name";
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
            return peer is null ? PeerAccess.Refused : new PeerAccess(peer, policy.Allows(peer));
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            return PeerAccess.Refused;
        }
    }
}
