#pragma warning disable CA2000 // The queue disposes of the frames that are handed to it.

using System.Buffers;
using Corelift.Client.Wire;
using Corelift.Sealing;

namespace Corelift.Client.Receiving;

/// <summary>Opens a sealed snapshot, and cuts its plaintext into the messages of a capture: each stands behind its length as a varint.</summary>
internal sealed class SealedMessages
{
    private const ulong LargestMessageBytes = 4 * 1024 * 1024; // as for messages that come by themselves

    private readonly FrameQueue _queue;
    private byte[] _message = [];
    private ulong? _length; // of the message that comes, once known
    private int _filled;
    private ulong _varint;
    private int _varintBits;

    private SealedMessages(FrameQueue queue) => _queue = queue;

    /// <summary>Hands all messages to the queue, until the file's proved end or the queue's failure.</summary>
    /// <exception cref="SnapshotException">The file is for other keys, cut off, changed, unreadable, or holds something else.</exception>
    internal static async Task ReadAsync(Stream file, IReadOnlyList<AgeIdentity> identities, FrameQueue queue, CancellationToken cancellation)
    {
        SealedMessages messages = new(queue);
        try
        {
            using AgeReader reader = await AgeReader.OpenAsync(file, identities, cancellation);
            while (await reader.ReadChunkAsync(cancellation) is { Length: > 0 } chunk)
            {
                if (!await messages.TryAddAsync(chunk))
                {
                    return;
                }
            }

            messages.VerifyEnd();
        }
        catch (AgeException failure)
        {
            SnapshotFailure kind = failure.Failure == AgeFailure.NoMatchingIdentity ? SnapshotFailure.Sealed : SnapshotFailure.Broken;
            throw new SnapshotException(kind, $"the snapshot cannot be opened: {failure.Message}; nothing was kept", failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new SnapshotException(SnapshotFailure.Broken, $"the sealed snapshot cannot be read: {failure.Message}; nothing was kept", failure);
        }
        finally
        {
            System.Security.Cryptography.CryptographicOperations.ZeroMemory(messages._message);
        }
    }

    /// <returns>False where the queue's receiver has failed.</returns>
    private async ValueTask<bool> TryAddAsync(ReadOnlyMemory<byte> chunk)
    {
        while (chunk.Length > 0)
        {
            if (_length is not { } length)
            {
                AddToLength(chunk.Span[0]);
                chunk = chunk[1..];
                continue;
            }

            int missing = (int)length - _filled;
            if (_filled == 0 && chunk.Length >= missing)
            {
                if (!await AddAsync(chunk[..missing]))
                {
                    return false;
                }

                chunk = chunk[missing..];
                _length = null;
                continue;
            }

            int taken = Math.Min(missing, chunk.Length);
            Reserve((int)length);
            chunk.Span[..taken].CopyTo(_message.AsSpan(_filled));
            _filled += taken;
            chunk = chunk[taken..];
            if (taken == missing)
            {
                ReadOnlyMemory<byte> message = _message.AsMemory(0, _filled);
                (_length, _filled) = (null, 0);
                if (!await AddAsync(message))
                {
                    return false;
                }
            }
        }

        return true;
    }

    private ValueTask<bool> AddAsync(ReadOnlyMemory<byte> message)
    {
        CaptureFrame frame = CaptureMethod.Read(new ReadOnlySequence<byte>(message)); // copies what it keeps
        return _queue.TryAddAsync(frame);
    }

    private void AddToLength(byte next)
    {
        _varint |= (ulong)(next & 0x7f) << _varintBits;
        _varintBits += 7;
        if (_varint > LargestMessageBytes || _varintBits > 35)
        {
            throw SnapshotException.Violation($"a message of more than {LargestMessageBytes} bytes");
        }

        if (next < 0x80)
        {
            // An empty message is none of the contract's, and any number of them would cost the agent nothing.
            _length = _varint > 0 ? _varint : throw SnapshotException.Violation("an empty message");
            (_varint, _varintBits) = (0, 0);
        }
    }

    private void Reserve(int length)
    {
        if (_message.Length < length)
        {
            Array.Resize(ref _message, length);
        }
    }

    private void VerifyEnd()
    {
        if (_length is not null || _varintBits > 0)
        {
            throw SnapshotException.Violation("a sealed snapshot that ends within a message");
        }
    }
}
