using System.Runtime.InteropServices;
using Corelift.Linux.Interop;
using Corelift.Linux.Memory;
using Corelift.Linux.Processes;
using Corelift.Linux.Procfs;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// The calls of one stopped process that the stop would make fail with EINTR. They are prepared to be made again as soon as
/// the registers are known, so that also the death of this process lets them go on; at the resume they get what is left of
/// their timeout, and where a signal came meanwhile, EINTR after all.
/// </summary>
internal sealed class InterruptedCalls : IDisposable
{
    private const long LongestShortening = 100_000_000;
    private const long Millisecond = 1_000_000;

    private readonly SignalDisposition _signals;
    private readonly WaitLook _look;
    private readonly TimeoutSlots _slots = new();
    private readonly SocketTimeouts _sockets;
    private readonly LibraryCode _library = new();
    private readonly int _pid;
    private bool _needsMainStack;
    private long _shorteningEnds;

    internal InterruptedCalls(ProcessDirectory directory)
    {
        _signals = new SignalDisposition(directory);
        _look = new WaitLook(directory);
        _sockets = new SocketTimeouts(directory.Pid);
        _pid = directory.Pid;
    }

    /// <summary>What the stopped task's registers are while nothing is called in it.</summary>
    internal static UserRegs Resting(in Tracee tracee) =>
        tracee.MakesCallAgain ? InterruptedCall.Again(tracee.Registers) : tracee.Registers;

    /// <summary>Notes since when tasks sleep, and where their remaining times can lie.</summary>
    internal void LookAhead(IReadOnlyCollection<Vma> vmas, IEnumerable<int> tids)
    {
        _slots.Find(vmas);
        _library.Find(vmas);
        _sockets.Open();
        _look.Look(tids);
    }

    /// <summary>Whether a task slept in a call that a stop may break, when it was looked at.</summary>
    internal bool WasAsleep(int tid) => _look.TryGet(tid, out _);

    /// <summary>Whether a stopped task slept from then until the stop.</summary>
    internal bool SleptUntilStopped(int tid) => _look.TryGet(tid, out Waiting waiting) && _look.SleptUntilStopped(waiting);

    /// <summary>
    /// As <see cref="Prepare"/>, before anybody has asked why the task stopped, and with the two requests that it takes: each one
    /// more before it is a moment in which our death leaves the call with EINTR.
    /// </summary>
    /// <returns>Whether the task has stopped.</returns>
    internal static bool TryPrepareEarly(ref Tracee tracee)
    {
        if (PtraceCalls.GetRegisters(tracee.Tid, out UserRegs registers) != Errno.None)
        {
            return false;
        }

        if (InterruptedCall.IsBroken(registers))
        {
            tracee.MakesCallAgain = PtraceCalls.SetRegisters(tracee.Tid, InterruptedCall.Again(registers)) == Errno.None;
            tracee.Registers = registers;
        }

        return true;
    }

    /// <summary>
    /// Has the task make its call again, with its full timeout, whenever it is let go. Each tracer thread may do so for its
    /// own tasks; all else here is for one thread at a time.
    /// </summary>
    internal void Prepare(ref Tracee tracee)
    {
        bool isBrokenByUs = tracee.Kind is PtraceStopKind.Interrupted or PtraceStopKind.SignalDelivery
            && InterruptedCall.IsBroken(tracee.Registers) && !_signals.HasSignal(tracee);
        if (isBrokenByUs != tracee.MakesCallAgain)
        {
            UserRegs wanted = isBrokenByUs ? InterruptedCall.Again(tracee.Registers) : tracee.Registers;
            bool isSet = PtraceCalls.SetRegisters(tracee.Tid, wanted) == Errno.None;
            tracee.MakesCallAgain = isSet ? isBrokenByUs : tracee.MakesCallAgain;
        }

        if (isBrokenByUs && TimedCall.Of(tracee.Registers).Place is not (TimeoutPlace.None or TimeoutPlace.Milliseconds))
        {
            _needsMainStack = true;
        }
    }

    /// <summary>Whether the task is resumed after the others: its timeout has to be shortened, or its stack is needed for that.</summary>
    internal bool IsHeldBack(in Tracee tracee) =>
        (tracee.MakesCallAgain && TimedCall.Of(tracee.Registers).Place != TimeoutPlace.None && _look.TryGet(tracee.Tid, out _))
        || (_needsMainStack && tracee.Tid == _pid)
        || (tracee.HasRegisters && InterruptedCall.KeepsRemainingTime(tracee.Registers));

    /// <summary>Begins the part of the resume in which timeouts are shortened; where it takes too long, the rest keep theirs.</summary>
    internal void BeginShortening(ReadOnlySpan<Tracee> tracees)
    {
        _shorteningEnds = MonotonicClock.Nanoseconds + LongestShortening;
        if (_needsMainStack)
        {
            _slots.Open(tracees, _pid);
        }
    }

