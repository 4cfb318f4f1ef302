namespace Corelift.Linux.Ptrace;

/// <summary>Requests of ptrace(2); values from linux/ptrace.h and asm/ptrace-abi.h.</summary>
internal enum PtraceRequest
{
    Cont = 7,                               // PTRACE_CONT
    Kill = 8,                               // PTRACE_KILL
    Detach = 17,                            // PTRACE_DETACH
    Syscall = 24,                           // PTRACE_SYSCALL
    SetOptions = 0x4200,                    // PTRACE_SETOPTIONS
    GetEventMessage = 0x4201,               // PTRACE_GETEVENTMSG
    GetSigInfo = 0x4202,                    // PTRACE_GETSIGINFO
    GetRegSet = 0x4204,                     // PTRACE_GETREGSET
    SetRegSet = 0x4205,                     // PTRACE_SETREGSET
    Seize = 0x4206,                         // PTRACE_SEIZE
    Interrupt = 0x4207,                     // PTRACE_INTERRUPT
    Listen = 0x4208,                        // PTRACE_LISTEN
    PeekSigInfo = 0x4209,                   // PTRACE_PEEKSIGINFO
    GetSigMask = 0x420a,                    // PTRACE_GETSIGMASK
    SetSigMask = 0x420b,                    // PTRACE_SETSIGMASK
    GetRseqConfiguration = 0x420f,          // PTRACE_GET_RSEQ_CONFIGURATION
    GetSyscallUserDispatch = 0x4211,        // PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG
}

/// <summary>Options of PTRACE_SEIZE and PTRACE_SETOPTIONS (ptrace(2)).</summary>
[Flags]
internal enum PtraceOptions
{
    None = 0,
    TraceSysGood = 0x01,                    // PTRACE_O_TRACESYSGOOD
    TraceFork = 0x02,                       // PTRACE_O_TRACEFORK
    TraceVfork = 0x04,                      // PTRACE_O_TRACEVFORK
    TraceClone = 0x08,                      // PTRACE_O_TRACECLONE
    TraceExec = 0x10,                       // PTRACE_O_TRACEEXEC

    /// <summary>Only ever set on a fork image of ours: on a target it would turn our crash into its death.</summary>
    ExitKill = 0x100000,                    // PTRACE_O_EXITKILL
}
