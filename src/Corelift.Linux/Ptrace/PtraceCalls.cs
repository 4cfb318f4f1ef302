using System.Runtime.InteropServices;
using Corelift.Linux.Interop;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// ptrace(2) request by request. Failures come back as <see cref="Errno"/>, since a task that has gone (ESRCH) is an
/// everyday outcome here, and nothing is allocated, since most of these run while a target is stopped. All of them are
/// valid only on the OS thread that seized the task.
/// </summary>
internal static unsafe class PtraceCalls
{
    internal const int WaitAny = 0x40000000;        // __WALL
    internal const int WaitNoHang = 1;              // WNOHANG
    private const int ByPid = 1;                    // P_PID
    private const int Look = 0x01000000 | 4 | 2;    // WNOWAIT | WEXITED | WSTOPPED

    /// <summary>PTRACE_SEIZE: the tracer relation without a stop.</summary>
    internal static Errno Seize(int tid, PtraceOptions options) => Call(PtraceRequest.Seize, tid, 0, (nint)(int)options);

    /// <summary>PTRACE_INTERRUPT.</summary>
    internal static Errno Interrupt(int tid) => Call(PtraceRequest.Interrupt, tid, 0, 0);

    /// <summary>PTRACE_SETOPTIONS.</summary>
    internal static Errno SetOptions(int tid, PtraceOptions options) => Call(PtraceRequest.SetOptions, tid, 0, (nint)(int)options);

    /// <summary>PTRACE_CONT with a signal to deliver, or 0.</summary>
    internal static Errno Continue(int tid, int signal) => Call(PtraceRequest.Cont, tid, 0, signal);

    /// <summary>PTRACE_LISTEN: a group-stopped task stays stopped, but for the SIGCONT that ends its stop.</summary>
    internal static Errno Listen(int tid) => Call(PtraceRequest.Listen, tid, 0, 0);

    /// <summary>PTRACE_SYSCALL with a signal to deliver, or 0: runs to the next syscall-stop.</summary>
    internal static Errno ContinueToSyscall(int tid, int signal) => Call(PtraceRequest.Syscall, tid, 0, signal);

    /// <summary>PTRACE_DETACH with a signal to deliver, or 0. A group-stopped task stays stopped.</summary>
    internal static Errno Detach(int tid, int signal) => Call(PtraceRequest.Detach, tid, 0, signal);

    /// <summary>PTRACE_KILL: SIGKILL from the tracer, which needs no CAP_KILL.</summary>
    internal static Errno Kill(int tid) => Call(PtraceRequest.Kill, tid, 0, 0);

    /// <summary>PTRACE_GETREGSET into <paramref name="buffer"/>; <paramref name="length"/> in: its size, out: bytes written.</summary>
    internal static Errno GetRegisterSet(int tid, NoteType type, void* buffer, ref int length)
    {
        var vector = new IoVec { Base = buffer, Length = (nuint)length };
        Errno result = Call(PtraceRequest.GetRegSet, tid, (nint)(uint)type, (nint)(&vector));
        length = result == Errno.None ? (int)vector.Length : 0;
        return result;
    }

    /// <summary>PTRACE_SETREGSET.</summary>
    internal static Errno SetRegisterSet(int tid, NoteType type, void* buffer, int length)
    {
        var vector = new IoVec { Base = buffer, Length = (nuint)length };
        return Call(PtraceRequest.SetRegSet, tid, (nint)(uint)type, (nint)(&vector));
    }

    /// <summary>General registers of a stopped task; fails with InvalidArgument for a 32-bit task.</summary>
    internal static Errno GetRegisters(int tid, out UserRegs registers)
    {
        UserRegs value = default;
        int length = sizeof(UserRegs);
        Errno result = GetRegisterSet(tid, NoteType.PrStatus, &value, ref length);
        registers = value;
        return result == Errno.None && length != sizeof(UserRegs) ? Errno.InvalidArgument : result;
    }

    /// <summary>Sets the general registers of a stopped task.</summary>
    internal static Errno SetRegisters(int tid, in UserRegs registers)
    {
        UserRegs value = registers;
        return SetRegisterSet(tid, NoteType.PrStatus, &value, sizeof(UserRegs));
    }

    /// <summary>PTRACE_GETSIGMASK.</summary>
    internal static Errno GetSignalMask(int tid, out ulong mask)
    {
        ulong value = 0;
        Errno result = Call(PtraceRequest.GetSigMask, tid, sizeof(ulong), (nint)(&value));
        mask = value;
        return result;
    }

    /// <summary>PTRACE_SETSIGMASK.</summary>
    internal static Errno SetSignalMask(int tid, ulong mask) => Call(PtraceRequest.SetSigMask, tid, sizeof(ulong), (nint)(&mask));

    /// <summary>PTRACE_GETSIGINFO into 128 bytes; InvalidArgument in a stop that has none.</summary>
    internal static Errno GetSignalInfo(int tid, void* buffer) => Call(PtraceRequest.GetSigInfo, tid, 0, (nint)buffer);

