using System.Text;
using Corelift.Linux.Interop;
using Corelift.Linux.Memory;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// Makes system calls in a stopped task of the target with code that it has already. Crash-safe: before the task's rip moves,
/// a signal frame lies in scratch memory with all that the task had, and the call returns into it; whenever this process
/// dies, the task runs the call, returns through the frame and goes on as before. The scratch memory is a piece of the main
/// stack that has never been used: nothing of the target's lies there, whatever kind of stack the task is on.
/// </summary>
internal sealed class RemoteCaller
{
    private const ulong AllSignalsButTrap = ~(1UL << 4);

    /// <summary>What a task's SigBlk is while it makes calls for us: the kernel lets nobody block SIGKILL and SIGSTOP.</summary>
    internal const ulong BlockedInCalls = AllSignalsButTrap & ~(1UL << 8) & ~(1UL << 18);

    private const ulong NotInSyscall = ulong.MaxValue;
    private const ulong UserCodeSegment = 0x33;
    private const ulong StackSegment = 0x2b;
    private const int PathBytes = 64;

    private readonly TraceSession _session;
    private readonly RemoteCode _code;
    private readonly ProcessMemory _memory;
    private readonly int _index;
    private readonly ulong _exitFrame;
    private readonly ulong _path;

    private RemoteCaller(TraceSession session, RemoteCode code, int index, ulong exitFrame)
    {
        _session = session;
        _code = code;
        _index = index;
        _memory = new ProcessMemory(session.Tid(index));
        _exitFrame = exitFrame;
        _path = exitFrame + (ulong)ExitFrameBytes;
    }

    private static int ExitFrameBytes => (SignalFrame.MaxBytes(0) + 63) & ~63;

    /// <summary>The thread that makes the calls.</summary>
    internal int Tid => _session.Tid(_index);

    /// <summary>Address of "syscall; ret" in the target, and in an image of it.</summary>
    internal ulong SyscallReturn => _code.SyscallReturn;

    /// <summary>Stack of an image: a frame that leads into exit_group(0).</summary>
    internal ulong ExitFrame => _exitFrame;

    /// <summary>Where a path for openat lies.</summary>
    internal ulong PathAddress => _path;

    /// <summary>Bytes of scratch memory that frames and a path take, in whole pages.</summary>
    internal static int ScratchBytes()
    {
        int used = ((SignalFrame.MaxBytes(SignalFrame.MaxExtendedStateBytes()) + 63) & ~63) + ExitFrameBytes + PathBytes;
        return (used + 4095) & ~4095;
    }

    /// <summary>
    /// Chooses a task and prepares it. Every task must be stopped and its registers read.
    /// </summary>
    /// <param name="session">The stopped process.</param>
    /// <param name="records">Its register sets.</param>
    /// <param name="code">From before the stop.</param>
    /// <param name="refusal">Why not, where null is returned: one sentence.</param>
    internal static RemoteCaller? Prepare(TraceSession session, ThreadRecords records, RemoteCode code, out string refusal)
    {
        refusal = "no thread of it can make a call for us: all are in a critical section, in 32-bit mode or under seccomp";
        int best = Choose(session, code);
        if (best < 0)
        {
            return null;
        }

        if (!RemoteCodeFinder.IsUnused(new ProcessMemory(session.Tid(best)), new RemoteAddress(code.Scratch), code.ScratchBytes))
        {
            refusal = "the main stack came to be used to its end";
            return null;
        }

        return Enter(session, records, code, best, ref refusal);
    }

    /// <summary>Makes one call in the prepared task.</summary>
    /// <returns>What the kernel returned: negative values are errno.</returns>
    /// <exception cref="RemoteCallException">The task ended, or did not come back by the deadline.</exception>
    internal long Call(long deadline, int number, ReadOnlySpan<ulong> arguments) =>
        Call(Tid, number, arguments, _code.Scratch, deadline, out _);

    /// <summary>clone in the prepared task: the child is born stopped and traced, and dies with us from then on.</summary>
    /// <param name="deadline">In nanoseconds of CLOCK_MONOTONIC.</param>
    /// <param name="flags">CLONE_* flags without an exit signal.</param>
    /// <param name="childTid">The child in our pid namespace.</param>
    /// <returns>The child in the target's pid namespace, or a negative errno.</returns>
    internal long Clone(long deadline, ulong flags, out int childTid)
    {
        const PtraceOptions Births = PtraceOptions.TraceClone | PtraceOptions.TraceFork | PtraceOptions.TraceVfork;
        Errno errno = PtraceCalls.SetOptions(Tid, PtraceOptions.TraceSysGood | PtraceOptions.TraceExec | Births);
        RemoteCallException.ThrowIfFailed(errno, "ptrace(PTRACE_SETOPTIONS)", Tid);
        long result = Call(Tid, SyscallNumber.Clone, [flags, _exitFrame, 0, 0, 0], _code.Scratch, deadline, out childTid);
        _ = PtraceCalls.SetOptions(Tid, PtraceOptions.TraceSysGood | PtraceOptions.TraceExec);
        return result;
    }

