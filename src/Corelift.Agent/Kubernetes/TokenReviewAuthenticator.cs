using System.Security.Cryptography;
using System.Text;
using Corelift.Agent.Access;

namespace Corelift.Agent.Kubernetes;

/// <summary>
/// Whose a service account's token is, as the API server says (TokenReview). Only tokens that were made for this agent's
/// audience count: one that was made for the API server, or for another service, could have been taken from it. Answers are
/// remembered by the token's SHA-256, for a short time: so long a token works on after it was revoked.
/// </summary>
internal sealed class TokenReviewAuthenticator(ApiClient api, ApiQuestions questions, string audience, TimeProvider clock) : IBearerAuthenticator
{
    /// <summary>Claim of a <see cref="Caller"/> that holds its uid in the cluster.</summary>
    internal const string UidClaim = "uid";

    private const string ServiceAccountPrefix = "system:serviceaccount:";
    private const int MaxRemembered = 1024;
    private const int MaxNameLength = 512;
    private const int MaxGroups = 1000;
    private static readonly TimeSpan s_remembered = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_rememberedRefusal = TimeSpan.FromSeconds(2);

    private readonly ShortCache<string, Caller?> _answers = new(MaxRemembered, clock);

    /// <inheritdoc/>
    public async ValueTask<Caller?> AuthenticateAsync(string token, CancellationToken cancellationToken)
    {
        // What is not said to be for us is not sent to anybody either.
        DateTimeOffset now = clock.GetUtcNow();
        if (TokenClaims.Read(token) is not { } claims || !claims.Audiences.Contains(audience, StringComparer.Ordinal) || claims.ExpiresAt <= now)
        {
            return null;
        }

        string key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
        Caller? caller = await _answers.GetAsync(key, () => ReviewAsync(token, claims), Lifetime, cancellationToken).ConfigureAwait(false);
        return caller?.ExpiresAt <= clock.GetUtcNow() ? null : caller;
    }

    private static TimeSpan Lifetime(Caller? caller) => caller is null ? s_rememberedRefusal : s_remembered;

    private async Task<Caller?> ReviewAsync(string token, TokenClaims claims)
    {
        TokenReviewStatus status = await questions
            .AskAsync("whose the token is", cancellationToken => api.ReviewTokenAsync(token, audience, cancellationToken)).ConfigureAwait(false);

        // A server that knows nothing of audiences leaves them out, and has not checked them.
        return status.Authenticated == true && (status.Audiences ?? []).Contains(audience, StringComparer.Ordinal) && status.User is { } user
            ? ToCaller(user, claims)
            : null;
    }

    /// <summary>A service account; other users of the cluster have other ways to show who they are.</summary>
    private static Caller? ToCaller(UserInfo user, TokenClaims claims)
    {
        if (user.Username is not { Length: <= MaxNameLength } name
            || !name.StartsWith(ServiceAccountPrefix, StringComparison.Ordinal)
            || name[ServiceAccountPrefix.Length..].Split(':') is not [{ Length: > 0 } space, { Length: > 0 } account]
            || name.Any(char.IsControl))
        {
            return null;
        }

        var extra = new Dictionary<string, IReadOnlyList<string>>();
        foreach ((string key, string?[]? values) in user.Extra ?? [])
        {
            extra[key] = [.. (values ?? []).OfType<string>()];
        }

        if (user.Uid is { Length: > 0 } uid)
        {
            extra[UidClaim] = [uid];
        }

        return new Caller(CallerKind.ServiceAccount, name)
        {
            ServiceAccount = $"{space}/{account}",
            GroupNames = [.. (user.Groups ?? []).OfType<string>().Take(MaxGroups)],
            Claims = extra,
            ExpiresAt = claims.ExpiresAt,
        };
    }
}
