using Corelift.Linux.Interop;
using Corelift.Linux.Procfs;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// The calls of one stopped process that the stop would make fail with EINTR. They are prepared to be made again as soon as
/// the registers are known, so that also the death of this process lets them go on, and looked at once more at the resume:
/// where a signal came meanwhile, EINTR is right.
/// </summary>
internal sealed class InterruptedCalls(ProcessDirectory directory) : IDisposable
{
    private readonly SignalDisposition _signals = new(directory);

    /// <summary>What the stopped task's registers are while nothing is called in it.</summary>
    internal static UserRegs Resting(in Tracee tracee) =>
        tracee.MakesCallAgain ? InterruptedCall.Again(tracee.Registers) : tracee.Registers;

    /// <summary>Has the task make its call again, with its full timeout, whenever it is let go.</summary>
    internal void Prepare(ref Tracee tracee)
    {
        if (tracee.Kind is PtraceStopKind.Interrupted or PtraceStopKind.SignalDelivery
            && InterruptedCall.IsBroken(tracee.Registers) && !_signals.HasSignal(tracee))
        {
            tracee.MakesCallAgain = PtraceCalls.SetRegisters(tracee.Tid, InterruptedCall.Again(tracee.Registers)) == Errno.None;
        }
    }

    /// <summary>Right before the resume: a signal that came while the task was stopped ends its call after all.</summary>
    internal void Recheck(ref Tracee tracee)
    {
        if (!tracee.HasRegisters)
        {
            // A stop that was given up early has read none yet.
            tracee.HasRegisters = PtraceCalls.GetRegisters(tracee.Tid, out tracee.Registers) == Errno.None
                && PtraceCalls.GetSignalMask(tracee.Tid, out tracee.Blocked) == Errno.None;
            if (tracee.HasRegisters)
            {
                Prepare(ref tracee);
            }
        }
        else if (tracee.MakesCallAgain && _signals.HasSignal(tracee))
        {
            tracee.MakesCallAgain = PtraceCalls.SetRegisters(tracee.Tid, tracee.Registers) != Errno.None;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _signals.Dispose();
}
