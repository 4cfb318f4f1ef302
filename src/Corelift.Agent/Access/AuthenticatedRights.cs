using Corelift.Capture;

namespace Corelift.Agent.Access;

/// <summary>Everything to everybody who proved an identity; registered where <c>--allow-authenticated</c> asks for it.</summary>
internal sealed class AuthenticatedRights : IRightsSource
{
    /// <inheritdoc/>
    public ValueTask<bool> AllowsAsync(
        Caller caller, AccessVerb verb, CaptureContent? content, TargetIdentity? target, CancellationToken cancellationToken) =>
        ValueTask.FromResult(caller.Kind is CallerKind.Certificate or CallerKind.Token or CallerKind.ServiceAccount);
}
