using Corelift.Linux.Interop;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// System calls that a stop breaks: the kernel restarts most by itself once the registers are back, but epoll_wait, recv
/// with SO_RCVTIMEO and the rest of the list in signal(7) show -EINTR, which the target would see although nobody sent it a
/// signal. Such a task is given registers with which it makes the call again.
/// </summary>
internal static class InterruptedCall
{
    private const ulong Eintr = unchecked((ulong)-4);
    private const ulong RestartFirst = unchecked((ulong)-516);  // ERESTART_RESTARTBLOCK
    private const ulong RestartNoHandler = unchecked((ulong)-514); // ERESTARTNOHAND
    private const ulong RestartLast = unchecked((ulong)-512);   // ERESTARTSYS
    private const ulong SyscallLength = 2;
    private const ulong NotInSyscall = ulong.MaxValue;

    /// <summary>Whether the task was stopped inside a system call.</summary>
    internal static bool IsInside(in UserRegs registers) =>
        registers.OrigRax != NotInSyscall && (registers.Rax == Eintr || registers.Rax is >= RestartFirst and <= RestartLast);

    /// <summary>Whether the call continues by the task's restart block, which rt_sigreturn drops.</summary>
    internal static bool UsesRestartBlock(in UserRegs registers) => IsInside(registers) && registers.Rax == RestartFirst;

    /// <summary>
    /// Whether the call fails with EINTR once the task runs, or is restarted by the kernel with its full timeout, as
    /// io_pgetevents is. Not close(2), which has closed its descriptor all the same and would close another's the second
    /// time.
    /// </summary>
    internal static bool IsBroken(in UserRegs registers) =>
        (registers.Rax == Eintr && registers.OrigRax is not (NotInSyscall or SyscallNumber.Close))
        || (registers.Rax == RestartNoHandler && registers.OrigRax == SyscallNumber.IoPgetevents);

    /// <summary>
    /// Whether the kernel restarts the call with the time that it has left in the target's memory: select, pselect6, ppoll.
    /// </summary>
    internal static bool KeepsRemainingTime(in UserRegs registers) => registers.Rax == RestartNoHandler
        && registers.OrigRax is SyscallNumber.Select or SyscallNumber.Pselect6 or SyscallNumber.Ppoll;

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
    /// <see cref="Rewound"/>, and no longer inside a call for the kernel, which would otherwise treat rax as a result.
    /// </summary>
    internal static UserRegs Again(in UserRegs registers)
    {
        UserRegs again = Rewound(registers);
        again.OrigRax = NotInSyscall;
        return again;
    }

    /// <summary>The registers with which the call returns <paramref name="result"/>.</summary>
    internal static UserRegs Returned(UserRegs registers, long result)
    {
        registers.Rax = unchecked((ulong)result);
        registers.OrigRax = NotInSyscall;
        return registers;
    }

    /// <summary>Address of the signal mask that holds only for the duration of the call, or 0.</summary>
    internal static ulong SignalMaskAddress(in UserRegs registers, int tid)
    {
        const ulong ExtendedArgument = 8; // IORING_ENTER_EXT_ARG: the mask's address is the first word of a struct
        ulong pointer = registers.OrigRax switch
        {
            SyscallNumber.EpollPwait or SyscallNumber.EpollPwait2 or SyscallNumber.IoUringEnter => registers.R8,
            SyscallNumber.IoPgetevents => registers.R9, // struct __aio_sigset, which begins with the address
            _ => 0,
        };
        bool isIndirect = registers.OrigRax == SyscallNumber.IoPgetevents
            || (registers.OrigRax == SyscallNumber.IoUringEnter && (registers.R10 & ExtendedArgument) != 0);
        return pointer == 0 || !isIndirect ? pointer
            : Memory.ProcessMemory.TryRead(tid, pointer, out ulong address) ? address
            : 0;
    }
}