    /// <summary>Makes one call in an image: as <see cref="Call(long, int, ReadOnlySpan{ulong})"/>, on the image's stack.</summary>
    internal long CallInImage(int imageTid, long deadline, int number, ReadOnlySpan<ulong> arguments) =>
        Call(imageTid, number, arguments, _exitFrame, deadline, out _);

    /// <summary>Whether a range holds the frames or the code that calls need.</summary>
    internal bool UsesMemory(ulong start, ulong end) =>
        (_code.Scratch < end && start < _code.Scratch + (ulong)_code.ScratchBytes)
        || (_code.SyscallReturn >= start && _code.SyscallReturn < end) || (_code.SignalReturn >= start && _code.SignalReturn < end);

    /// <summary>Writes a path for openat into the scratch memory of the target or of an image.</summary>
    internal bool WritePath(int tid, string path)
    {
        Span<byte> bytes = stackalloc byte[PathBytes];
        bytes.Clear();
        _ = Encoding.ASCII.GetBytes(path, bytes[..(PathBytes - 1)]);
        return new ProcessMemory(tid).TryWrite(_path, bytes);
    }

    /// <summary>Gives the task its own mask and registers back, and the scratch memory its zeros. It stays stopped.</summary>
    internal void Restore()
    {
        ref Tracee tracee = ref _session.At(_index);
        Errno mask = PtraceCalls.SetSignalMask(Tid, tracee.Blocked);
        Errno registers = PtraceCalls.SetRegisters(Tid, InterruptedCalls.Resting(tracee));
        if (mask != Errno.None || registers != Errno.None)
        {
            throw new RemoteCallException("ptrace(PTRACE_SETREGSET)", Tid, mask != Errno.None ? mask : registers);
        }

        _ = _memory.TryWrite(_code.Scratch, new byte[_code.ScratchBytes]);
    }

    private static RemoteCaller? Enter(TraceSession session, ThreadRecords records, RemoteCode code, int index, ref string refusal)
    {
        ref Tracee tracee = ref session.At(index);
        byte[] scratch = new byte[code.ScratchBytes];
        int length = SignalFrame.Write(
            scratch, code.Scratch, code.SignalReturn, InterruptedCall.Rewound(tracee.Registers), tracee.Blocked, records.XState(index));
        int exitOffset = (length + 63) & ~63;
        UserRegs exit = tracee.Registers;
        (exit.Rax, exit.Rdi, exit.Rip, exit.Rsp) = (SyscallNumber.ExitGroup, 0, code.SyscallReturn, code.Scratch + (ulong)exitOffset);
        (exit.Cs, exit.Ss) = (UserCodeSegment, StackSegment);
        _ = SignalFrame.Write(scratch.AsSpan(exitOffset), code.Scratch + (ulong)exitOffset, code.SignalReturn, exit, ulong.MaxValue, []);

        var caller = new RemoteCaller(session, code, index, code.Scratch + (ulong)exitOffset);
        if (!caller._memory.TryWrite(code.Scratch, scratch))
        {
            refusal = "its main stack cannot be written to";
            return null;
        }

        // The registers first and only then the mask: in between, and ever after, our death leads back through the frame.
        UserRegs entry = tracee.Registers;
        (entry.Rip, entry.Rsp, entry.Rax, entry.OrigRax) = (code.SyscallReturn, code.Scratch, SyscallNumber.Getpid, NotInSyscall);
        RemoteCallException.ThrowIfFailed(PtraceCalls.SetRegisters(tracee.Tid, entry), "ptrace(PTRACE_SETREGSET)", tracee.Tid);
        RemoteCallException.ThrowIfFailed(
            PtraceCalls.SetSignalMask(tracee.Tid, AllSignalsButTrap), "ptrace(PTRACE_SETSIGMASK)", tracee.Tid);
        return caller;
    }

