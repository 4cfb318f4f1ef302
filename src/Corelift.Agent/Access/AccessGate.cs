using System.Globalization;
using Corelift.Agent.Access.Policy;
using Corelift.Agent.Services;
using Corelift.Capture;
using Corelift.Linux;
using Corelift.Linux.Procfs;
using Grpc.Core;

namespace Corelift.Agent.Access;

/// <summary>
/// Decides every call: asks all sources of rights, of which one that allows is enough. Where one could not be asked and no
/// other allows, the call is refused (fail closed).
/// </summary>
internal sealed class AccessGate(IEnumerable<IRightsSource> sources, TargetIdentityReader identities, IPolicySource policy, ILogger<AccessGate> log)
{
    private readonly IRightsSource[] _sources = [.. sources];

    /// <summary>Whether a caller may do something to whatever there is, without a look at each target.</summary>
    internal bool AllowsAll(Caller caller) => _sources.OfType<HostRights>().Any() && HostRights.Allows(caller);

    /// <summary>Whether a caller has a right.</summary>
    /// <exception cref="AccessUnavailableException">It could not be found out.</exception>
    internal async ValueTask<bool> AllowsAsync(
        Caller caller, AccessVerb verb, CaptureContent? content, TargetIdentity? target, CancellationToken cancellationToken)
    {
        AccessUnavailableException? unavailable = null;
        foreach (IRightsSource source in _sources)
        {
            try
            {
                if (await source.AllowsAsync(caller, verb, content, target, cancellationToken).ConfigureAwait(false))
                {
                    return true;
                }
            }
            catch (AccessUnavailableException failure)
            {
                unavailable = failure;
            }
        }

        return unavailable is null ? false : throw unavailable;
    }

    /// <summary>Refuses a look at a process that a caller may not inspect.</summary>
    /// <returns>The process that was looked at.</returns>
    /// <exception cref="RpcException">PERMISSION_DENIED, or UNAVAILABLE; NOT_FOUND where it is not there.</exception>
    internal async Task<ProcessRef> RequireInspectAsync(Caller caller, ProcessRef target, CancellationToken cancellationToken)
    {
        if (AllowsAll(caller))
        {
            return target;
        }

        using TargetLookup lookup = TargetLookup.Open(target);
        TargetIdentity identity = await ReadAsync(lookup.Directory, cancellationToken).ConfigureAwait(false);
        await RequireAsync(caller, AccessVerb.Inspect, null, false, identity, cancellationToken).ConfigureAwait(false);
        return identity.Process;
    }

    /// <summary>Whether a list shows a process to a caller.</summary>
    /// <exception cref="RpcException">UNAVAILABLE.</exception>
    internal async Task<bool> ShowsAsync(Caller caller, ProcessRef target, CancellationToken cancellationToken)
    {
        if (AllowsAll(caller))
        {
            return true;
        }

        try
        {
            using ProcessDirectory directory = ProcessDirectory.Open(target.Pid);
            TargetIdentity identity = await ReadAsync(directory, cancellationToken).ConfigureAwait(false);
            return identity.Process == target && await AllowsAsync(caller, AccessVerb.Inspect, null, identity, cancellationToken).ConfigureAwait(false);
        }
        catch (SyscallException failure) when (failure.IsTaskGone || failure.IsDenied)
        {
            return false;
        }
        catch (AccessUnavailableException failure)
        {
            throw RpcErrors.Make(ErrorReason.AccessUnavailable, failure.Message);
        }
    }

    /// <summary>Refuses what a caller may not do.</summary>
    /// <param name="caller">Who.</param>
    /// <param name="verb">What.</param>
    /// <param name="content">How much memory, or null for none.</param>
    /// <param name="includesSecrets">Whether secret memory is asked for.</param>
    /// <param name="target">To what, as read just now.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RpcException">PERMISSION_DENIED, or UNAVAILABLE.</exception>
    internal async Task RequireAsync(
        Caller caller, AccessVerb verb, CaptureContent? content, bool includesSecrets, TargetIdentity target, CancellationToken cancellationToken)
    {
        try
        {
            if (!await AllowsAsync(caller, verb, content, target, cancellationToken).ConfigureAwait(false))
            {
                string what = content is { } wanted ? $"{verb.ToName()} (content {wanted.ToString().ToLowerInvariant()})" : verb.ToName();
                throw Deny(ErrorReason.AccessDenied, caller, target, what, "has no such right");
            }

            if (verb == AccessVerb.Inspect)
            {
                return;
            }

            RefuseOptedOut(caller, target, verb);
            if ((includesSecrets || !target.IsDumpable)
                && !await AllowsAsync(caller, AccessVerb.SnapshotSecrets, content, target, cancellationToken).ConfigureAwait(false))
            {
                string why = target.IsDumpable ? "secret memory was asked for" : "the process is not dumpable";
                throw Deny(ErrorReason.AccessDenied, caller, target, AccessVerb.SnapshotSecrets.ToName(), why + ", which needs that right, too");
            }
        }
        catch (AccessUnavailableException failure)
        {
            log.AccessUnknown(AgentLog.Escape(caller.Name), AgentLog.Escape(failure.Message));
            throw RpcErrors.Make(ErrorReason.AccessUnavailable, $"what {caller} may do could not be found out ({failure.Message})");
        }
    }

    private async Task<TargetIdentity> ReadAsync(ProcessDirectory directory, CancellationToken cancellationToken)
    {
        try
        {
            return await identities.ReadAsync(directory, cancellationToken).ConfigureAwait(false);
        }
        catch (AccessUnavailableException failure)
        {
            throw RpcErrors.Make(ErrorReason.AccessUnavailable, failure.Message);
        }
        catch (SyscallException failure) when (failure.IsTaskGone)
        {
            throw RpcErrors.Make(ErrorReason.NoSuchProcess, $"process {directory.Pid} has just ended");
        }
    }

    private void RefuseOptedOut(Caller caller, TargetIdentity target, AccessVerb verb)
    {
        if (target.Pod is null)
        {
            if (identities.KnowsPods && target.ContainerId.Length > 0 && target.Cgroup.Contains("kubepods", StringComparison.Ordinal))
            {
                throw new AccessUnavailableException("the pod of its container is not known yet, and so not whether it has opted out");
            }

            return;
        }

        AccessPolicy current = policy.Current;
        foreach (string key in current.OptOutKeys)
        {
            if (target.Pod.Annotations.GetValueOrDefault(key) == current.OptOutValue || target.Pod.Labels.GetValueOrDefault(key) == current.OptOutValue)
            {
                throw Deny(ErrorReason.OptedOut, caller, target, verb.ToName(), $"its pod says {key}={current.OptOutValue}");
            }
        }
    }

    private RpcException Deny(ErrorReason reason, Caller caller, TargetIdentity target, string what, string why)
    {
        log.AccessDenied(AgentLog.Escape(caller.Name), what, target.Process.Pid, AgentLog.Escape(why));
        return RpcErrors.Make(
            reason, string.Create(CultureInfo.InvariantCulture, $"{caller} may not {what} process {target.Process.Pid}: {why}"), ("identity", caller.Name));
    }
}
