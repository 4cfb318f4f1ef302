using System.Security.Cryptography;

namespace Corelift.Sealing;

/// <summary>
/// Opens an age file, chunk after chunk, in bounded memory. Each chunk is proved before it is given out; that the file came
/// to its end is known only when <see cref="ReadChunkAsync"/> gives out nothing. Who sealed a file is not proved by it:
/// everybody with the public key can.
/// </summary>
public sealed class AgeReader : IDisposable
{
    private const int FirstHeaderBytes = 4096;

    private readonly Stream _source;
    private readonly byte[] _sealed = GC.AllocateUninitializedArray<byte>(AgeFormat.SealedChunkBytes + 1); // a byte more tells the last chunk
    private readonly byte[] _plain = GC.AllocateUninitializedArray<byte>(AgeFormat.ChunkBytes);
    private ChaCha20Poly1305? _cipher;
    private int _sealedBytes;
    private ulong _chunkCount;
    private bool _isAtEnd;

    private AgeReader(Stream source) => _source = source;

    /// <summary>Reads the header, and finds the file key.</summary>
    /// <param name="source">The file, read from where it stands and never beyond what is needed; left open.</param>
    /// <param name="identities">Private keys to try.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AgeException">It is no age file, was changed, or is sealed to other keys.</exception>
    public static async Task<AgeReader> OpenAsync(Stream source, IReadOnlyList<AgeIdentity> identities, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(identities);
        var reader = new AgeReader(source);
        try
        {
            await reader.ReadHeaderAsync(identities, cancellationToken).ConfigureAwait(false);
            return reader;
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    /// <summary>The next chunk of plaintext, at most 64 KiB, valid until the next call.</summary>
    /// <returns>Nothing at the end of the file, and only there.</returns>
    /// <exception cref="AgeException">The file was changed, or is cut off.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> ReadChunkAsync(CancellationToken cancellationToken)
    {
        if (_isAtEnd)
        {
            return default;
        }

        _sealedBytes += await _source.ReadAtLeastAsync(
            _sealed.AsMemory(_sealedBytes), _sealed.Length - _sealedBytes, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        bool isLast = _sealedBytes < _sealed.Length;
        int length = Open(_sealed.AsSpan(0, Math.Min(_sealedBytes, AgeFormat.SealedChunkBytes)), isLast);

        // Only a chunk that was proved ends the file, or moves it on: who asks again after a failure gets it again.
        _isAtEnd = isLast;
        _chunkCount++;
        if (!isLast)
        {
            _sealed[0] = _sealed[^1];
            _sealedBytes = 1;
        }

        return _plain.AsMemory(0, length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _cipher?.Dispose();
        CryptographicOperations.ZeroMemory(_plain);
    }

    private async Task ReadHeaderAsync(IReadOnlyList<AgeIdentity> identities, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[FirstHeaderBytes];
        int filled = 0;
        int length;
        while ((length = HeaderLength(buffer.AsSpan(0, filled))) < 0)
        {
            if (filled == buffer.Length)
            {
                Array.Resize(ref buffer, filled < AgeFormat.LargestHeaderBytes ? filled * 2 : throw AgeException.Malformed("its header has no end"));
            }

            int read = await _source.ReadAsync(buffer.AsMemory(filled), cancellationToken).ConfigureAwait(false);
            filled += read > 0 ? read : throw AgeException.Truncated();
        }

        byte[] fileKey = AgeHeader.Parse(buffer.AsSpan(0, length)).Unwrap(identities);
        byte[] nonce = new byte[AgeFormat.PayloadNonceBytes];
        ReadOnlyMemory<byte> rest = buffer.AsMemory(length, filled - length);
        int had = Math.Min(rest.Length, nonce.Length);
        rest[..had].CopyTo(nonce);
        int got = await _source.ReadAtLeastAsync(nonce.AsMemory(had), nonce.Length - had, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        if (had + got < nonce.Length)
        {
            throw AgeException.Truncated();
        }

        rest = rest[had..];
        rest.CopyTo(_sealed); // fits: what is read at once is smaller than a chunk
        _sealedBytes = rest.Length;
        _cipher = AgeFormat.PayloadCipher(fileKey, nonce);
        CryptographicOperations.ZeroMemory(fileKey);
    }

    /// <returns>Length of the header with the line feed of its last line; -1 where more must be read.</returns>
    private static int HeaderLength(ReadOnlySpan<byte> read)
    {
        ReadOnlySpan<byte> version = "age-encryption.org/v1\n"u8;
        if (!version.StartsWith(read[..Math.Min(read.Length, version.Length)]))
        {
            throw AgeException.Malformed("it does not begin like one; an armored file must be decrypted by age");
        }

        int mac = read.IndexOf("\n---"u8);
        int end = mac < 0 ? -1 : read[(mac + 1)..].IndexOf((byte)'\n');
        return end < 0 ? -1 : mac + 1 + end + 1;
    }

    /// <summary>Proves a chunk, and decrypts it into <see cref="_plain"/>.</summary>
    private int Open(ReadOnlySpan<byte> chunk, bool isLast)
    {
        int length = chunk.Length - AgeFormat.TagBytes;
        if (length < 0 || (length == 0 && _chunkCount > 0))
        {
            throw AgeException.Truncated(); // an empty chunk can only be that of an empty file
        }

        if (!TryOpen(chunk, isLast))
        {
            throw isLast && chunk.Length == AgeFormat.SealedChunkBytes && TryOpen(chunk, isLast: false)
                ? AgeException.Truncated()
                : new AgeException(AgeFailure.Damaged, $"chunk {_chunkCount + 1} of the sealed file was changed since it was sealed, or is cut off");
        }

        return length;
    }

    private bool TryOpen(ReadOnlySpan<byte> chunk, bool isLast)
    {
        Span<byte> nonce = stackalloc byte[AgeFormat.ChunkNonceBytes];
        AgeFormat.WriteNonce(nonce, _chunkCount, isLast);
        int length = chunk.Length - AgeFormat.TagBytes;
        try
        {
            _cipher!.Decrypt(nonce, chunk[..length], chunk[length..], _plain.AsSpan(0, length));
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
    }
}
