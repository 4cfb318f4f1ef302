using Corelift.Linux.Procfs;
using TaskStatus = Corelift.Linux.Procfs.TaskStatus;

namespace Corelift.Linux.Processes;

/// <summary>A set of capabilities (capabilities(7)); bit n stands for capability n.</summary>
/// <param name="Bits">The set as CapEff of /proc/PID/status prints it.</param>
public readonly record struct CapabilitySet(ulong Bits)
{
    private const string Names =
        "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
        + "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
        + "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
        + "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE";

    /// <summary>Trace any process, and read its memory.</summary>
    public static CapabilitySet SysPtrace { get; } = new(1UL << 19); // CAP_SYS_PTRACE

    /// <summary>Set priorities and CPUs of any process.</summary>
    public static CapabilitySet SysNice { get; } = new(1UL << 23); // CAP_SYS_NICE

    /// <summary>Read any file: optional here, for targets under a seccomp filter.</summary>
    public static CapabilitySet DacReadSearch { get; } = new(1UL << 2); // CAP_DAC_READ_SEARCH

    /// <summary>Whether it is empty.</summary>
    public bool IsEmpty => Bits == 0;

    /// <summary>Both sets together.</summary>
    public static CapabilitySet operator |(CapabilitySet left, CapabilitySet right) => new(left.Bits | right.Bits);

    /// <inheritdoc cref="op_BitwiseOr(CapabilitySet, CapabilitySet)"/>
    public static CapabilitySet BitwiseOr(CapabilitySet left, CapabilitySet right) => left | right;

    /// <summary>The effective capabilities of this process.</summary>
    public static CapabilitySet OfThisProcess()
    {
        using ProcessDirectory self = ProcessDirectory.OpenSelf();
        TaskStatus status = self.ReadStatus();
        return new CapabilitySet(status.EffectiveCapabilities);
    }

    /// <summary>What is in this set and not in <paramref name="other"/>.</summary>
    public CapabilitySet Except(CapabilitySet other) => new(Bits & ~other.Bits);

    /// <summary>Names with CAP_ before them, separated by blanks; numbers for those without a name here.</summary>
    public override string ToString()
    {
        string[] names = Names.Split(' ');
        var text = new List<string>();
        for (int i = 0; i < 64; i++)
        {
            if ((Bits & (1UL << i)) != 0)
            {
                text.Add(i < names.Length ? "CAP_" + names[i] : $"capability {i}");
            }
        }

        return string.Join(' ', text);
    }
}
