using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Corelift.Agent.Access;

/// <summary>
/// What a connection begins with. Who does not say it in time, or says anything else, is cut off: each connection is taken from
/// those that there may be, and the server itself would wait for two minutes.
/// </summary>
internal static class FirstWords
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5); // as for a TLS handshake

    /// <summary>What HTTP/2 begins with (RFC 9113, section 3.4).</summary>
    internal static ReadOnlySpan<byte> Http2 => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;

    /// <summary>Serves connections that begin as HTTP/2 does, and closes others.</summary>
    internal static void UseFirstWords(this ListenOptions options) =>
        options.Use(next => async connection =>
        {
            if (await PeekAsync(connection).ConfigureAwait(false) is { } words && words.AsSpan().SequenceEqual(Http2))
            {
                await next(connection).ConfigureAwait(false);
            }
            else
            {
                connection.Abort();
            }
        });

    /// <summary>Waits for as many bytes as <see cref="Http2"/> has, and leaves them there.</summary>
    /// <returns>The bytes; null where they do not come.</returns>
    internal static async Task<byte[]?> PeekAsync(ConnectionContext connection)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(connection.ConnectionClosed);
        patience.CancelAfter(s_patience);
        PipeReader input = connection.Transport.Input;
        try
        {
            ReadResult read = await input.ReadAtLeastAsync(Http2.Length, patience.Token).ConfigureAwait(false);
            byte[]? words = read.Buffer.Length < Http2.Length ? null : read.Buffer.Slice(0, Http2.Length).ToArray();
            input.AdvanceTo(read.Buffer.Start);
            return words;
        }
        catch (Exception failure) when (failure is OperationCanceledException or IOException)
        {
            return null;
        }
    }
}
