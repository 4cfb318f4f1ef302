using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Corelift.Testing.Cluster;

/// <summary>Tokens of service accounts: JWTs, signed with a key of the stand-in's own.</summary>
public sealed class ClusterTokens
{
    /// <summary>The API server's own audience.</summary>
    public const string ApiAudience = "https://kubernetes.default.svc";

    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);

    /// <summary>Tokens that are revoked, as by the deletion of their pod.</summary>
    public HashSet<string> Revoked { get; } = [];

    /// <summary>Makes a token.</summary>
    public string Issue(string space, string account, TimeSpan lifetime, params string[] audiences)
    {
        JsonObject claims = new()
        {
            ["aud"] = new JsonArray([.. audiences.Select(each => JsonValue.Create(each))]),
            ["exp"] = DateTimeOffset.UtcNow.Add(lifetime).ToUnixTimeSeconds(),
            ["iss"] = ApiAudience,
            ["jti"] = Guid.NewGuid().ToString(),
            ["sub"] = $"system:serviceaccount:{space}:{account}",
        };
        string text = Encode("""{"alg":"HS256","kid":"stand-in"}""") + "." + Encode(claims.ToJsonString());
        return text + "." + Sign(text);
    }

    /// <summary>The claims of a token that is ours, in time, not revoked, and for one of the audiences; else null.</summary>
    internal (string Subject, string TokenId, string[] Audiences)? Verify(string token, IReadOnlyCollection<string> audiences)
    {
        int last = token.LastIndexOf('.');
        if (last < 0 || Sign(token[..last]) != token[(last + 1)..] || Revoked.Contains(token))
        {
            return null;
        }

        JsonNode claims = JsonNode.Parse(Base64Url.DecodeFromChars(token.Split('.')[1]))!;
        string[] common = [.. claims["aud"]!.AsArray().Select(each => each!.GetValue<string>()).Intersect(audiences)];
        return common.Length > 0 && claims["exp"]!.GetValue<long>() > DateTimeOffset.UtcNow.ToUnixTimeSeconds()
            ? (claims["sub"]!.GetValue<string>(), claims["jti"]!.GetValue<string>(), common)
            : null;
    }

    private static string Encode(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));

    private string Sign(string text) => Base64Url.EncodeToString(HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes(text)));
}
