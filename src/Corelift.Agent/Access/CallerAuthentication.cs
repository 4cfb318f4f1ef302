using Corelift.Agent.Services;
using Grpc.Core;
using Microsoft.Extensions.Primitives;

namespace Corelift.Agent.Access;

/// <summary>What the doors ask of callers.</summary>
/// <param name="AllowAuthenticated">Whether whoever has a certificate or token may do everything.</param>
/// <param name="HealthWithoutIdentity">Whether the health service answers everybody.</param>
internal sealed record DoorRules(bool AllowAuthenticated, bool HealthWithoutIdentity);

/// <summary>Finds out who makes a call: the one place where that is decided, for every method.</summary>
/// <param name="bearers">Those that know tokens; one that knows the token is enough.</param>
/// <param name="rights">Those that say what callers may do.</param>
/// <param name="rules">What was configured.</param>
internal sealed class CallerAuthentication(IEnumerable<IBearerAuthenticator> bearers, IEnumerable<IRightsSource> rights, DoorRules rules)
{
    private const string HealthService = "/grpc.health.v1.Health/";
    private const string BearerScheme = "Bearer ";

    private readonly IBearerAuthenticator[] _bearers = [.. bearers];

    // Whether anything can give them rights; if so, the gate asks it for each call.
    private readonly bool _givesRights = rights.Any(source => source is not HostRights);

    /// <summary>Who calls.</summary>
    /// <exception cref="RpcException">Nobody who may: the message says what to show, and to whom.</exception>
    internal async ValueTask<Caller> AuthenticateAsync(HttpContext call, string method, CancellationToken cancellationToken)
    {
        PeerAccess access = call.Features.Get<PeerAccess>() ?? PeerAccess.Refused;
        StringValues authorization = call.Request.Headers.Authorization;
        if (rules.HealthWithoutIdentity && method.StartsWith(HealthService, StringComparison.Ordinal))
        {
            return access.Caller ?? new Caller(CallerKind.Anonymous, "anonymous");
        }

        Caller caller = authorization.Count > 0
            ? await ReadTokenAsync(access, authorization, cancellationToken).ConfigureAwait(false)
            : ReadConnection(access);
        if (caller.ExpiresAt <= DateTimeOffset.UtcNow)
        {
            throw Expired(caller);
        }

        bool isAuthenticated = caller.Kind is CallerKind.Certificate or CallerKind.Token or CallerKind.ServiceAccount;
        return isAuthenticated && !_givesRights
            ? throw RpcErrors.Make(ErrorReason.NoRights, $"{caller.Name} is known, but this agent has no policy that gives it rights")
            : caller;
    }

    /// <summary>What a caller is told whose certificate or token has run out.</summary>
    internal static RpcException Expired(Caller caller) =>
        RpcErrors.Make(ErrorReason.IdentityExpired, $"the certificate or token of {caller.Name} has expired");

    private static Caller ReadConnection(PeerAccess access) => access switch
    {
        { IsAllowed: true, Caller: { } caller } => caller,
        { Door: Door.Tls } => throw RpcErrors.Make(ErrorReason.NoIdentity, "the call shows neither a client certificate nor a token"),
        _ => throw RpcErrors.Make(ErrorReason.PeerNotAllowed, $"{access} may not use this agent"),
    };

    private async ValueTask<Caller> ReadTokenAsync(PeerAccess access, StringValues authorization, CancellationToken cancellationToken)
    {
        if (access.Door is Door.Loopback)
        {
            throw RpcErrors.Make(ErrorReason.TokenRefused, "a token came over TCP without TLS, where others can read it; it is to be used no more");
        }

        if (authorization.Count != 1 || authorization[0] is not { } text || !text.StartsWith(BearerScheme, StringComparison.OrdinalIgnoreCase))
        {
            throw RpcErrors.Make(ErrorReason.TokenRefused, "the authorization header is not one bearer token");
        }

        string token = text[BearerScheme.Length..].Trim();
        AccessUnavailableException? unavailable = null;
        foreach (IBearerAuthenticator bearer in _bearers)
        {
            try
            {
                if (await bearer.AuthenticateAsync(token, cancellationToken).ConfigureAwait(false) is { } caller)
                {
                    return caller;
                }
            }
            catch (AccessUnavailableException failure)
            {
                unavailable = failure; // another may know it
            }
        }

        throw unavailable is not null
            ? RpcErrors.Make(ErrorReason.AccessUnavailable, unavailable.Message)
            : RpcErrors.Make(ErrorReason.TokenRefused, _bearers.Length == 0 ? "this agent takes no tokens" : "the token is not valid here");
    }
}
