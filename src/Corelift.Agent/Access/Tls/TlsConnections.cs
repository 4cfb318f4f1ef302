using System.Security.Cryptography;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Corelift.Agent.Access.Tls;

/// <summary>Puts TLS on a listener, and finds out whose the client certificate is.</summary>
internal static class TlsConnections
{
    private static readonly TimeSpan s_handshakePatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_longest = TimeSpan.FromDays(20); // what a timer takes

    /// <summary>Serves with TLS 1.3 alone.</summary>
    /// <param name="options">The listener.</param>
    /// <param name="door">Its certificates.</param>
    /// <param name="mostConnections">Most connections at once; more are closed at once.</param>
    internal static void UseTlsDoor(this ListenOptions options, TlsDoor door, int mostConnections)
    {
        int open = 0;
        options.Use(next => async connection =>
        {
            try
            {
                if (Interlocked.Increment(ref open) > mostConnections)
                {
                    connection.Abort();
                    return;
                }

                await next(connection).ConfigureAwait(false);
            }
            finally
            {
                _ = Interlocked.Decrement(ref open);
            }
        });
        options.UseHttps(new TlsHandshakeCallbackOptions
        {
            HandshakeTimeout = s_handshakePatience,
            OnConnection = _ => ValueTask.FromResult(door.Options),
        });
        options.Use(next => connection => ServeAsync(next, connection));
    }

    private static async Task ServeAsync(ConnectionDelegate next, ConnectionContext connection)
    {
        Caller? caller = ReadCaller(connection);
        connection.Features.Set(PeerAccess.OfTls(caller));
        using ITimer? close = caller?.ExpiresAt is { } end ? CloseBefore(end, connection) : null;
        await next(connection).ConfigureAwait(false);
    }

    private static Caller? ReadCaller(ConnectionContext connection)
    {
        try
        {
            return connection.Features.Get<ITlsConnectionFeature>()?.ClientCertificate is { } certificate ? CertificateCaller.Read(certificate) : null;
        }
        catch (CryptographicException)
        {
            return null; // malformed: then it proves nothing
        }
    }

    /// <summary>
    /// Asks the client for another connection (GOAWAY) when a tenth of the certificate's time is left, at least a second: a client
    /// with a renewed certificate so never makes a call by the old one. Calls under way go on.
    /// </summary>
    private static ITimer CloseBefore(DateTimeOffset end, ConnectionContext connection)
    {
        TimeSpan left = end - DateTimeOffset.UtcNow;
        TimeSpan early = TimeSpan.FromTicks(Math.Clamp(left.Ticks / 10, TimeSpan.TicksPerSecond, TimeSpan.TicksPerHour));
        TimeSpan due = left - early;
        due = due < TimeSpan.Zero ? TimeSpan.Zero : due > s_longest ? s_longest : due;
        return TimeProvider.System.CreateTimer(
            _ => connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose(), null, due, Timeout.InfiniteTimeSpan);
    }
}
