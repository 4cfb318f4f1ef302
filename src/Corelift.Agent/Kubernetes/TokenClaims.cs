using System.Buffers.Text;
using System.Text.Json;

namespace Corelift.Agent.Kubernetes;

/// <summary>
/// What a JWT says of itself, not verified. It only serves to spare the API server tokens that it would not accept for this
/// agent, and to know when an accepted one runs out.
/// </summary>
/// <param name="Audiences">Whom it was made for.</param>
/// <param name="ExpiresAt">When it runs out, or null.</param>
internal sealed record TokenClaims(IReadOnlyList<string> Audiences, DateTimeOffset? ExpiresAt)
{
    /// <summary>Longest token that is looked at, in characters.</summary>
    internal const int MaxLength = 16 << 10;

    private const long LargestTime = 253_402_300_799; // year 9999

    /// <summary>Reads the middle part; null for what is no JWT.</summary>
    internal static TokenClaims? Read(string token)
    {
        if (token.Length > MaxLength || token.Split('.') is not [{ Length: > 0 }, { Length: > 0 } middle, { Length: > 0 }])
        {
            return null;
        }

        try
        {
            using JsonDocument claims = JsonDocument.Parse(Base64Url.DecodeFromChars(middle));
            return claims.RootElement.ValueKind == JsonValueKind.Object
                ? new TokenClaims(ReadAudiences(claims.RootElement), ReadExpiry(claims.RootElement))
                : null;
        }
        catch (Exception failure) when (failure is FormatException or JsonException or InvalidOperationException) // the last: a lone surrogate
        {
            return null;
        }
    }

    private static string[] ReadAudiences(JsonElement claims) =>
        !claims.TryGetProperty("aud", out JsonElement audiences) ? []
        : audiences.ValueKind == JsonValueKind.String ? [audiences.GetString()!]
        : audiences.ValueKind == JsonValueKind.Array ? [.. audiences.EnumerateArray().Where(each => each.ValueKind == JsonValueKind.String).Select(each => each.GetString()!)]
        : [];

    private static DateTimeOffset? ReadExpiry(JsonElement claims) =>
        claims.TryGetProperty("exp", out JsonElement expiry) && expiry.ValueKind == JsonValueKind.Number
        && expiry.TryGetDouble(out double seconds) && seconds is >= 0 and <= LargestTime
            ? DateTimeOffset.FromUnixTimeMilliseconds((long)(seconds * 1000))
            : null;
}
