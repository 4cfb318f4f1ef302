using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Corelift.Agent.Access.Tokens;

/// <summary>Which tokens are taken.</summary>
/// <param name="Issuer">Exactly what <c>iss</c> must be.</param>
/// <param name="Audiences">One of them must be among <c>aud</c>.</param>
internal sealed record JwtRules(string Issuer, IReadOnlyList<string> Audiences);

/// <summary>Knows the tokens (JWT) of one OpenID Connect issuer, by their signature.</summary>
internal sealed class JwtAuthenticator(JwtRules rules, IIssuerKeys keys, ILogger logger) : IBearerAuthenticator
{
    private const int MaxTokenBytes = 16 * 1024;

    // Public keys alone: with "none" nobody signs, and with HMAC whoever knows the public key could.
    private static readonly string[] s_algorithms =
    [
        SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSha384, SecurityAlgorithms.RsaSha512,
        SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.RsaSsaPssSha384, SecurityAlgorithms.RsaSsaPssSha512,
        SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.EcdsaSha384, SecurityAlgorithms.EcdsaSha512,
    ];

    private static readonly TimeSpan s_clockSkew = TimeSpan.FromSeconds(10);

    private readonly JsonWebTokenHandler _handler = new() { MapInboundClaims = false, MaximumTokenSizeInBytes = MaxTokenBytes };
    private readonly LogLimiter _limiter = new();

    /// <inheritdoc/>
    public async ValueTask<Caller?> AuthenticateAsync(string token, CancellationToken cancellationToken)
    {
        if (Read(token) is not { } read || read.Issuer != rules.Issuer)
        {
            return null; // somebody else's
        }

        if (!s_algorithms.Contains(read.Alg))
        {
            return Refuse($"its algorithm '{read.Alg}' is not one with a public key");
        }

        IReadOnlyList<SecurityKey> known = await keys.GetAsync(string.IsNullOrEmpty(read.Kid) ? null : read.Kid, cancellationToken).ConfigureAwait(false);
        TokenValidationResult result = await _handler.ValidateTokenAsync(read, new TokenValidationParameters
        {
            ValidIssuer = rules.Issuer,
            ValidAudiences = rules.Audiences,
            IssuerSigningKeys = known,
            ValidAlgorithms = s_algorithms,
            TryAllIssuerSigningKeys = string.IsNullOrEmpty(read.Kid),
            RequireSignedTokens = true,
            RequireExpirationTime = true,
            ClockSkew = s_clockSkew,
        }).ConfigureAwait(false);
        return result is { IsValid: true, SecurityToken: JsonWebToken { Subject.Length: > 0 } valid }
            ? ToCaller(valid)
            : Refuse(result.Exception?.GetType().Name ?? "it has no subject");
    }

    private static Caller ToCaller(JsonWebToken token)
    {
        Dictionary<string, IReadOnlyList<string>> claims = token.Claims
            .GroupBy(claim => claim.Type, StringComparer.Ordinal)
            .ToDictionary(group => group.Key, IReadOnlyList<string> (group) => [.. group.Select(claim => claim.Value)], StringComparer.Ordinal);
        return new Caller(CallerKind.Token, CallerNames.Bound($"oidc:{token.Subject}@{token.Issuer}"))
        {
            Issuer = token.Issuer,
            Claims = claims,
            GroupNames = claims.GetValueOrDefault("groups") ?? [],
            ExpiresAt = new DateTimeOffset(token.ValidTo, TimeSpan.Zero),
        };
    }

    private JsonWebToken? Read(string token)
    {
        try
        {
            return token.Length <= MaxTokenBytes && _handler.CanReadToken(token) ? _handler.ReadJsonWebToken(token) : null;
        }
        catch (Exception failure) when (failure is ArgumentException or SecurityTokenException or FormatException)
        {
            return null;
        }
    }

    private Caller? Refuse(string why)
    {
        if (_limiter.Allows())
        {
            logger.TokenRefused(rules.Issuer, AgentLog.Escape(why));
        }

        return null;
    }
}