    /// <summary>
    /// Signals outside <paramref name="blocked"/> that wait for the task, in its own queue or in the process's
    /// (PTRACE_PEEKSIGINFO); bit n-1 for signal n.
    /// </summary>
    internal static ulong PendingSignals(int tid, ulong blocked) =>
        (PendingSignals(tid, shared: false) | PendingSignals(tid, shared: true)) & ~blocked;

    private static ulong PendingSignals(int tid, bool shared)
    {
        const int BatchCount = 8;
        const int SigInfoBytes = 128;
        byte* batch = stackalloc byte[BatchCount * SigInfoBytes];
        ulong pending = 0;
        for (ulong offset = 0; ; offset += BatchCount)
        {
            var arguments = new PtracePeekSigInfo { Offset = offset, Flags = shared ? 1u : 0u, Count = BatchCount };
            nint count = LibC.Ptrace(PtraceRequest.PeekSigInfo, tid, (nint)(&arguments), (nint)batch);
            for (int i = 0; i < count; i++)
            {
                int signal = *(int*)(batch + (i * SigInfoBytes));
                pending |= signal is > 0 and <= 64 ? 1UL << (signal - 1) : 0;
            }

            if (count < BatchCount)
            {
                return pending;
            }
        }
    }

    /// <summary>PTRACE_GETEVENTMSG.</summary>
    internal static Errno GetEventMessage(int tid, out ulong message)
    {
        ulong value = 0;
        Errno result = Call(PtraceRequest.GetEventMessage, tid, 0, (nint)(&value));
        message = value;
        return result;
    }

    /// <summary>PTRACE_GET_RSEQ_CONFIGURATION.</summary>
    internal static Errno GetRseq(int tid, out PtraceRseqConfiguration configuration)
    {
        PtraceRseqConfiguration value = default;
        Errno result = Call(PtraceRequest.GetRseqConfiguration, tid, sizeof(PtraceRseqConfiguration), (nint)(&value));
        configuration = value;
        return result;
    }

    /// <summary>PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG.</summary>
    internal static Errno GetSyscallUserDispatch(int tid, out PtraceSyscallUserDispatch configuration)
    {
        PtraceSyscallUserDispatch value = default;
        Errno result = Call(PtraceRequest.GetSyscallUserDispatch, tid, sizeof(PtraceSyscallUserDispatch), (nint)(&value));
        configuration = value;
        return result;
    }

    /// <summary>
    /// Takes the next change of state of one task: never of any, which is quadratic in the number of tracees (2.9 s for 10,000,
    /// measured) and takes what belongs to others. A signal-delivery-stop is looked at and left, and so shows again until the
    /// task runs: once it is taken, the kernel holds the signal for dealt with, and our death would lose it (kernel/exit.c,
    /// wait_task_stopped, which clears exit_code; kernel/signal.c, ptrace_signal).
    /// </summary>
    /// <returns>Whether the task changed state.</returns>
    internal static bool TryWait(int tid, out PtraceStop stop, out Errno errno)
    {
        const int Trapped = 4;                      // CLD_TRAPPED
        int* information = stackalloc int[32];      // siginfo_t
        new Span<int>(information, 32).Clear();
        stop = default;
        if (LibC.Waitid(ByPid, tid, information, Look | WaitAny | WaitNoHang) < 0)
        {
            errno = (Errno)Marshal.GetLastPInvokeError();
            return false;
        }

        (errno, int code, int pid, int value) = (Errno.None, information[2], information[4], information[6]);
        if (pid == 0)
        {
            return false;
        }

        stop = PtraceStop.Decode((value << 8) | 0x7f);
        if (code == Trapped && stop.Kind == PtraceStopKind.SignalDelivery)
        {
            return true;
        }

        int waited = LibC.Wait4(tid, out int status, WaitAny | WaitNoHang, 0);
        errno = waited < 0 ? (Errno)Marshal.GetLastPInvokeError() : Errno.None;
        stop = waited > 0 ? PtraceStop.Decode(status) : default;
        return waited > 0;
    }

    /// <summary>Sleeps until <see cref="TryWait"/> has something to say of a task, or a signal handler ran. Changes nothing.</summary>
    internal static void AwaitReport(int tid)
    {
        int* information = stackalloc int[32];      // siginfo_t
        _ = LibC.Waitid(ByPid, tid, information, Look | WaitAny);
    }

    private static Errno Call(PtraceRequest request, int tid, nint address, nint data) =>
        LibC.Ptrace(request, tid, address, data) < 0 ? (Errno)Marshal.GetLastPInvokeError() : Errno.None;
}

/// <summary>Register sets by their ELF note type (elf.h).</summary>
public enum NoteType
{
    /// <summary>NT_PRSTATUS: general registers.</summary>
    PrStatus = 1,

    /// <summary>NT_X86_XSTATE: the XSAVE area in the standard format.</summary>
    X86XState = 0x202,
}
