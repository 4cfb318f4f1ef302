namespace Corelift.Linux.Procfs;

/// <summary>Real, effective, saved and file system id.</summary>
/// <param name="Real">Real id.</param>
/// <param name="Effective">Effective id.</param>
/// <param name="Saved">Saved set-id.</param>
/// <param name="FileSystem">File system id.</param>
public readonly record struct Credentials(uint Real, uint Effective, uint Saved, uint FileSystem);

/// <summary>
/// /proc/PID/status or /proc/PID/task/TID/status (proc_pid_status(5)). Lines that this kernel does not write leave 0
/// behind; a zombie and a kernel thread have no memory lines.
/// </summary>
public sealed record TaskStatus
{
    /// <summary>Name (comm), the kernel's escapes undone; bytes that are not UTF-8 are U+FFFD.</summary>
    public string Name { get; internal set; } = string.Empty;

    /// <summary>State letter.</summary>
    public char State { get; internal set; }

    /// <summary>Thread-group id; differs from <see cref="Tid"/> for a task that is not the leader.</summary>
    public int Tgid { get; internal set; }

    /// <summary>Task id (the Pid line).</summary>
    public int Tid { get; internal set; }

    /// <summary>Parent's pid.</summary>
    public int ParentPid { get; internal set; }

    /// <summary>Pid of who traces it; 0 where nobody does. The tracing thread's group leader is not named: it is a tid.</summary>
    public int TracerPid { get; internal set; }

    /// <summary>User ids.</summary>
    public Credentials Uid { get; internal set; }

    /// <summary>Group ids.</summary>
    public Credentials Gid { get; internal set; }

    /// <summary>Supplementary groups.</summary>
    public IReadOnlyList<uint> Groups { get; internal set; } = [];

    /// <summary>Task id in each pid namespace from the reader's inward; the last is the target's own.</summary>
    public IReadOnlyList<int> NamespaceTids { get; internal set; } = [];

    /// <summary>Whether the kernel says it is a kernel thread (Kthread line, Linux 6.11).</summary>
    public bool IsKernelThread { get; internal set; }

    /// <summary>VmPeak: largest size of the address space so far.</summary>
    public ulong VirtualPeakBytes { get; internal set; }

    /// <summary>VmSize: size of the address space.</summary>
    public ulong VirtualBytes { get; internal set; }

    /// <summary>VmLck: locked.</summary>
    public ulong LockedBytes { get; internal set; }

    /// <summary>VmPin: pinned by drivers.</summary>
    public ulong PinnedBytes { get; internal set; }

    /// <summary>VmHWM: most that was resident so far.</summary>
    public ulong ResidentPeakBytes { get; internal set; }

    /// <summary>VmRSS: resident, the three below together.</summary>
    public ulong ResidentBytes { get; internal set; }

    /// <summary>RssAnon: resident anonymous memory.</summary>
    public ulong ResidentAnonymousBytes { get; internal set; }

    /// <summary>RssFile: resident file mappings.</summary>
    public ulong ResidentFileBytes { get; internal set; }

    /// <summary>RssShmem: resident shared memory.</summary>
    public ulong ResidentSharedBytes { get; internal set; }

    /// <summary>VmPTE: page tables.</summary>
    public ulong PageTableBytes { get; internal set; }

    /// <summary>VmSwap: swapped out, shared memory not among it.</summary>
    public ulong SwappedBytes { get; internal set; }

    /// <summary>HugetlbPages: pages of hugetlbfs.</summary>
    public ulong HugetlbBytes { get; internal set; }

    /// <summary>Whether a core of it is being written (CoreDumping).</summary>
    public bool IsDumpingCore { get; internal set; }

    /// <summary>Number of tasks.</summary>
    public int ThreadCount { get; internal set; }

    /// <summary>SigPnd: signals pending for this task, bit n-1 for signal n.</summary>
    public ulong PendingSignals { get; internal set; }

    /// <summary>ShdPnd: signals pending for the process.</summary>
    public ulong SharedPendingSignals { get; internal set; }

    /// <summary>SigBlk: blocked signals.</summary>
    public ulong BlockedSignals { get; internal set; }

    /// <summary>SigIgn: ignored signals.</summary>
    public ulong IgnoredSignals { get; internal set; }

    /// <summary>SigCgt: signals with a handler.</summary>
    public ulong CaughtSignals { get; internal set; }

    /// <summary>CapPrm: permitted capabilities, bit n for capability n.</summary>
    public ulong PermittedCapabilities { get; internal set; }

    /// <summary>CapEff: effective capabilities.</summary>
    public ulong EffectiveCapabilities { get; internal set; }

    /// <summary>NoNewPrivs.</summary>
    public bool NoNewPrivileges { get; internal set; }

    /// <summary>Seccomp mode: 0 none, 1 strict, 2 filter; -1 where the kernel does not say.</summary>
    public int SeccompMode { get; internal set; } = -1;

    /// <summary>Number of seccomp filters.</summary>
    public uint SeccompFilterCount { get; internal set; }

    /// <summary>x86_Thread_features as text, such as "shstk wrss"; empty where there are none.</summary>
    public string ThreadFeatures { get; internal set; } = string.Empty;

    /// <summary>
    /// Whether the kernel was releasing the task when it wrote the text: it has taken it out of its thread group
    /// (fs/proc/array.c, task_state, prints what task_tgid_nr_ns says of an unhashed task, 0).
    /// </summary>
    public bool IsReleased => Tgid == 0;

    /// <summary>Whether the task leads its thread group, so that its id is a pid.</summary>
    public bool IsLeader => Tgid == Tid;

    /// <summary>Parses the file.</summary>
    /// <exception cref="ProcfsFormatException">Not the kernel's format, cut off, or above a limit.</exception>
    public static TaskStatus Parse(ReadOnlySpan<byte> text, ProcfsLimits limits)
    {
        ArgumentNullException.ThrowIfNull(limits);
        return TaskStatusParser.Parse(text, limits);
    }
}
