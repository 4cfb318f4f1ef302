using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Net.Sockets;
using Corelift.Agent.Access;
using Corelift.Agent.Hosting;
using Corelift.Linux;
using Corelift.Linux.Processes;
using Grpc.Core;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Agent.Local;

/// <summary>
/// The rings of clients on this host. A client asks for one by a connection of its own to the agent's Unix socket, which
/// begins with <see cref="Preface"/> where HTTP/2 has its own, and names it in the metadata of its capture. The answer is one
/// message: a token of 16 bytes, length and number of the slots (32 bits each, little-endian), and the ring's descriptor
/// (SCM_RIGHTS, unix(7)). From then on each byte from the client gives a chunk back. The ring lives as long as the connection.
/// </summary>
internal sealed class MemoryRings(AgentOptions options)
{
    /// <summary>Metadata entry of Capture that names a ring.</summary>
    internal const string Header = "corelift-memory-ring";

    private const int MostRings = 32;
    private static readonly TimeSpan s_untilClaimed = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, MemoryRing> _unclaimed = new(StringComparer.Ordinal);
    private int _count;

    /// <summary>What a connection begins with that asks for a ring.</summary>
    internal static ReadOnlySpan<byte> Preface => "corelift memory ring 1\n\n"u8;

    /// <summary>The ring that a call names; null where it names none, or one that is not its caller's (any more).</summary>
    internal RingWriter? Claim(ServerCallContext context) =>
        context.RequestHeaders.GetValue(Header) is { } token
        && context.GetHttpContext().Features.Get<PeerAccess>()?.Peer is { } peer
        && _unclaimed.TryGetValue(token, out MemoryRing? ring)
        && ring.OwnerUid == peer.Uid
        && _unclaimed.TryRemove(token, out _)
            ? RingWriter.TryBegin(ring)
            : null;

    /// <summary>Takes connections that ask for a ring out of the ones that speak HTTP/2, and closes others. After the peer is known.</summary>
    internal void TakeFrom(ListenOptions listen) =>
        listen.Use(next => async connection =>
        {
            byte[]? words = await FirstWords.PeekAsync(connection);
            if (words.AsSpan().SequenceEqual(Preface))
            {
                PipeReader input = connection.Transport.Input;
                ReadResult read = await input.ReadAtLeastAsync(Preface.Length);
                input.AdvanceTo(read.Buffer.GetPosition(Preface.Length));
                await ServeAsync(connection);
            }
            else if (words.AsSpan().SequenceEqual(FirstWords.Http2))
            {
                await next(connection);
            }
            else
            {
                connection.Abort();
            }
        });

    private async Task ServeAsync(ConnectionContext connection)
    {
        PeerAccess access = connection.Features.Get<PeerAccess>() ?? PeerAccess.Refused;
        Socket? socket = connection.Features.Get<IConnectionSocketFeature>()?.Socket;
        if (!access.IsAllowed || access.Peer is null || socket is null)
        {
            return; // closed: the client goes on without, and its capture is answered as it has to be
        }

        try
        {
            if (Interlocked.Increment(ref _count) > MostRings)
            {
                return;
            }

            using var ring = new MemoryRing(access.Peer.Uid, options.Connections.MaxStall); // a capture that uses it holds it, too
            _unclaimed[ring.Token] = ring;
            try
            {
                if (HandOver(ring, socket))
                {
                    await FreeSlotsAsync(connection, ring);
                }
            }
            finally
            {
                _unclaimed.TryRemove(ring.Token, out _);
                ring.Break();
            }
        }
        catch (Exception failure) when (failure is SyscallException or ConnectionResetException or ConnectionAbortedException or OperationCanceledException or ObjectDisposedException)
        {
            // No memory for it, or the client has gone.
        }
        finally
        {
            Interlocked.Decrement(ref _count);
        }
    }

    private static bool HandOver(MemoryRing ring, Socket socket)
    {
        Span<byte> message = stackalloc byte[24];
        Convert.FromHexString(ring.Token, message, out _, out _);
        BinaryPrimitives.WriteInt32LittleEndian(message[16..], MemoryRing.SlotBytes);
        BinaryPrimitives.WriteInt32LittleEndian(message[20..], MemoryRing.SlotCount);
        using var borrowed = new SafeFileHandle(socket.Handle, ownsHandle: false);
        using var sender = new MessageSocket(borrowed);
        return sender.TrySend(message, ring.File);
    }

    private async Task FreeSlotsAsync(ConnectionContext connection, MemoryRing ring)
    {
        CancellationToken stopping = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        patience.CancelAfter(s_untilClaimed);
        PipeReader input = connection.Transport.Input;
        while (true)
        {
            ReadResult read;
            try
            {
                read = await input.ReadAsync(_unclaimed.ContainsKey(ring.Token) ? patience.Token : CancellationToken.None);
            }
            catch (OperationCanceledException) when (!_unclaimed.ContainsKey(ring.Token))
            {
                continue; // claimed meanwhile: it stays as long as its capture
            }

            int count = (int)Math.Min(read.Buffer.Length, int.MaxValue);
            input.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted || !ring.TryFree(count))
            {
                return;
            }
        }
    }
}
