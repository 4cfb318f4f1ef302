namespace Corelift.Agent.Services;

/// <summary>Why a call failed: what ErrorInfo's reason says, in the contract's spelling by <see cref="RpcErrors"/>.</summary>
internal enum ErrorReason
{
    NoSuchProcess,
    IdentityChanged,
    KernelThread,
    Zombie,
    OwnProcess,
    NotAProcess,
    TargetTraced,
    TargetBusy,
    StopBudgetEstimate,
    StopBudgetOverrun,
    TargetExited,
    TargetExeced,
    UnsupportedArchitecture,
    SpoolTooSmall,
    ForkNotSafe,
    ForkRefused,
    PrecopyNotPossible,
    WorkerLost,
    LeaseNotFound,
    NoSuchThread,
    TooManyCaptures,
    PermissionDeniedByKernel,
    PeerNotAllowed,
    InvalidField,
    SealingRequired,
    Unsupported,
    ShuttingDown,
    Internal,
}
