using Corelift.Capture;

namespace Corelift.Agent.Access;

/// <summary>
/// Rights without a policy file: whoever was let in by the socket may do everything, as may whoever was let in by a loopback
/// port that does not authenticate. Certificates and tokens prove who somebody is, and give no right by themselves.
/// </summary>
internal sealed class HostRights : IRightsSource
{
    /// <summary>Whether a caller may do everything.</summary>
    internal static bool Allows(Caller caller) => caller.Kind is CallerKind.UnixPeer or CallerKind.Anonymous;

    /// <inheritdoc/>
    public ValueTask<bool> AllowsAsync(
        Caller caller, AccessVerb verb, CaptureContent? content, TargetIdentity? target, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Allows(caller));
}
