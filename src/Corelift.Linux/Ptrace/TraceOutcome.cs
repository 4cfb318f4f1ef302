namespace Corelift.Linux.Ptrace;

/// <summary>How stopping a process went. Everything but Done leaves the target running once the session ends.</summary>
public enum TraceOutcome
{
    /// <summary>As asked.</summary>
    Done,

    /// <summary>The deadline passed; <see cref="TraceSession.BlamedTid"/> says which task was waited for.</summary>
    DeadlinePassed,

    /// <summary>The process has ended.</summary>
    TargetExited,

    /// <summary>The process called execve: what was asked about is no more.</summary>
    TargetExeced,

    /// <summary>Somebody else traces a task of it.</summary>
    AlreadyTraced,

    /// <summary>The kernel refuses: a capability, Yama or a security module.</summary>
    Denied,

    /// <summary>The task runs in a mode whose registers are not known here (32-bit).</summary>
    UnsupportedArchitecture,
}
