using Corelift.Agent.Access.Policy;
using Corelift.Agent.Audit;
using Corelift.Agent.Services;
using Corelift.Capture;
using Corelift.Linux.Procfs;
using Grpc.Core;

namespace Corelift.Agent.Access;

/// <summary>A stop, capture or memory read that was admitted, until it has ended and that has been recorded.</summary>
internal sealed class Operation
{
    private readonly Admission _admission;
    private readonly AdmissionRequest _request;
    private readonly AuditBegin _record;
    private AccessPolicy _decidedBy;
    private int _ended;

    internal Operation(
        Admission admission, Caller caller, TargetIdentity target, AdmissionRequest request, AuditBegin record, QuotaTicket ticket, AccessPolicy decidedBy)
    {
        (_admission, Caller, Target, _request, _record, Ticket, _decidedBy) = (admission, caller, target, request, record, ticket, decidedBy);
    }

    /// <summary>Id in the audit log.</summary>
    internal string Id => _record.Operation;

    /// <summary>Who does it.</summary>
    internal Caller Caller { get; }

    /// <summary>To whom: as last decided on.</summary>
    internal TargetIdentity Target { get; private set; }

    /// <summary>Why, as the client said.</summary>
    internal string Reason => _request.Reason;

    /// <summary>Its quotas.</summary>
    internal QuotaTicket Ticket { get; }

    /// <summary>What was had so far; recorded at the end.</summary>
    internal AuditResult Result { get; set; } = new();

    /// <summary>What is secret in it.</summary>
    internal SecretMemory Secrets => _admission.SecretsNow(_request.IncludesSecrets);

    /// <summary>
    /// For the engine: decides on what is read of the seized target. Where it is what was decided on before, nobody is asked
    /// again; where it is not, or time has passed, or the policy is another one, it is decided anew.
    /// </summary>
    /// <exception cref="RpcException">Denied.</exception>
    internal async ValueTask<Approval> ApproveAsync(ProcessDirectory directory, bool isFirst, CancellationToken cancellationToken)
    {
        try
        {
            TargetIdentity seized = await _admission.ReadAsync(directory, cancellationToken).ConfigureAwait(false);
            bool isSame = TargetIdentityReader.AreSame(seized, Target);
            if (!isFirst || !isSame || !_admission.IsCurrent(_decidedBy))
            {
                await _admission.RequireAsync(Caller, seized, _request, cancellationToken).ConfigureAwait(false);
            }

            if (!isSame)
            {
                await _admission.ChangedAsync(_record, seized, _decidedBy, cancellationToken).ConfigureAwait(false);
                Target = seized;
            }

            IReadOnlyList<uint> uids = seized.Uids;
            return new Approval(new Credentials(uids[0], uids[1], uids[2], uids[3]), seized.IsDumpable);
        }
        catch (AccessUnavailableException failure)
        {
            throw RpcErrors.Make(ErrorReason.AccessUnavailable, failure.Message);
        }
        catch (AuditUnavailableException failure)
        {
            throw RpcErrors.Make(ErrorReason.AuditUnavailable, $"what is done here must be recorded, and cannot be ({failure.Message})");
        }
    }

    /// <summary>Whether the caller may still do it: the policy may be another one since.</summary>
    /// <exception cref="RpcException">Denied.</exception>
    internal Task RequireStillAsync(CancellationToken cancellationToken) => _admission.RequireAsync(Caller, Target, _request, cancellationToken);

    /// <summary>The same where the policy is another one than it was decided by; costs nothing where it is not.</summary>
    /// <exception cref="RpcException">Denied.</exception>
    internal ValueTask DecideAgainAsync(CancellationToken cancellationToken) =>
        _admission.IsCurrent(_decidedBy) ? ValueTask.CompletedTask : DecideByNewPolicyAsync(cancellationToken);

    /// <summary>Refuses what would be above a limit on bytes.</summary>
    /// <exception cref="RpcException">RESOURCE_EXHAUSTED.</exception>
    internal void RequireBytes(ulong bytes)
    {
        try
        {
            Ticket.RequireBytes((long)Math.Min(bytes, long.MaxValue));
        }
        catch (QuotaException refusal)
        {
            throw RpcErrors.Make(refusal);
        }
    }

    /// <summary>Cuts a time for which the target is to stay stopped to what is left of it.</summary>
    /// <param name="wanted">The time.</param>
    /// <param name="running">How long it has been stopped already.</param>
    /// <exception cref="RpcException">RESOURCE_EXHAUSTED: nothing is left.</exception>
    internal TimeSpan CutStop(TimeSpan wanted, TimeSpan running)
    {
        TimeSpan? left = Ticket.StoppedTimeLeft(running);
        return left <= TimeSpan.Zero
            ? throw RpcErrors.Make(new QuotaException("the stopped time of this minute is used up", TimeSpan.FromMinutes(1)))
            : left < wanted ? left.Value : wanted;
    }

    /// <summary>Does it, and records how it ended.</summary>
    internal async Task RunAsync(Func<Task> work)
    {
        string outcome = "ok";
        try
        {
            await work().ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            outcome = Name(failure);
            throw;
        }
        finally
        {
            await EndAsync(outcome).ConfigureAwait(false);
        }
    }

    private async ValueTask DecideByNewPolicyAsync(CancellationToken cancellationToken)
    {
        AccessPolicy current = _admission.CurrentPolicy;
        await RequireStillAsync(cancellationToken).ConfigureAwait(false);
        _decidedBy = current;
    }

    /// <summary>Records its end, once; counts what was had.</summary>
    internal async Task EndAsync(string outcome)
    {
        if (Interlocked.Exchange(ref _ended, 1) == 0)
        {
            Ticket.Add(Result.Stopped, Result.Bytes);
            Ticket.Dispose();
            await _admission.EndAsync(new AuditEnd(Id, outcome) { Result = Result }).ConfigureAwait(false);
        }
    }

    /// <summary>An outcome's name for the record.</summary>
    internal static string Name(Exception failure) => failure switch
    {
        OperationCanceledException => "cancelled",
        RpcException error => RpcErrors.ReasonOf(error),
        CaptureException capture => RpcErrors.Look(RpcErrors.ReasonOf(capture.Failure)).Reason,
        QuotaException => "QUOTA_EXCEEDED",
        IOException => "cancelled", // the stream broke
        _ => "INTERNAL",
    };
}
