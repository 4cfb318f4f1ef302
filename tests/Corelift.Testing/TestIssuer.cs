using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Corelift.Testing;

/// <summary>Makes tokens (JWT, RFC 7519) and key sets (RFC 7517) by hand, good ones and others.</summary>
public sealed class TestIssuer : IDisposable
{
    /// <summary>What its tokens are for, unless told otherwise.</summary>
    public const string Audience = "corelift";

    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    /// <summary>An issuer of this name, whose key has this id.</summary>
    public TestIssuer(string issuer, string keyId = "one")
    {
        Issuer = issuer;
        KeyId = keyId;
    }

    /// <summary>Its name.</summary>
    public string Issuer { get; }

    /// <summary>Id of its key.</summary>
    public string KeyId { get; }

    /// <summary>Its public key in PEM: what a confused verifier would take as a secret.</summary>
    public string PublicPem => _key.ExportSubjectPublicKeyInfoPem();

    /// <summary>A key set of these issuers' public keys.</summary>
    public static string KeySet(params TestIssuer[] issuers) => new JsonObject
    {
        ["keys"] = new JsonArray([.. issuers.Select(issuer => issuer.ToKey())]),
    }.ToJsonString();

    /// <summary>The claims of a token that is good for ten minutes.</summary>
    public JsonObject Claims(string subject = "alice") => new()
    {
        ["iss"] = Issuer,
        ["sub"] = subject,
        ["aud"] = Audience,
        ["iat"] = At(TimeSpan.Zero),
        ["exp"] = At(TimeSpan.FromMinutes(10)),
        ["groups"] = new JsonArray("ops", "dev"),
    };

    /// <summary>A moment from now, as claims write it.</summary>
    public static long At(TimeSpan fromNow) => (DateTimeOffset.UtcNow + fromNow).ToUnixTimeSeconds();

    /// <summary>A token; <paramref name="change"/> may spoil its claims.</summary>
    public string Issue(Action<JsonObject>? change = null, string subject = "alice", string? keyId = null)
    {
        JsonObject claims = Claims(subject);
        change?.Invoke(claims);
        return Sign(Header("ES256", keyId ?? KeyId), claims, bytes => _key.SignData(bytes, HashAlgorithmName.SHA256));
    }

    /// <summary>A token that says that it is not signed.</summary>
    public string IssueUnsigned() => Sign(Header("none", KeyId), Claims(), _ => []);

    /// <summary>A token signed by HMAC with the public key, which everybody knows.</summary>
    public string IssueByPublicKey() => Sign(Header("HS256", KeyId), Claims(), bytes => HMACSHA256.HashData(Encoding.UTF8.GetBytes(PublicPem), bytes));

    /// <inheritdoc/>
    public void Dispose() => _key.Dispose();

    private static JsonObject Header(string algorithm, string keyId) => new() { ["alg"] = algorithm, ["typ"] = "JWT", ["kid"] = keyId };

    private static string Sign(JsonObject header, JsonObject claims, Func<byte[], byte[]> sign)
    {
        string text = string.Create(CultureInfo.InvariantCulture, $"{Encode(Bytes(header))}.{Encode(Bytes(claims))}");
        return $"{text}.{Encode(sign(Encoding.ASCII.GetBytes(text)))}";
    }

    private static byte[] Bytes(JsonObject part) => JsonSerializer.SerializeToUtf8Bytes(part);

    private static string Encode(byte[] bytes) => Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    private JsonObject ToKey()
    {
        ECPoint point = _key.ExportParameters(false).Q;
        return new JsonObject { ["kty"] = "EC", ["crv"] = "P-256", ["use"] = "sig", ["kid"] = KeyId, ["x"] = Encode(point.X!), ["y"] = Encode(point.Y!) };
    }
}
