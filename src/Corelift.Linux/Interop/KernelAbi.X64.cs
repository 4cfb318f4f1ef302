using System.Runtime.InteropServices;

namespace Corelift.Linux.Interop;

/// <summary>System call numbers of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl).</summary>
internal static class SyscallNumber
{
    internal const int Read = 0;            // read
    internal const int Write = 1;           // write
    internal const int Close = 3;           // close
    internal const int RtSigreturn = 15;    // rt_sigreturn
    internal const int Readv = 19;          // readv
    internal const int Writev = 20;         // writev
    internal const int Select = 23;         // select
    internal const int Madvise = 28;        // madvise
    internal const int Getpid = 39;         // getpid
    internal const int Sendfile = 40;       // sendfile
    internal const int Connect = 42;        // connect
    internal const int Accept = 43;         // accept
    internal const int Sendto = 44;         // sendto
    internal const int Recvfrom = 45;       // recvfrom
    internal const int Sendmsg = 46;        // sendmsg
    internal const int Recvmsg = 47;        // recvmsg
    internal const int Clone = 56;          // clone
    internal const int Wait4 = 61;          // wait4
    internal const int RtSigtimedwait = 128;// rt_sigtimedwait
    internal const int Getpriority = 140;   // getpriority
    internal const int Prctl = 157;         // prctl
    internal const int Gettid = 186;        // gettid
    internal const int Futex = 202;         // futex
    internal const int SchedSetaffinity = 203; // sched_setaffinity
    internal const int SchedGetaffinity = 204; // sched_getaffinity
    internal const int IoGetevents = 208;   // io_getevents
    internal const int Semtimedop = 220;    // semtimedop
    internal const int ExitGroup = 231;     // exit_group
    internal const int EpollWait = 232;     // epoll_wait
    internal const int Tgkill = 234;        // tgkill
    internal const int IoprioSet = 251;     // ioprio_set
    internal const int OpenAt = 257;        // openat
    internal const int Pselect6 = 270;      // pselect6
    internal const int Ppoll = 271;         // ppoll
    internal const int MovePages = 279;     // move_pages
    internal const int EpollPwait = 281;    // epoll_pwait
    internal const int Accept4 = 288;       // accept4
    internal const int Recvmmsg = 299;      // recvmmsg
    internal const int Sendmmsg = 307;      // sendmmsg
    internal const int Kcmp = 312;          // kcmp
    internal const int SchedSetattr = 314;  // sched_setattr
    internal const int SchedGetattr = 315;  // sched_getattr
    internal const int Userfaultfd = 323;   // userfaultfd
    internal const int IoPgetevents = 333;  // io_pgetevents
    internal const int IoUringEnter = 426;  // io_uring_enter
    internal const int PidfdOpen = 434;     // pidfd_open
    internal const int CloseRange = 436;    // close_range
    internal const int PidfdGetfd = 438;    // pidfd_getfd
    internal const int EpollPwait2 = 441;   // epoll_pwait2
}

/// <summary>General registers as PTRACE_GETREGSET(NT_PRSTATUS) gives them: struct user_regs_struct, 216 bytes (sys/user.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UserRegs
{
    internal ulong R15, R14, R13, R12, Rbp, Rbx, R11, R10, R9, R8, Rax, Rcx, Rdx, Rsi, Rdi, OrigRax, Rip, Cs, Eflags, Rsp, Ss;
    internal ulong FsBase, GsBase, Ds, Es, Fs, Gs;
}

/// <summary>struct iovec (readv(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct IoVec
{
    internal void* Base;
    internal nuint Length;
}

/// <summary>struct sigaction of the C library (sigaction(2)); not the kernel's, whose mask is shorter.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SignalAction
{
    internal nint Handler;
    internal fixed ulong Mask[16];
    internal int Flags;
    internal nint Restorer;
}

/// <summary>struct timespec (clock_gettime(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TimeSpec
{
    internal long Seconds;
    internal long Nanoseconds;

    internal readonly long TotalNanoseconds =>
        Seconds is < 0 or > 9_000_000_000 || Nanoseconds is < 0 or >= 1_000_000_000
            ? long.MaxValue
            : (Seconds * 1_000_000_000) + Nanoseconds;

    internal static TimeSpec From(long nanoseconds) =>
        new() { Seconds = nanoseconds / 1_000_000_000, Nanoseconds = nanoseconds % 1_000_000_000 };
}

/// <summary>struct timeval (setsockopt(2), SO_RCVTIMEO).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TimeValue
{
    internal long Seconds;
    internal long Microseconds;

    internal readonly long Nanoseconds =>
        Seconds is < 0 or > 9_000_000_000 || Microseconds is < 0 or >= 1_000_000
            ? long.MaxValue
            : (Seconds * 1_000_000_000) + (Microseconds * 1000);

    internal static TimeValue From(long nanoseconds) => new()
    {
        Seconds = nanoseconds / 1_000_000_000,
        Microseconds = (nanoseconds % 1_000_000_000 / 1000) + (nanoseconds % 1000 > 0 ? 1 : 0),
    };
}

/// <summary>struct pollfd (poll(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PollFd
{
    internal int Descriptor;
    internal short Events;
    internal short Returned;
}

/// <summary>struct msghdr (recvmsg(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MsgHdr
{
    internal void* Name;
    internal uint NameLength;
    internal IoVec* Vectors;
    internal nuint VectorCount;
    internal void* Control;
    internal nuint ControlLength;
    internal int Flags;
}

/// <summary>struct cmsghdr (cmsg(3)); the data follows at once, as its size is a multiple of 8.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CmsgHdr
{
    internal nuint Length;
    internal int Level;
    internal int Type;
}

/// <summary>struct pm_scan_arg of PAGEMAP_SCAN (linux/fs.h, Linux 6.7).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PmScanArg
{
    internal ulong Size, Flags, Start, End, WalkEnd, Vector, VectorLength, MaxPages;
    internal ulong CategoryInverted, CategoryMask, CategoryAnyOfMask, ReturnMask;
}

/// <summary>struct page_region of PAGEMAP_SCAN (linux/fs.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PageRegion
{
    internal ulong Start, End, Categories;
}

/// <summary>struct ptrace_rseq_configuration (linux/ptrace.h, Linux 5.13).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PtraceRseqConfiguration
{
    internal ulong RseqAbiPointer;
    internal uint RseqAbiSize, Signature, Flags, Pad;
}

/// <summary>struct ptrace_sud_config (linux/ptrace.h, Linux 6.4).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PtraceSyscallUserDispatch
{
    internal ulong Mode, Selector, Offset, Length;
}

/// <summary>struct ptrace_peeksiginfo_args (linux/ptrace.h, Linux 3.10).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PtracePeekSigInfo
{
    internal ulong Offset;
    internal uint Flags;
    internal int Count;
}

/// <summary>struct sched_attr of sched_setattr(2), in its first version (SCHED_ATTR_SIZE_VER0, 48 bytes): without utilisation clamps.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SchedAttributes
{
    internal const uint FirstSizeBytes = 48;        // SCHED_ATTR_SIZE_VER0
    internal const ulong ResetOnForkFlag = 1;       // SCHED_FLAG_RESET_ON_FORK

    internal uint SizeBytes;
    internal uint Policy;
    internal ulong Flags;
    internal int Nice;
    internal uint Priority;

    /// <summary>SCHED_DEADLINE: runtime; of fair policies the time slice (Linux 6.12), in nanoseconds.</summary>
    internal ulong Runtime;
    internal ulong Deadline;
    internal ulong Period;
}