    private long Call(int tid, int number, ReadOnlySpan<ulong> arguments, ulong stack, long deadline, out int childTid)
    {
        UserRegs registers = _session.At(_index).Registers;
        (registers.Rip, registers.Rsp, registers.Rax, registers.OrigRax) = (_code.SyscallReturn, stack, (ulong)number, NotInSyscall);
        (registers.Cs, registers.Ss) = (UserCodeSegment, StackSegment);
        registers.Rdi = arguments.Length > 0 ? arguments[0] : 0;
        registers.Rsi = arguments.Length > 1 ? arguments[1] : 0;
        registers.Rdx = arguments.Length > 2 ? arguments[2] : 0;
        registers.R10 = arguments.Length > 3 ? arguments[3] : 0;
        registers.R8 = arguments.Length > 4 ? arguments[4] : 0;
        registers.R9 = 0;
        RemoteCallException.ThrowIfFailed(PtraceCalls.SetRegisters(tid, registers), "ptrace(PTRACE_SETREGSET)", tid);

        childTid = 0;
        for (int syscallStops = 0; syscallStops < 2;)
        {
            RemoteCallException.ThrowIfFailed(PtraceCalls.ContinueToSyscall(tid, 0), "ptrace(PTRACE_SYSCALL)", tid);
            PtraceStop stop = RemoteWait.ForOrTakeBack(tid, deadline);
            if (stop.Kind == PtraceStopKind.Syscall)
            {
                syscallStops++;
            }
            else if (stop is { Kind: PtraceStopKind.Event, Event: PtraceStop.EventClone or PtraceStop.EventFork or PtraceStop.EventVfork })
            {
                childTid = TakeChild(tid, deadline);
            }
        }

        RemoteCallException.ThrowIfFailed(PtraceCalls.GetRegisters(tid, out UserRegs result), "ptrace(PTRACE_GETREGSET)", tid);
        return unchecked((long)result.Rax);
    }

    private static int TakeChild(int tid, long deadline)
    {
        RemoteCallException.ThrowIfFailed(PtraceCalls.GetEventMessage(tid, out ulong message), "ptrace(PTRACE_GETEVENTMSG)", tid);
        int child = (int)message;
        _ = RemoteWait.For(child, deadline);
        RemoteCallException.ThrowIfFailed(
            PtraceCalls.SetOptions(child, PtraceOptions.ExitKill | PtraceOptions.TraceSysGood), "ptrace(PTRACE_SETOPTIONS)", child);
        return child;
    }

    /// <summary>The task that a call disturbs least, or -1. Each of the ranks is asked for the first that can be used.</summary>
    private static int Choose(TraceSession session, RemoteCode code)
    {
        const int Ranks = 4;
        for (int rank = 0; rank < Ranks; rank++)
        {
            for (int i = 0; i < session.StoppedCount; i++)
            {
                // Only what this thread has seized takes its requests.
                if (session.At(i).Owner == 0 && Rank(ref session.At(i)) == rank && IsUsable(ref session.At(i), code) && !session.IsFiltered(i))
                {
                    return i;
                }
            }
        }

        return -1;
    }

    /// <summary>Lower is better: blocked in a call that restarts by itself; in one we would have made again; running; sleeping on a restart block.</summary>
    private static int Rank(ref Tracee tracee) =>
        tracee.Kind is not (PtraceStopKind.Interrupted or PtraceStopKind.GroupStop) ? 4
        : InterruptedCall.UsesRestartBlock(tracee.Registers) ? 3
        : !InterruptedCall.IsInside(tracee.Registers) ? 2
        : tracee.Registers.Rax == unchecked((ulong)-4) ? 1
        : 0;

    private static bool IsUsable(ref Tracee tracee, RemoteCode code)
    {
        if (!tracee.HasRegisters || tracee.Registers.Cs != UserCodeSegment
            || tracee.Kind is not (PtraceStopKind.Interrupted or PtraceStopKind.GroupStop))
        {
            return false;
        }

        ulong end = code.Scratch + (ulong)code.ScratchBytes;
        if (tracee.Registers.Rsp >= code.Scratch && tracee.Registers.Rsp < end + 4096)
        {
            return false;
        }

        if (PtraceCalls.GetSyscallUserDispatch(tracee.Tid, out PtraceSyscallUserDispatch dispatch) == Errno.None && dispatch.Mode != 0)
        {
            return false;
        }

        return InterruptedCall.IsInside(tracee.Registers) || !IsInRestartableSequence(tracee.Tid);
    }

    /// <summary>Whether rseq(2) marks a critical section: moving rip out of it would hide that it must be aborted.</summary>
    private static bool IsInRestartableSequence(int tid)
    {
        const ulong CriticalSectionOffset = 8; // struct rseq, rseq_cs
        return PtraceCalls.GetRseq(tid, out PtraceRseqConfiguration rseq) == Errno.None
            && rseq.RseqAbiPointer != 0
            && (!new ProcessMemory(tid).TryRead(rseq.RseqAbiPointer + CriticalSectionOffset, out ulong section) || section != 0);
    }
}
