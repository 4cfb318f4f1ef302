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
}

/// <summary>
/// System calls that a stop breaks: the kernel restarts most by itself once the registers are back, but epoll_wait, recv
/// with SO_RCVTIMEO and the rest of the list in signal(7) show -EINTR, which the target would see although nobody sent it a
/// signal.
/// </summary>
internal static class InterruptedCall
{
    private const ulong Eintr = unchecked((ulong)-4);
    private const ulong RestartFirst = unchecked((ulong)-516);  // ERESTART_RESTARTBLOCK
    private const ulong RestartLast = unchecked((ulong)-512);   // ERESTARTSYS
    private const ulong SyscallLength = 2;
    private const ulong NotInSyscall = ulong.MaxValue;

    /// <summary>Whether the task was stopped inside a system call.</summary>
    internal static bool IsInside(in UserRegs registers) =>
        registers.OrigRax != NotInSyscall && (registers.Rax == Eintr || registers.Rax is >= RestartFirst and <= RestartLast);

    /// <summary>Whether the call continues by the task's restart block, which rt_sigreturn drops.</summary>
    internal static bool UsesRestartBlock(in UserRegs registers) => IsInside(registers) && registers.Rax == RestartFirst;

    /// <summary>The registers with which the task makes the call again from the start.</summary>
    internal static UserRegs Rewound(UserRegs registers)
    {
        if (IsInside(registers))
        {
            registers.Rax = registers.OrigRax;
            registers.Rip -= SyscallLength;
        }

        return registers;
    }

    /// <summary>
    /// Has a call that our stop would make fail with EINTR made again. Where a signal waits for the task, EINTR is right.
    /// close(2) is never made again: its descriptor is gone.
    /// </summary>
    internal static void MakeAgain(ref Tracee tracee)
    {
        // A stop that was given up early has read no registers yet.
        tracee.HasRegisters = tracee.HasRegisters
            || (PtraceCalls.GetRegisters(tracee.Tid, out tracee.Registers) == Errno.None
                && PtraceCalls.GetSignalMask(tracee.Tid, out tracee.Blocked) == Errno.None);
        if (tracee.HasRegisters && tracee.Kind == PtraceStopKind.Interrupted && tracee.Registers.Rax == Eintr
            && tracee.Registers.OrigRax is not (NotInSyscall or SyscallNumber.Close)
            && !PtraceCalls.HasDeliverableSignal(tracee.Tid, tracee.Blocked))
        {
            UserRegs rewound = Rewound(tracee.Registers);
            rewound.OrigRax = NotInSyscall;
            _ = PtraceCalls.SetRegisters(tracee.Tid, rewound);
        }
    }
}
