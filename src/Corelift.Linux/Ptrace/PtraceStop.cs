namespace Corelift.Linux.Ptrace;

/// <summary>What a wait status says of a tracee (ptrace(2), "Stopped states").</summary>
internal enum PtraceStopKind
{
    /// <summary>The task ended: by exit, by a signal, or reaped by an exec.</summary>
    Ended,

    /// <summary>PTRACE_EVENT_STOP with SIGTRAP: our PTRACE_INTERRUPT, or the birth of an attached task.</summary>
    Interrupted,

    /// <summary>group-stop: PTRACE_EVENT_STOP with a stopping signal.</summary>
    GroupStop,

    /// <summary>signal-delivery-stop.</summary>
    SignalDelivery,

    /// <summary>syscall-stop (entry or exit).</summary>
    Syscall,

    /// <summary>Another ptrace-event-stop (clone, fork, vfork, exec ...).</summary>
    Event,
}

/// <summary>A decoded wait status.</summary>
/// <param name="Kind">The kind of stop.</param>
/// <param name="Signal">Signal of the stop; the death signal or 0 for a task that ended.</param>
/// <param name="Event">PTRACE_EVENT_* number, or 0.</param>
internal readonly record struct PtraceStop(PtraceStopKind Kind, int Signal, int Event)
{
    internal const int EventFork = 1;       // PTRACE_EVENT_FORK
    internal const int EventVfork = 2;      // PTRACE_EVENT_VFORK
    internal const int EventClone = 3;      // PTRACE_EVENT_CLONE
    internal const int EventExec = 4;       // PTRACE_EVENT_EXEC
    internal const int EventStop = 128;     // PTRACE_EVENT_STOP

    private const int SigTrap = 5;

    /// <summary>Whether the task is in a ptrace-stop (and not gone).</summary>
    internal bool IsStopped => Kind != PtraceStopKind.Ended;

    /// <summary>Decodes the status word of wait4(2) for a seized task with PTRACE_O_TRACESYSGOOD.</summary>
    internal static PtraceStop Decode(int status)
    {
        if ((status & 0xff) != 0x7f)
        {
            return new PtraceStop(PtraceStopKind.Ended, status & 0x7f, 0);
        }

        int signal = (status >> 8) & 0xff;
        int stopEvent = (status >> 16) & 0xff;
        return (stopEvent, signal) switch
        {
            (EventStop, SigTrap) => new PtraceStop(PtraceStopKind.Interrupted, signal, stopEvent),
            (EventStop, _) => new PtraceStop(PtraceStopKind.GroupStop, signal, stopEvent),
            ( > 0, _) => new PtraceStop(PtraceStopKind.Event, signal, stopEvent),
            (0, SigTrap | 0x80) => new PtraceStop(PtraceStopKind.Syscall, signal, 0),
            _ => new PtraceStop(PtraceStopKind.SignalDelivery, signal, 0),
        };
    }
}
