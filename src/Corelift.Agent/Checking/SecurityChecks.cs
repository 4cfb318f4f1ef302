using Corelift.Agent.Hosting;
using Corelift.Linux.Processes;

namespace Corelift.Agent.Checking;

/// <summary>Whether this process may trace others. Each takes what was read, so that tests can say what a host looks like.</summary>
internal static class SecurityChecks
{
    internal static CheckLine Capabilities(CapabilitySet held)
    {
        CapabilitySet missing = StartChecks.Needed.Except(held);
        return missing.IsEmpty
            ? CheckLine.Ok("capabilities", StartChecks.Needed.ToString())
            : CheckLine.Failed(
                "capabilities", $"without {missing}",
                "give it CAP_SYS_PTRACE and CAP_SYS_NICE: AmbientCapabilities= of systemd, setcap cap_sys_ptrace,cap_sys_nice+ep, setpriv --ambient-caps, "
                + "or in Kubernetes runAsUser: 0 with capabilities {drop: [ALL], add: [SYS_PTRACE, SYS_NICE]}; 'corelift-agent serve' prints each in full");
    }

    internal static CheckLine ExtraCapabilities(CapabilitySet held)
    {
        CapabilitySet extra = StartChecks.FindExtra(held);
        return extra.IsEmpty
            ? CheckLine.Ok("other capabilities", "none")
            : CheckLine.Limited("other capabilities", extra.ToString(), "take them away: the agent has no use for them, and whoever takes it over has");
    }

    internal static CheckLine Yama(int? scope) => scope switch
    {
        null => CheckLine.Ok("Yama", "not in this kernel"),
        3 => CheckLine.Failed("Yama", "kernel.yama.ptrace_scope is 3: nobody may trace", "start the host with another value of kernel.yama.ptrace_scope: 3 can only be left by a restart"),
        _ => CheckLine.Ok("Yama", $"kernel.yama.ptrace_scope is {scope}, which CAP_SYS_PTRACE passes"),
    };

    internal static CheckLine Modules(string? list) => CheckLine.Ok("security modules", list ?? "not known: /sys/kernel/security is not mounted here");

    internal static CheckLine AppArmor(string? enabled, string? label) => enabled != "Y"
        ? CheckLine.Ok("AppArmor", "not active")
        : label is null || label.StartsWith("unconfined", StringComparison.Ordinal)
            ? CheckLine.Ok("AppArmor", "active, and does not confine the agent")
            : CheckLine.Limited("AppArmor", $"confines the agent: {label}", "see that its profile has 'ptrace (trace, read),' and 'signal,' for all peers, or run it unconfined");

    internal static CheckLine SeLinux(string? enforce, string? label) => enforce switch
    {
        null => CheckLine.Ok("SELinux", "not active"),
        "0" => CheckLine.Ok("SELinux", "permissive"),
        _ when label is not null && (label.Contains(":unconfined_t:", StringComparison.Ordinal) || label.Contains(":spc_t:", StringComparison.Ordinal)) =>
            CheckLine.Ok("SELinux", $"enforcing, and does not confine the agent ({label})"),
        _ => CheckLine.Limited("SELinux", $"enforcing, the agent is {label ?? "of a domain that is not known"}", "allow its domain 'process ptrace' of the targets' domains; in a container: seLinuxOptions {type: spc_t}"),
    };

    /// <summary>The state in brackets is the one that holds. None of them forbids what the agent does.</summary>
    internal static CheckLine Lockdown(string? states)
    {
        int open = states?.IndexOf('[', StringComparison.Ordinal) ?? -1;
        return CheckLine.Ok("lockdown", open < 0 ? "not in this kernel" : states![(open + 1)..].Split(']')[0]);
    }

    internal static CheckLine Seccomp(int mode, uint filters) => mode switch
    {
        0 => CheckLine.Ok("seccomp", "no filter over the agent"),
        2 => CheckLine.Ok("seccomp", $"{filters} filters over the agent; what they forbid shows among the kernel features and the trials"),
        _ => CheckLine.Ok("seccomp", "not known"),
    };

    /// <summary>Of every /proc that is mounted here, the options that hide things.</summary>
    internal static CheckLine ProcMount(string? mountInfo)
    {
        string[] mounts = [.. (mountInfo ?? string.Empty).Split('\n').Where(line => line.Split(' ') is { Length: > 5 } parts && parts[4] == "/proc")];
        string options = mounts.Length == 0 ? string.Empty : mounts[^1].Split(' ')[^1];
        return mounts.Length == 0
            ? CheckLine.Failed("/proc", "not mounted", "mount procfs on /proc")
            : options.Contains("subset=pid", StringComparison.Ordinal)
                ? CheckLine.Limited("/proc", "mounted with subset=pid: memory and features of the host are not seen", "mount it without subset=pid")
                : CheckLine.Ok("/proc", options.Contains("hidepid=", StringComparison.Ordinal) ? $"{options}, which CAP_SYS_PTRACE passes" : "hides nothing");
    }

    /// <param name="inode">Of this process's user namespace; the first one's has a fixed number (PROC_USER_INIT_INO).</param>
    internal static CheckLine UserNamespace(uint inode) => inode switch
    {
        0 => CheckLine.Ok("user namespace", "not known"),
        0xEFFFFFFD => CheckLine.Ok("user namespace", "the host's"),
        _ => CheckLine.Limited("user namespace", "one of its own: capabilities hold for processes of it alone", "run the agent in the host's user namespace to capture others (hostUsers: true)"),
    };

    /// <param name="inode">Of this process's pid namespace; the first one's has a fixed number (PROC_PID_INIT_INO).</param>
    internal static CheckLine PidNamespace(uint inode) => inode switch
    {
        0 => CheckLine.Ok("pid namespace", "not known"),
        0xEFFFFFFC => CheckLine.Ok("pid namespace", "the host's: all of its processes are seen"),
        _ => CheckLine.Limited("pid namespace", "one of its own: only its processes are seen", "as a sidecar that is meant so (shareProcessNamespace: true); for all processes of the host, hostPID: true"),
    };
}
