using System.Security.Cryptography;

namespace Corelift.Sealing;

/// <summary>Constants and derived keys of the format (C2SP, age-encryption.org/v1).</summary>
internal static class AgeFormat
{
    internal const string VersionLine = "age-encryption.org/v1";
    internal const string StanzaStart = "->";
    internal const string MacStart = "---";
    internal const string X25519Type = "X25519";

    internal const int KeyBytes = 32; // X25519 keys and shares, derived keys, the header's MAC
    internal const int FileKeyBytes = 16;
    internal const int PayloadNonceBytes = 16;
    internal const int TagBytes = 16; // Poly1305
    internal const int ChunkNonceBytes = 12;
    internal const int ChunkBytes = 64 * 1024; // of plaintext; only the last one may be shorter
    internal const int SealedChunkBytes = ChunkBytes + TagBytes;

    /// <summary>Longest header that is read: some hundred recipients fit.</summary>
    internal const int LargestHeaderBytes = 64 * 1024;

    internal static byte[] HeaderMac(ReadOnlySpan<byte> fileKey, ReadOnlySpan<byte> header)
    {
        Span<byte> key = stackalloc byte[KeyBytes];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, fileKey, key, [], "header"u8);
        return HMACSHA256.HashData(key, header);
    }

    internal static ChaCha20Poly1305 PayloadCipher(ReadOnlySpan<byte> fileKey, ReadOnlySpan<byte> nonce)
    {
        Span<byte> key = stackalloc byte[KeyBytes];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, fileKey, key, nonce, "payload"u8);
        var cipher = new ChaCha20Poly1305(key);
        CryptographicOperations.ZeroMemory(key);
        return cipher;
    }

    /// <summary>Nonce of a chunk: its number in 11 bytes, big-endian, and whether it is the last one.</summary>
    internal static void WriteNonce(Span<byte> nonce, ulong chunk, bool isLast)
    {
        nonce.Clear();
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(nonce[3..], chunk);
        nonce[^1] = isLast ? (byte)1 : (byte)0;
    }

    /// <summary>Base 64 without padding.</summary>
    internal static string ToBase64(ReadOnlySpan<byte> bytes) => Convert.ToBase64String(bytes).TrimEnd('=');

    /// <returns>The bytes, or null where the text is no base 64 without padding, or not the one way to write those bytes.</returns>
    internal static byte[]? FromBase64(string text)
    {
        byte[] bytes = new byte[(text.Length / 4 * 3) + 3];
        string padded = text.PadRight((text.Length + 3) / 4 * 4, '=');
        return !text.Contains('=', StringComparison.Ordinal) && text.All(char.IsAscii)
            && Convert.TryFromBase64String(padded, bytes, out int length) && ToBase64(bytes.AsSpan(0, length)) == text
            ? bytes[..length]
            : null;
    }
}
