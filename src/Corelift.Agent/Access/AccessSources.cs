using Corelift.Capture;

namespace Corelift.Agent.Access;

/// <summary>Finds out whose a bearer token is.</summary>
internal interface IBearerAuthenticator
{
    /// <summary>Whose the token is, or null where it is not one that this source knows, or is not valid.</summary>
    /// <exception cref="AccessUnavailableException">It could not be checked; the call is refused (fail closed).</exception>
    ValueTask<Caller?> AuthenticateAsync(string token, CancellationToken cancellationToken);
}

/// <summary>Says what callers may do. Several sources may be asked: one that allows is enough, and without any nothing is allowed.</summary>
internal interface IRightsSource
{
    /// <summary>Whether this source gives the right.</summary>
    /// <param name="caller">Verified.</param>
    /// <param name="verb">What it wants to do.</param>
    /// <param name="content">How much memory it wants; null where the verb reads none.</param>
    /// <param name="target">To what, as read after the seize where there is one; null for a call that names none.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AccessUnavailableException">It could not be asked; the call is refused (fail closed).</exception>
    ValueTask<bool> AllowsAsync(
        Caller caller, AccessVerb verb, CaptureContent? content, TargetIdentity? target, CancellationToken cancellationToken);
}

/// <summary>Who may do what could not be found out: the call is refused with UNAVAILABLE.</summary>
internal sealed class AccessUnavailableException(string message, Exception? cause = null) : Exception(message, cause);