    /// <summary>Gives a call that is made again what is left of its timeout, as far as that is known.</summary>
    internal void Shorten(ref Tracee tracee)
    {
        if (tracee.HasRegisters && InterruptedCall.KeepsRemainingTime(tracee.Registers))
        {
            TakeStopOff(tracee);
        }

        if (!tracee.MakesCallAgain || MonotonicClock.Nanoseconds > _shorteningEnds
            || TimedCall.Of(tracee.Registers) is not { Place: not TimeoutPlace.None } call
            || !_look.TryGet(tracee.Tid, out Waiting waiting) || !_look.SleptUntilStopped(waiting))
        {
            return;
        }

        // The scheduler's clock and CLOCK_MONOTONIC differ by less than a thousandth: too little is subtracted, never too much.
        long waited = MonotonicClock.Nanoseconds - waiting.Since;
        waited = Math.Max(0, waited - (waited / 1024));
        switch (call.Place)
        {
            case TimeoutPlace.Milliseconds:
                ShortenMilliseconds(ref tracee, call, waited);
                break;
            case TimeoutPlace.TimeSpec:
                ShortenTimeSpec(ref tracee, call, waited);
                break;
            case TimeoutPlace.RingArgument:
                ShortenRingArgument(ref tracee, call, waited);
                break;
            default:
                if (_sockets.Shorten(tracee, call, waited, waiting, _slots))
                {
                    Return(tracee, call.WhenPassed);
                }

                break;
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

    /// <summary>After the resume: sockets get their own timeout back.</summary>
    internal void Settle() => _sockets.PutBack(_look);

    /// <inheritdoc/>
    public void Dispose()
    {
        _signals.Dispose();
        _look.Dispose();
        _sockets.Dispose();
    }

    /// <summary>
    /// What the kernel has written to the target's memory is what was left when the stop came, and it would start from there
    /// after it.
    /// </summary>
    private static void TakeStopOff(in Tracee tracee)
    {
        UserRegs registers = tracee.Registers;
        ulong address = registers.OrigRax == SyscallNumber.Ppoll ? registers.Rdx : registers.R8;
        bool isTimeValue = registers.OrigRax == SyscallNumber.Select;
        long stopped = MonotonicClock.Nanoseconds - tracee.StoppedAt;
        if (address == 0 || !ProcessMemory.TryRead(tracee.Tid, address, out TimeSpec time))
        {
            return;
        }

        if (isTimeValue && time.Nanoseconds is >= 0 and < 1_000_000)
        {
            time.Nanoseconds *= 1000;
        }

        if (time.TotalNanoseconds < long.MaxValue)
        {
            time = TimeSpec.From(Math.Max(0, time.TotalNanoseconds - stopped));
            time.Nanoseconds /= isTimeValue ? 1000 : 1;
            _ = ProcessMemory.TryWrite(tracee.Tid, address, MemoryMarshal.AsBytes(new ReadOnlySpan<TimeSpec>(ref time)));
        }
    }

    private void ShortenMilliseconds(ref Tracee tracee, TimedCall call, long waited)
    {
        int full = unchecked((int)TimedCall.Get(tracee.Registers, call.Register));
        if (full > 0)
        {
            long remaining = Math.Max(0, (full * Millisecond) - waited);
            Enter(tracee, call, remaining, (ulong)((remaining + Millisecond - 1) / Millisecond));
        }
    }

    private void ShortenTimeSpec(ref Tracee tracee, TimedCall call, long waited)
    {
        if (TryReadTime(tracee.Tid, TimedCall.Get(tracee.Registers, call.Register), out long full))
        {
            long remaining = Math.Max(0, full - waited);
            Enter(tracee, call, remaining, CanChange(tracee, call.Register) ? _slots.Add(tracee.Tid, TimeSpec.From(remaining)) : 0);
        }
    }

    private void ShortenRingArgument(ref Tracee tracee, TimedCall call, long waited)
    {
        if (ProcessMemory.TryRead(tracee.Tid, tracee.Registers.R8, out RingWaitArgument argument)
            && TryReadTime(tracee.Tid, argument.TimeAddress, out long full))
        {
            long remaining = Math.Max(0, full - waited);
            ulong slot = CanChange(tracee, call.Register) ? _slots.Add(tracee.Tid, TimeSpec.From(remaining), argument) : 0;
            Enter(tracee, call, remaining, slot);
        }
    }

    /// <summary>
    /// Makes the call with another argument where nobody uses that register afterwards. Elsewhere a call whose time is up
    /// returns, and one whose time is not has its full timeout again.
    /// </summary>
    private void Enter(in Tracee tracee, TimedCall call, long remaining, ulong argument)
    {
        bool hasArgument = argument != 0 || call.Place == TimeoutPlace.Milliseconds;
        if (hasArgument && CanChange(tracee, call.Register))
        {
            UserRegs again = TimedCall.With(InterruptedCall.Again(tracee.Registers), call.Register, argument);
            _ = PtraceCalls.SetRegisters(tracee.Tid, again);
        }
        else if (remaining == 0)
        {
            Return(tracee, call.WhenPassed);
        }
    }

    private bool CanChange(in Tracee tracee, ArgumentRegister register)
    {
        if (_library.Contains(tracee.Registers.Rip))
        {
            return true;
        }

        Span<byte> code = stackalloc byte[DeadRegister.CodeBytes];
        int length = (int)Math.Min(DeadRegister.CodeBytes, 4096 - (tracee.Registers.Rip & 4095));
        return ProcessMemory.TryRead(tracee.Tid, tracee.Registers.Rip, code[..length])
            && DeadRegister.IsProven(code[..length], register);
    }

    private static bool TryReadTime(int tid, ulong address, out long nanoseconds)
    {
        nanoseconds = address != 0 && ProcessMemory.TryRead(tid, address, out TimeSpec time) ? time.TotalNanoseconds : 0;
        return nanoseconds is > 0 and < long.MaxValue;
    }

    private static void Return(in Tracee tracee, long result) =>
        _ = PtraceCalls.SetRegisters(tracee.Tid, InterruptedCall.Returned(tracee.Registers, result));
}
