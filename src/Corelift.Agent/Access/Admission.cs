#pragma warning disable CA2000 // What is made here is owned by what it goes to.
using System.Text;
using Corelift.Agent.Access.Policy;
using Corelift.Agent.Audit;
using Corelift.Agent.Services;
using Corelift.Capture;
using Corelift.Linux;
using Grpc.Core;

namespace Corelift.Agent.Access;

/// <summary>Something that a caller wants to do to a target, beyond looking at it.</summary>
/// <param name="Action">Name in the audit log: stop, capture, read-registers, read-memory, measure.</param>
/// <param name="Verb">The right it needs.</param>
/// <param name="Content">How much memory; null for none.</param>
internal sealed record AdmissionRequest(string Action, AccessVerb Verb, CaptureContent? Content)
{
    /// <summary>Whether secret memory is asked for.</summary>
    internal bool IncludesSecrets { get; init; }

    /// <summary>Why, as the client says.</summary>
    internal string Reason { get; init; } = string.Empty;

    /// <summary>Public keys that what is read is sealed to; empty where it goes in the clear.</summary>
    internal IReadOnlyList<string> Recipients { get; init; } = [];

    /// <summary>Whether the target is stopped for it; false where it is stopped under a lease already.</summary>
    internal bool Stops { get; init; } = true;

    /// <summary>Whether the policy can ask for a reason; false where the contract has no place for one.</summary>
    internal bool TakesReason { get; init; } = true;
}

/// <summary>Decides, limits and records every stop, capture and memory read.</summary>
internal sealed class Admission(AccessGate gate, TargetIdentityReader identities, Quotas quotas, AuditTrail audit, IPolicySource policy)
{
    private const int MostReasonBytes = 1024;

    /// <summary>What is secret by the policy of now.</summary>
    internal SecretMemory SecretsNow(bool isIncluded) => new() { IsIncluded = isIncluded, Names = policy.Current.SecretNames };

    /// <summary>Admits something to a process that runs.</summary>
    /// <exception cref="RpcException">Denied, limited, not recorded, or the process is not there.</exception>
    internal async Task<Operation> BeginAsync(Caller caller, ProcessRef target, AdmissionRequest request, CancellationToken cancellationToken)
    {
        using TargetLookup lookup = TargetLookup.Open(target);
        TargetIdentity identity;
        try
        {
            identity = await identities.ReadAsync(lookup.Directory, cancellationToken).ConfigureAwait(false);
        }
        catch (AccessUnavailableException failure)
        {
            throw RpcErrors.Make(ErrorReason.AccessUnavailable, failure.Message);
        }
        catch (SyscallException failure) when (failure.IsTaskGone)
        {
            throw RpcErrors.Make(ErrorReason.NoSuchProcess, $"process {target.Pid} has just ended");
        }

        return await BeginAsync(caller, identity, request, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Admits something to a target that was read already, as it is stopped.</summary>
    /// <exception cref="RpcException">Denied, limited, or not recorded.</exception>
    internal async Task<Operation> BeginAsync(Caller caller, TargetIdentity identity, AdmissionRequest request, CancellationToken cancellationToken)
    {
        AccessPolicy current = policy.Current;
        CheckReason(request, current);
        AuditBegin record = Describe(caller, identity, request, current);
        QuotaTicket ticket;
        try
        {
            await RequireAsync(caller, identity, request, cancellationToken).ConfigureAwait(false);
            ticket = quotas.Begin(caller, identity.Process, current, request.Stops);
        }
        catch (QuotaException refusal)
        {
            await audit.DenyAsync(record, "QUOTA_EXCEEDED").ConfigureAwait(false);
            throw RpcErrors.Make(refusal);
        }
        catch (RpcException denial)
        {
            await audit.DenyAsync(record, RpcErrors.ReasonOf(denial)).ConfigureAwait(false);
            throw;
        }

        try
        {
            await audit.BeginAsync(record, cancellationToken).ConfigureAwait(false);
        }
        catch (AuditUnavailableException failure)
        {
            ticket.Dispose();
            throw RpcErrors.Make(ErrorReason.AuditUnavailable, $"what is done here must be recorded, and cannot be ({failure.Message})");
        }
        catch
        {
            ticket.Dispose();
            throw;
        }

        return new Operation(this, caller, identity, request, record, ticket, current);
    }

    /// <summary>Whether a caller may see secret memory of a target; no where that could not be found out.</summary>
    internal async Task<bool> AllowsSecretsAsync(Caller caller, TargetIdentity target, CancellationToken cancellationToken)
    {
        try
        {
            return await gate.AllowsAsync(caller, AccessVerb.SnapshotSecrets, CaptureContent.Full, target, cancellationToken).ConfigureAwait(false);
        }
        catch (AccessUnavailableException)
        {
            return false;
        }
    }

    internal Task RequireAsync(Caller caller, TargetIdentity identity, AdmissionRequest request, CancellationToken cancellationToken) =>
        gate.RequireAsync(caller, request.Verb, request.Content, request.IncludesSecrets, identity, cancellationToken);

    internal async Task<TargetIdentity> ReadAsync(Linux.Procfs.ProcessDirectory directory, CancellationToken cancellationToken) =>
        await identities.ReadAsync(directory, cancellationToken).ConfigureAwait(false);

    /// <summary>The policy that holds now.</summary>
    internal AccessPolicy CurrentPolicy => policy.Current;

    internal bool IsCurrent(AccessPolicy decidedBy) => ReferenceEquals(decidedBy, policy.Current);

    internal Task ChangedAsync(AuditBegin begin, TargetIdentity identity, AccessPolicy current, CancellationToken cancellationToken) =>
        audit.BeginAsync(begin with { Event = "changed", Target = identity, CommandLine = ReadCommandLine(identity, current) }, cancellationToken);

    internal Task EndAsync(AuditEnd record) => audit.EndAsync(record);

    private static void CheckReason(AdmissionRequest request, AccessPolicy current)
    {
        string reason = request.Reason;
        if (Encoding.UTF8.GetByteCount(reason) > MostReasonBytes || reason.Any(char.IsControl))
        {
            throw RpcErrors.InvalidField("reason", $"must be at most {MostReasonBytes} bytes without control characters");
        }

        if (request.TakesReason && current.RequiresReason && string.IsNullOrWhiteSpace(reason))
        {
            throw RpcErrors.Make(ErrorReason.ReasonRequired, "the agent's policy wants a reason for this");
        }
    }

    private static AuditBegin Describe(Caller caller, TargetIdentity identity, AdmissionRequest request, AccessPolicy current) => new(
        Guid.NewGuid().ToString("N"), request.Action, caller, request.Reason, identity, ReadCommandLine(identity, current), request.Content, request.IncludesSecrets)
    {
        Recipients = request.Recipients,
    };

    private static IReadOnlyList<string> ReadCommandLine(TargetIdentity identity, AccessPolicy current)
    {
        try
        {
            using TargetLookup lookup = TargetLookup.Open(identity.Process);
            return new CommandLineRedaction(current.Redactions).Redact(ProcessSummaries.ReadArguments(lookup.Directory));
        }
        catch (Exception failure) when (failure is SyscallException or RpcException)
        {
            return [];
        }
    }
}
