using Corelift.Linux.Interop;

namespace Corelift.Linux.Ptrace;

/// <summary>Where a call keeps its timeout.</summary>
internal enum TimeoutPlace
{
    /// <summary>It has none, or an absolute one, or one that is not known here.</summary>
    None,

    /// <summary>Milliseconds in a register; negative for ever.</summary>
    Milliseconds,

    /// <summary>A register with the address of a struct timespec, or 0 for ever.</summary>
    TimeSpec,

    /// <summary>A register with the address of a struct io_uring_getevents_arg.</summary>
    RingArgument,

    /// <summary>SO_RCVTIMEO of the socket.</summary>
    Receive,

    /// <summary>SO_SNDTIMEO of the socket.</summary>
    Send,
}

/// <summary>A register that passes an argument.</summary>
internal enum ArgumentRegister
{
    Rdx = 2,
    R8 = 8,
    R10 = 10,
}

/// <summary>
/// The calls of signal(7) that a stop breaks and that have a timeout: what it is, and what they return when it has passed.
/// </summary>
/// <param name="Place">Where the timeout is.</param>
/// <param name="Register">For a timeout that is reached through a register: which.</param>
/// <param name="WhenPassed">Result of the call once its time is up: 0 or a negative errno.</param>
internal readonly record struct TimedCall(TimeoutPlace Place, ArgumentRegister Register = 0, long WhenPassed = 0)
{
    private const long TryAgain = -(long)Errno.TryAgain;
    private const long InProgress = -115;               // EINPROGRESS
    private const long TimerPassed = -62;               // ETIME
    private const ulong ExtendedArgument = 1 << 3;      // IORING_ENTER_EXT_ARG
    private const ulong AbsoluteTimer = 1 << 5;         // IORING_ENTER_ABS_TIMER
    private const ulong RegisteredArgument = 1 << 6;    // IORING_ENTER_EXT_ARG_REG: in memory shared with the kernel

    /// <summary>What is known of the call that the task was stopped in.</summary>
    internal static TimedCall Of(in UserRegs registers) => registers.OrigRax switch
    {
        SyscallNumber.EpollWait or SyscallNumber.EpollPwait => new(TimeoutPlace.Milliseconds, ArgumentRegister.R10),
        SyscallNumber.EpollPwait2 => new(TimeoutPlace.TimeSpec, ArgumentRegister.R10),
        SyscallNumber.Semtimedop => new(TimeoutPlace.TimeSpec, ArgumentRegister.R10, TryAgain),
        SyscallNumber.RtSigtimedwait => new(TimeoutPlace.TimeSpec, ArgumentRegister.Rdx, TryAgain),
        SyscallNumber.IoGetevents or SyscallNumber.IoPgetevents => new(TimeoutPlace.TimeSpec, ArgumentRegister.R8),
        SyscallNumber.IoUringEnter when (registers.R10 & (ExtendedArgument | AbsoluteTimer | RegisteredArgument)) == ExtendedArgument
            => new(TimeoutPlace.RingArgument, ArgumentRegister.R8, TimerPassed),
        SyscallNumber.Connect => new(TimeoutPlace.Send, WhenPassed: InProgress),
        SyscallNumber.Read or SyscallNumber.Readv or SyscallNumber.Recvfrom or SyscallNumber.Recvmsg or SyscallNumber.Recvmmsg
            or SyscallNumber.Accept or SyscallNumber.Accept4 => new(TimeoutPlace.Receive, WhenPassed: TryAgain),
        SyscallNumber.Write or SyscallNumber.Writev or SyscallNumber.Sendto or SyscallNumber.Sendmsg or SyscallNumber.Sendmmsg
            or SyscallNumber.Sendfile => new(TimeoutPlace.Send, WhenPassed: TryAgain),
        _ => default,
    };

    internal static ulong Get(in UserRegs registers, ArgumentRegister register) => register switch
    {
        ArgumentRegister.Rdx => registers.Rdx,
        ArgumentRegister.R8 => registers.R8,
        _ => registers.R10,
    };

    internal static UserRegs With(UserRegs registers, ArgumentRegister register, ulong value)
    {
        switch (register)
        {
            case ArgumentRegister.Rdx:
                registers.Rdx = value;
                break;
            case ArgumentRegister.R8:
                registers.R8 = value;
                break;
            default:
                registers.R10 = value;
                break;
        }

        return registers;
    }
}
