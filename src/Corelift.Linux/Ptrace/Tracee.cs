using Corelift.Linux.Interop;

namespace Corelift.Linux.Ptrace;

internal enum TraceeState
{
    /// <summary>Listed, and not seized yet.</summary>
    Found,
    Seized,
    StopRequested,
    Stopped,
    Gone,
}

/// <summary>A seized task.</summary>
internal struct Tracee
{
    internal int Tid;

    /// <summary>Member of the team that seized it: the only one whose requests the kernel takes.</summary>
    internal int Owner;
    internal TraceeState State;

    /// <summary>Its class among the schedules of a quiesced process, from 1; 0 where it is not quiesced.</summary>
    internal int ScheduleClass;

    /// <summary>Whether it could not run from <see cref="InterruptedAt"/> on, wherever it was.</summary>
    internal bool IsHeld;

    /// <summary>Whether it slept in a call that a stop may break when it was looked at, shortly before the stop.</summary>
    internal bool IsFragile;

    /// <summary>How its seizing went.</summary>
    internal Errno Failure;
    internal PtraceStopKind Kind;
    internal int Signal;

    /// <summary>When the request to stop had been made: a task that was not on a CPU has not moved since.</summary>
    internal long InterruptedAt;

    /// <summary>When the tracer saw it stopped; from <see cref="TraceSession.ReadRegisters"/> on, a closer bound.</summary>
    internal long StoppedAt;
    internal ulong Blocked;
    internal bool HasRegisters;
    internal UserRegs Registers;

    /// <summary>Whether the task stands so that it makes its call again, whoever lets it go; <see cref="Registers"/> keeps what it had.</summary>
    internal bool MakesCallAgain;
}
