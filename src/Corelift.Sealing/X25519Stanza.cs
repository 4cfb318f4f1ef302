using System.Security.Cryptography;
using Org.BouncyCastle.Math.EC.Rfc7748;

namespace Corelift.Sealing;

/// <summary>The file key, wrapped for one X25519 recipient.</summary>
internal static class X25519Stanza
{
    private static readonly byte[] s_noNonce = new byte[AgeFormat.ChunkNonceBytes]; // the key is used once

    /// <summary>Whether a public key leads to no secret: a point of low order, which a real key never is.</summary>
    internal static bool IsOfLowOrder(byte[] publicKey)
    {
        byte[] probe = new byte[AgeFormat.KeyBytes];
        probe[0] = 8;
        return !X25519.CalculateAgreement(probe, 0, publicKey, 0, new byte[AgeFormat.KeyBytes], 0);
    }

    internal static byte[] ToPublic(byte[] secretKey)
    {
        byte[] publicKey = new byte[AgeFormat.KeyBytes];
        X25519.ScalarMultBase(secretKey, 0, publicKey, 0);
        return publicKey;
    }

    /// <summary>The stanza's two lines.</summary>
    internal static string Wrap(byte[] recipient, ReadOnlySpan<byte> fileKey)
    {
        byte[] secret = RandomNumberGenerator.GetBytes(AgeFormat.KeyBytes);
        byte[] share = ToPublic(secret);
        using ChaCha20Poly1305 cipher = WrapCipher(secret, recipient, share, recipient)
            ?? throw new AgeException(AgeFailure.Malformed, "a recipient is no real key: it has no secret part");
        CryptographicOperations.ZeroMemory(secret);
        Span<byte> body = stackalloc byte[AgeFormat.FileKeyBytes + AgeFormat.TagBytes];
        cipher.Encrypt(s_noNonce, fileKey, body[..AgeFormat.FileKeyBytes], body[AgeFormat.FileKeyBytes..]);
        return $"{AgeFormat.StanzaStart} {AgeFormat.X25519Type} {AgeFormat.ToBase64(share)}\n{AgeFormat.ToBase64(body)}\n";
    }

    /// <summary>Tries to unwrap the file key.</summary>
    /// <returns>False where it is for another recipient.</returns>
    /// <exception cref="AgeException">The stanza is not as the format has it.</exception>
    internal static bool TryUnwrap(AgeStanza stanza, byte[] secretKey, byte[] publicKey, Span<byte> fileKey)
    {
        byte[]? share = stanza.Arguments.Count == 1 ? AgeFormat.FromBase64(stanza.Arguments[0]) : null;
        if (share?.Length != AgeFormat.KeyBytes || stanza.Body.Length != AgeFormat.FileKeyBytes + AgeFormat.TagBytes)
        {
            throw AgeException.Malformed("a recipient's entry is of the wrong length");
        }

        using ChaCha20Poly1305 cipher = WrapCipher(secretKey, share, share, publicKey)
            ?? throw AgeException.Malformed("a recipient's entry holds a share of low order");
        try
        {
            cipher.Decrypt(s_noNonce, stanza.Body.AsSpan(0, AgeFormat.FileKeyBytes), stanza.Body.AsSpan(AgeFormat.FileKeyBytes), fileKey);
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
    }

    /// <returns>Null where the secret would be all zeros.</returns>
    private static ChaCha20Poly1305? WrapCipher(byte[] secret, byte[] point, ReadOnlySpan<byte> share, ReadOnlySpan<byte> recipient)
    {
        byte[] shared = new byte[AgeFormat.KeyBytes];
        if (!X25519.CalculateAgreement(secret, 0, point, 0, shared, 0))
        {
            return null;
        }

        Span<byte> key = stackalloc byte[AgeFormat.KeyBytes];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, shared, key, [.. share, .. recipient], "age-encryption.org/v1/X25519"u8);
        var cipher = new ChaCha20Poly1305(key);
        CryptographicOperations.ZeroMemory(shared);
        CryptographicOperations.ZeroMemory(key);
        return cipher;
    }
}
