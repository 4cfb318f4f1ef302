using Corelift.Linux.Interop;

namespace Corelift.Linux.Ptrace;

internal enum TraceeState
{
    Seized,
    StopRequested,
    Stopped,
    Gone,
}

/// <summary>A seized task.</summary>
internal struct Tracee
{
    internal int Tid;
    internal TraceeState State;
    internal PtraceStopKind Kind;
    internal int Signal;
    internal long StoppedAt;
    internal ulong Blocked;
    internal bool HasRegisters;
    internal UserRegs Registers;

    /// <summary>Whether the task stands so that it makes its call again, whoever lets it go; <see cref="Registers"/> keeps what it had.</summary>
    internal bool MakesCallAgain;
}
