using System.Security.Cryptography;

namespace Corelift.Sealing;

/// <summary>
/// Seals a stream of bytes into one age file, whose parts it hands on as they come to be. Not for several threads. What was
/// written counts only once <see cref="CompleteAsync"/> has returned: without it the file is recognisably cut off.
/// </summary>
public sealed class AgeWriter : IDisposable
{
    /// <summary>Largest part handed on, in bytes: 15 chunks of 64 KiB with their tags.</summary>
    public const int LargestPartBytes = ChunksPerPart * AgeFormat.SealedChunkBytes;

    private const int ChunksPerPart = 15; // 16 would be more than 1 MiB, for the tags

    private readonly Func<ReadOnlyMemory<byte>, CancellationToken, Task> _takePart;
    private readonly ChaCha20Poly1305 _cipher;
    private readonly byte[] _chunk = GC.AllocateUninitializedArray<byte>(AgeFormat.ChunkBytes);
    private readonly byte[] _part = GC.AllocateUninitializedArray<byte>(LargestPartBytes);
    private byte[]? _header;
    private int _chunkBytes;
    private int _partBytes;
    private ulong _chunkCount;

    /// <summary>Chooses a file key, and wraps it for each recipient.</summary>
    /// <param name="recipients">Who can open it; at least one.</param>
    /// <param name="takePart">
    /// Takes the next bytes of the file, at most <see cref="LargestPartBytes"/>. They are valid until its task ends.
    /// </param>
    public AgeWriter(IReadOnlyList<AgeRecipient> recipients, Func<ReadOnlyMemory<byte>, CancellationToken, Task> takePart)
    {
        ArgumentNullException.ThrowIfNull(recipients);
        ArgumentNullException.ThrowIfNull(takePart);
        ArgumentOutOfRangeException.ThrowIfZero(recipients.Count);
        _takePart = takePart;
        byte[] fileKey = RandomNumberGenerator.GetBytes(AgeFormat.FileKeyBytes);
        byte[] nonce = RandomNumberGenerator.GetBytes(AgeFormat.PayloadNonceBytes);
        _header = [.. AgeHeader.Make(recipients, fileKey), .. nonce];
        _cipher = AgeFormat.PayloadCipher(fileKey, nonce);
        CryptographicOperations.ZeroMemory(fileKey);
    }

    /// <summary>Seals some bytes. They may be held back until more come; the header is handed on by the first call.</summary>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await WriteHeaderAsync(cancellationToken).ConfigureAwait(false);

        // A full chunk waits for the byte after it: the last chunk must say that it is the last.
        while (_chunkBytes + (long)bytes.Length > AgeFormat.ChunkBytes)
        {
            int wanted = AgeFormat.ChunkBytes - _chunkBytes;
            if (_chunkBytes == 0)
            {
                Seal(bytes.Span[..wanted], isLast: false);
            }
            else
            {
                bytes.Span[..wanted].CopyTo(_chunk.AsSpan(_chunkBytes));
                Seal(_chunk, isLast: false);
                _chunkBytes = 0;
            }

            bytes = bytes[wanted..];
            if (_partBytes == LargestPartBytes)
            {
                await HandOnAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        bytes.Span.CopyTo(_chunk.AsSpan(_chunkBytes));
        _chunkBytes += bytes.Length;
    }

    /// <summary>Seals what is left, marked as the end.</summary>
    public async Task CompleteAsync(CancellationToken cancellationToken)
    {
        await WriteHeaderAsync(cancellationToken).ConfigureAwait(false);
        Seal(_chunk.AsSpan(0, _chunkBytes), isLast: true);
        _chunkBytes = 0;
        await HandOnAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _cipher.Dispose();
        CryptographicOperations.ZeroMemory(_chunk);
    }

    private async Task WriteHeaderAsync(CancellationToken cancellationToken)
    {
        if (_header is { } header)
        {
            _header = null;
            await _takePart(header, cancellationToken).ConfigureAwait(false);
        }
    }

    private void Seal(ReadOnlySpan<byte> plain, bool isLast)
    {
        Span<byte> nonce = stackalloc byte[AgeFormat.ChunkNonceBytes];
        AgeFormat.WriteNonce(nonce, _chunkCount++, isLast);
        Span<byte> cipher = _part.AsSpan(_partBytes, plain.Length + AgeFormat.TagBytes);
        _cipher.Encrypt(nonce, plain, cipher[..plain.Length], cipher[plain.Length..]);
        _partBytes += cipher.Length;
    }

    private async Task HandOnAsync(CancellationToken cancellationToken)
    {
        await _takePart(_part.AsMemory(0, _partBytes), cancellationToken).ConfigureAwait(false);
        _partBytes = 0;
    }
}
