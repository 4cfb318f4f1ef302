using System.Collections.Frozen;
using System.Globalization;
using Corelift.Agent.Access;
using Corelift.Capture;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using RpcStatus = Google.Rpc.Status;

namespace Corelift.Agent.Services;

/// <summary>
/// The one table from what went wrong to what a client sees: a status code, an ErrorInfo with a reason that stays the same,
/// and a message that says what to do.
/// </summary>
internal static class RpcErrors
{
    /// <summary>Domain of every ErrorInfo.</summary>
    internal const string Domain = "corelift.dev";

    private static readonly FrozenDictionary<ErrorReason, Rule> s_rules = new Dictionary<ErrorReason, Rule>
    {
        [ErrorReason.NoSuchProcess] = new(StatusCode.NotFound, "NO_SUCH_PROCESS", "list the processes to see which there are"),
        [ErrorReason.IdentityChanged] = new(StatusCode.Aborted, "IDENTITY_CHANGED", "look the process up again"),
        [ErrorReason.KernelThread] = new(StatusCode.FailedPrecondition, "KERNEL_THREAD", "choose a process: a kernel thread has no memory of its own"),
        [ErrorReason.Zombie] = new(StatusCode.FailedPrecondition, "ZOMBIE", "it has ended, and only its parent can make it go: nothing is left to capture"),
        [ErrorReason.OwnProcess] = new(StatusCode.PermissionDenied, "OWN_PROCESS", "use another agent, or a debugger, to look at the agent"),
        [ErrorReason.NotAProcess] = new(StatusCode.InvalidArgument, "NOT_A_PROCESS", "use the pid of its process"),
        [ErrorReason.TargetTraced] = new(StatusCode.FailedPrecondition, "TARGET_TRACED", "end that tracer first: the kernel allows one"),
        [ErrorReason.TargetBusy] = new(StatusCode.AlreadyExists, "TARGET_BUSY", "wait until that stop or capture has ended"),
        [ErrorReason.TargetTooLarge] = new(StatusCode.FailedPrecondition, "TARGET_TOO_LARGE", "ask for less content, or start the agent with larger limits"),
        [ErrorReason.CaptureTooLong] = new(StatusCode.DeadlineExceeded, "CAPTURE_TIME", "read faster, capture less, or start the agent with a larger --max-capture-time"),
        [ErrorReason.StopBudgetEstimate] = new(StatusCode.FailedPrecondition, "STOP_BUDGET", "allow a longer stop, or capture less"),
        [ErrorReason.StopBudgetOverrun] = new(StatusCode.DeadlineExceeded, "STOP_BUDGET", "the process runs again; allow a longer stop, or capture less"),
        [ErrorReason.TargetExited] = new(StatusCode.Aborted, "TARGET_EXITED", "it has ended: nothing is left to capture"),
        [ErrorReason.TargetExeced] = new(StatusCode.Aborted, "TARGET_EXECED", "it runs another program now: try again if that one is meant, too"),
        [ErrorReason.UnsupportedArchitecture] = new(StatusCode.FailedPrecondition, "UNSUPPORTED_ARCHITECTURE", "only 64-bit processes of this machine can be captured"),
        [ErrorReason.SpoolTooSmall] = new(StatusCode.FailedPrecondition, "SPOOL_TOO_SMALL", "use strategy fork, capture less, or give the agent a larger spool"),
        [ErrorReason.ForkNotSafe] = new(StatusCode.FailedPrecondition, "FORK_NOT_SAFE", "use strategy direct, or let the agent choose"),
        [ErrorReason.ForkRefused] = new(StatusCode.FailedPrecondition, "FORK_REFUSED", "use strategy direct, or raise the limits of the process"),
        [ErrorReason.PrecopyNotPossible] = new(StatusCode.FailedPrecondition, "PRECOPY_NOT_POSSIBLE", "use strategy fork or direct, or let the agent choose"),
        [ErrorReason.WorkerLost] = new(StatusCode.Unavailable, "WORKER_LOST", "the process runs; try again, and see the agent's log"),
        [ErrorReason.LeaseNotFound] = new(StatusCode.NotFound, "LEASE_NOT_FOUND", "stop the process again: it runs"),
        [ErrorReason.RingBroken] = new(StatusCode.Aborted, "RING_BROKEN", "keep the connection that the ring came by open, and give its slots back as they are read"),
        [ErrorReason.NoSuchThread] = new(StatusCode.NotFound, "NO_SUCH_THREAD", "ask for tasks that were stopped"),
        [ErrorReason.TooManyCaptures] = new(StatusCode.ResourceExhausted, "TOO_MANY_CAPTURES", "wait until others have ended, or start the agent with a larger --max-captures"),
        [ErrorReason.PermissionDeniedByKernel] = new(StatusCode.PermissionDenied, "PERMISSION_DENIED_BY_KERNEL", "check the agent's capabilities, Yama, and security modules"),
        [ErrorReason.PeerNotAllowed] = new(StatusCode.PermissionDenied, "PEER_NOT_ALLOWED", "call as root, as the agent's user, or as a member of the socket's group"),
        [ErrorReason.NoIdentity] = new(StatusCode.Unauthenticated, "NO_IDENTITY", "connect with a client certificate from a CA of --client-ca, or send a token"),
        [ErrorReason.TokenRefused] = new(StatusCode.Unauthenticated, "TOKEN_REFUSED", "send one that has not expired and is made for this agent's audience; the agent's log may say more"),
        [ErrorReason.IdentityExpired] = new(StatusCode.Unauthenticated, "IDENTITY_EXPIRED", "renew it, and connect again"),
        [ErrorReason.NoRights] = new(StatusCode.PermissionDenied, "NO_RIGHTS", "start the agent with --policy FILE, or with --allow-authenticated to let whoever is known do everything"),
        [ErrorReason.AccessDenied] = new(StatusCode.PermissionDenied, "ACCESS_DENIED", "ask who keeps the agent's policy for a rule, or call as somebody who has the right"),
        [ErrorReason.AccessUnavailable] = new(StatusCode.Unavailable, "ACCESS_UNAVAILABLE", "nothing was stopped; try again later"),
        [ErrorReason.OptedOut] = new(StatusCode.PermissionDenied, "OPTED_OUT", "ask who owns the workload to take that mark away"),
        [ErrorReason.QuotaExceeded] = new(StatusCode.ResourceExhausted, "QUOTA_EXCEEDED", "wait, or ask who keeps the agent's policy for a larger limit"),
        [ErrorReason.ReasonRequired] = new(StatusCode.FailedPrecondition, "REASON_REQUIRED", "say why (corelift --reason TEXT, or CORELIFT_REASON)"),
        [ErrorReason.AuditUnavailable] = new(StatusCode.Unavailable, "AUDIT_UNAVAILABLE", "nothing was stopped; make room where the agent's audit log lies, or see the agent's log"),
        [ErrorReason.InvalidField] = new(StatusCode.InvalidArgument, "INVALID_FIELD", "correct the request"),
        [ErrorReason.SealingRequired] = new(StatusCode.FailedPrecondition, "SEALING_REQUIRED", "take a snapshot, of the lease if there is one"),
        [ErrorReason.Unsupported] = new(StatusCode.Unimplemented, "UNSUPPORTED", "use another agent"),
        [ErrorReason.ShuttingDown] = new(StatusCode.Unavailable, "SHUTTING_DOWN", "try again when the next agent is up"),
        [ErrorReason.KubernetesOff] = new(StatusCode.FailedPrecondition, "KUBERNETES_OFF", "name the process by its pid or container, or start the agent with --kubernetes on"),
        [ErrorReason.KubernetesUnavailable] = new(StatusCode.Unavailable, "KUBERNETES_UNAVAILABLE", "try again; the agent needs the API server, and the verbs list and watch on pods"),
        [ErrorReason.Internal] = new(StatusCode.Internal, "INTERNAL", "this is a bug: see the agent's log"),
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<CaptureFailure, ErrorReason> s_reasons = new Dictionary<CaptureFailure, ErrorReason>
    {
        [CaptureFailure.NoSuchProcess] = ErrorReason.NoSuchProcess,
        [CaptureFailure.NotAProcess] = ErrorReason.NotAProcess,
        [CaptureFailure.IdentityChanged] = ErrorReason.IdentityChanged,
        [CaptureFailure.KernelThread] = ErrorReason.KernelThread,
        [CaptureFailure.Zombie] = ErrorReason.Zombie,
        [CaptureFailure.OwnProcess] = ErrorReason.OwnProcess,
        [CaptureFailure.TargetTraced] = ErrorReason.TargetTraced,
        [CaptureFailure.TargetBusy] = ErrorReason.TargetBusy,
        [CaptureFailure.TargetExited] = ErrorReason.TargetExited,
        [CaptureFailure.TargetExeced] = ErrorReason.TargetExeced,
        [CaptureFailure.UnsupportedArchitecture] = ErrorReason.UnsupportedArchitecture,
        [CaptureFailure.DeniedByKernel] = ErrorReason.PermissionDeniedByKernel,
        [CaptureFailure.TargetTooLarge] = ErrorReason.TargetTooLarge,
        [CaptureFailure.CaptureTooLong] = ErrorReason.CaptureTooLong,
        [CaptureFailure.EstimateAboveStopBudget] = ErrorReason.StopBudgetEstimate,
        [CaptureFailure.StopBudgetOverrun] = ErrorReason.StopBudgetOverrun,
        [CaptureFailure.SpoolTooSmall] = ErrorReason.SpoolTooSmall,
        [CaptureFailure.ForkNotSafe] = ErrorReason.ForkNotSafe,
        [CaptureFailure.ForkRefused] = ErrorReason.ForkRefused,
        [CaptureFailure.PrecopyNotPossible] = ErrorReason.PrecopyNotPossible,
        [CaptureFailure.WorkerLost] = ErrorReason.WorkerLost,
        [CaptureFailure.TooManyCaptures] = ErrorReason.TooManyCaptures,
        [CaptureFailure.ShuttingDown] = ErrorReason.ShuttingDown,
        [CaptureFailure.LeaseNotFound] = ErrorReason.LeaseNotFound,
        [CaptureFailure.LeaseEnded] = ErrorReason.LeaseNotFound,
        [CaptureFailure.Undecided] = ErrorReason.AccessUnavailable,
        [CaptureFailure.Internal] = ErrorReason.Internal,
    }.ToFrozenDictionary();

    /// <summary>The status code and the reason's spelling; every <see cref="ErrorReason"/> has one.</summary>
    internal static (StatusCode Code, string Reason) Look(ErrorReason reason) => (s_rules[reason].Code, s_rules[reason].Reason);

    /// <summary>The reason for an outcome of the engine; what the table does not know is a bug.</summary>
    internal static ErrorReason ReasonOf(CaptureFailure failure) => s_reasons.GetValueOrDefault(failure, ErrorReason.Internal);

    /// <summary>An error for the client.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="what">What happened. May hold text of a target: it is escaped. What to do is added.</param>
    /// <param name="metadata">Facts for programs: lower-case keys.</param>
    internal static RpcException Make(ErrorReason reason, string what, params ReadOnlySpan<(string Key, string Value)> metadata) =>
        MakeStatus(reason, $"{what}: {s_rules[reason].Remedy}", metadata).ToRpcException();

    /// <summary>The reason that an error of this table has; the status code's name for another one.</summary>
    internal static string ReasonOf(RpcException error) =>
        error.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason ?? error.StatusCode.ToString();

    /// <summary>A limit that is reached; with a RetryInfo where waiting helps.</summary>
    internal static RpcException Make(QuotaException refusal)
    {
        RpcStatus status = MakeStatus(ErrorReason.QuotaExceeded, $"{refusal.Message}: {s_rules[ErrorReason.QuotaExceeded].Remedy}", []);
        if (refusal.RetryAfter is { } wait)
        {
            status.Details.Add(Any.Pack(new RetryInfo { RetryDelay = Duration.FromTimeSpan(wait > TimeSpan.Zero ? wait : TimeSpan.Zero) }));
        }

        return status.ToRpcException();
    }

    /// <summary>An error whose message says already what to do.</summary>
    internal static RpcException Make(CaptureException failure) =>
        MakeStatus(ReasonOf(failure.Failure), failure.Message, []).ToRpcException();

    /// <summary>Something that the contract has and this agent has not.</summary>
    /// <param name="message">What it lacks, and what to ask for instead.</param>
    internal static RpcException Unimplemented(string message) => MakeStatus(ErrorReason.Unsupported, message, []).ToRpcException();

    /// <summary>A task that is not among the stopped ones.</summary>
    internal static RpcException NoSuchThread(int tid, int pid) =>
        Make(ErrorReason.NoSuchThread, string.Create(CultureInfo.InvariantCulture, $"task {tid} is not among the stopped tasks of process {pid}"));

    /// <summary>A field of a request that cannot be.</summary>
    /// <param name="field">Its path, such as <c>ref.pid</c>.</param>
    /// <param name="rule">What it must be: "must be 1 to 4194304".</param>
    internal static RpcException InvalidField(string field, string rule)
    {
        RpcStatus status = MakeStatus(ErrorReason.InvalidField, $"{field} {rule}", [("field", field)]);
        var violation = new BadRequest.Types.FieldViolation { Field = field, Description = rule };
        status.Details.Add(Any.Pack(new BadRequest { FieldViolations = { violation } }));
        return status.ToRpcException();
    }

    private static RpcStatus MakeStatus(ErrorReason reason, string message, ReadOnlySpan<(string Key, string Value)> metadata)
    {
        Rule rule = s_rules[reason];
        var info = new ErrorInfo { Reason = rule.Reason, Domain = Domain };
        foreach ((string key, string value) in metadata)
        {
            info.Metadata[key] = AgentLog.Escape(value);
        }

        return new RpcStatus { Code = (int)rule.Code, Message = AgentLog.Escape(message), Details = { Any.Pack(info) } };
    }

    private sealed record Rule(StatusCode Code, string Reason, string Remedy);
}
