using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.IdentityModel.Tokens;

namespace Corelift.Agent.Access.Tokens;

/// <summary>
/// Keys from the issuer itself, by OpenID Connect discovery. They are kept, and fetched again when a token names one that is
/// not among them, or when they are old; at most once in a while, by one request for all who wait, and nobody waits long.
/// </summary>
/// <param name="issuer">An https URL.</param>
/// <param name="caFile">CAs of its server; null for the host's.</param>
/// <param name="logger">Told when it does not answer.</param>
/// <param name="pace">How often, and how long.</param>
internal sealed class IssuerKeyClient(Uri issuer, string? caFile, ILogger logger, IssuerPace pace) : IIssuerKeys
{
    private const int MaxResponseBytes = 1024 * 1024;

    private readonly Lock _lock = new();
    private Known _known = new([], null, null, null);
    private Task? _fetch;

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<SecurityKey>> GetAsync(string? keyId, CancellationToken cancellationToken)
    {
        if (BeginAsync(keyId) is { } fetch)
        {
            // The request goes on when nobody waits for it any more: a slow issuer is known for the next call.
            await ((Task)Task.WhenAny(fetch, Task.Delay(pace.Patience, cancellationToken))).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
        }

        Known known = _known;
        if (known.Keys.Count == 0 || Age(known.FetchedAt) > pace.Oldest)
        {
            throw new AccessUnavailableException($"the keys of the token issuer {issuer} are not known: {known.Problem ?? "it has not answered yet"}");
        }

        // Known or not cannot be said while the issuer does not answer: then the token is not wrong, but cannot be checked.
        return KeySets.Know(known.Keys, keyId) || known.Problem is null && IsIdle()
            ? known.Keys
            : throw new AccessUnavailableException($"the token's key is not known, and the issuer {issuer} does not answer: {known.Problem ?? "it is slow"}");
    }

    private static TimeSpan Age(long? timestamp) => timestamp is { } then ? TimeProvider.System.GetElapsedTime(then) : TimeSpan.MaxValue;

    private bool IsIdle()
    {
        lock (_lock)
        {
            return _fetch is null or { IsCompleted: true };
        }
    }

    /// <summary>The request to wait for, begun if need be; null where none is needed, or it is too soon for one.</summary>
    private Task? BeginAsync(string? keyId)
    {
        lock (_lock)
        {
            if (_fetch is { IsCompleted: false })
            {
                return _fetch;
            }

            bool isNeeded = !KeySets.Know(_known.Keys, keyId) || Age(_known.FetchedAt) > pace.Refresh;
            return isNeeded && Age(_known.TriedAt) > pace.Interval ? _fetch = FetchAsync() : null;
        }
    }

    private async Task FetchAsync()
    {
        await Task.Yield(); // not under the lock
        long now = TimeProvider.System.GetTimestamp();
        try
        {
            using var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, SslOptions = IssuerTrust.Options(caFile) };
            using var http = new HttpClient(handler) { Timeout = pace.Longest, MaxResponseContentBufferSize = MaxResponseBytes };
            string discovery = await http.GetStringAsync(issuer.AbsoluteUri.TrimEnd('/') + "/.well-known/openid-configuration").ConfigureAwait(false);
            string keys = await http.GetStringAsync(FindKeys(discovery)).ConfigureAwait(false);
            _known = new Known(KeySets.Parse(keys), now, now, null);
        }
        catch (Exception failure) when (failure is HttpRequestException or OperationCanceledException or FormatException or JsonException or CryptographicException or IOException)
        {
            string problem = failure is OperationCanceledException ? "it did not answer in time" : failure.GetBaseException().Message;
            _known = _known with { TriedAt = now, Problem = problem };
            logger.IssuerKeysNotTaken(issuer.AbsoluteUri, AgentLog.Escape(problem));
        }
    }

    private Uri FindKeys(string discovery)
    {
        using JsonDocument document = JsonDocument.Parse(discovery);
        JsonElement root = document.RootElement;
        string? named = root.ValueKind == JsonValueKind.Object && root.TryGetProperty("issuer", out JsonElement name) && name.ValueKind == JsonValueKind.String ? name.GetString() : null;
        if (named?.TrimEnd('/') != issuer.OriginalString.TrimEnd('/'))
        {
            throw new FormatException($"its discovery document is of another issuer, '{named}'"); // OpenID Connect Discovery, section 4.3
        }

        return root.TryGetProperty("jwks_uri", out JsonElement keys) && keys.ValueKind == JsonValueKind.String
            && Uri.TryCreate(keys.GetString(), UriKind.Absolute, out Uri? uri) && uri.Scheme == Uri.UriSchemeHttps
            ? uri
            : throw new FormatException("its discovery document names no jwks_uri over https");
    }

    /// <summary>What is known; timestamps of <see cref="TimeProvider.System"/>.</summary>
    private sealed record Known(IReadOnlyList<SecurityKey> Keys, long? FetchedAt, long? TriedAt, string? Problem);
}

/// <summary>How often an issuer is asked, and how long is waited for it.</summary>
internal sealed record IssuerPace
{
    /// <summary>Least time between two requests.</summary>
    internal TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Age at which keys are fetched again when they are used.</summary>
    internal TimeSpan Refresh { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Age from which keys are not used any more.</summary>
    internal TimeSpan Oldest { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Longest that a call waits.</summary>
    internal TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(1.5);

    /// <summary>Longest that a request goes on.</summary>
    internal TimeSpan Longest { get; init; } = TimeSpan.FromSeconds(15);
}
