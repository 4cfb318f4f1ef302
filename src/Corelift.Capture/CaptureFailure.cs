namespace Corelift.Capture;

/// <summary>Why there is no plan, stop or snapshot. In every case the target runs as before.</summary>
public enum CaptureFailure
{
    /// <summary>No failure.</summary>
    None,

    /// <summary>No process has this pid.</summary>
    NoSuchProcess,

    /// <summary>The number names a thread that is not a thread-group leader.</summary>
    NotAProcess,

    /// <summary>Another process has this pid by now.</summary>
    IdentityChanged,

    /// <summary>A kernel thread has no memory of its own.</summary>
    KernelThread,

    /// <summary>The process has ended and waits for its parent.</summary>
    Zombie,

    /// <summary>The agent, one of its workers, or one of its ancestors.</summary>
    OwnProcess,

    /// <summary>Somebody else traces it.</summary>
    TargetTraced,

    /// <summary>A stop or capture of it is under way.</summary>
    TargetBusy,

    /// <summary>The process ended meanwhile.</summary>
    TargetExited,

    /// <summary>The process called execve meanwhile.</summary>
    TargetExeced,

    /// <summary>Its registers are not known here (32-bit).</summary>
    UnsupportedArchitecture,

    /// <summary>The kernel refuses.</summary>
    DeniedByKernel,

    /// <summary>It has more threads, mappings or memory than the agent takes on; nothing was touched.</summary>
    TargetTooLarge,

    /// <summary>The capture took longer than any may, and was given up.</summary>
    CaptureTooLong,

    /// <summary>The estimate is above the stop budget; nothing was touched.</summary>
    EstimateAboveStopBudget,

    /// <summary>The stop took longer than its budget and was given up.</summary>
    StopBudgetOverrun,

    /// <summary>Direct found more memory than the spool holds.</summary>
    SpoolTooSmall,

    /// <summary>Fork is not safe for this target, and the caller asked for fork.</summary>
    ForkNotSafe,

    /// <summary>The kernel or a limit refused the fork.</summary>
    ForkRefused,

    /// <summary>Strategy precopy cannot track what this target writes.</summary>
    PrecopyNotPossible,

    /// <summary>The worker ended unexpectedly.</summary>
    WorkerLost,

    /// <summary>As many captures as allowed are under way.</summary>
    TooManyCaptures,

    /// <summary>The agent is shutting down.</summary>
    ShuttingDown,

    /// <summary>No lease has this id.</summary>
    LeaseNotFound,

    /// <summary>The lease ended while it was being used.</summary>
    LeaseEnded,

    /// <summary>Whether it is allowed was not decided in time; nobody was stopped.</summary>
    Undecided,

    /// <summary>A bug, or a kernel that behaves unlike any that was tried.</summary>
    Internal,
}

/// <summary>A plan, stop or capture did not work, and why.</summary>
public sealed class CaptureException : Exception
{
    /// <summary>Describes the failure.</summary>
    /// <param name="failure">Which one.</param>
    /// <param name="message">What happened, and what the caller can do.</param>
    public CaptureException(CaptureFailure failure, string message)
        : base(message) => Failure = failure;

    /// <summary>Which one.</summary>
    public CaptureFailure Failure { get; }
}
