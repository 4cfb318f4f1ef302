using System.Runtime.InteropServices;
using Corelift.Linux.Processes;

namespace Corelift.Agent.Hosting;

/// <summary>Looks whether this process can do an agent's work, before it says that it does.</summary>
internal static class StartChecks
{
    private const string Remedy = """
        Give it both, and no other:
          systemd     AmbientCapabilities=CAP_SYS_PTRACE CAP_SYS_NICE
                      CapabilityBoundingSet=CAP_SYS_PTRACE CAP_SYS_NICE
          file        setcap cap_sys_ptrace,cap_sys_nice+ep /path/to/corelift-agent
          by hand     setpriv --reuid USER --regid GROUP --init-groups --inh-caps -all,+sys_ptrace,+sys_nice \
                        --ambient-caps -all,+sys_ptrace,+sys_nice --bounding-set -all,+sys_ptrace,+sys_nice corelift-agent
          Kubernetes  securityContext: {runAsUser: 0, allowPrivilegeEscalation: false,
                        capabilities: {drop: [ALL], add: [SYS_PTRACE, SYS_NICE]}}, and hostPID: true
        """;

    /// <summary>What an agent needs.</summary>
    internal static CapabilitySet Needed { get; } = CapabilitySet.SysPtrace | CapabilitySet.SysNice;

    /// <summary>What an agent has no use for, of what it holds. CAP_DAC_READ_SEARCH may help it, so it is none of them.</summary>
    internal static CapabilitySet FindExtra(CapabilitySet held) => held.Except(Needed | CapabilitySet.DacReadSearch);

    /// <exception cref="StartRefusedException">A capability is missing, and the message says how to give it; or this is no x86-64.</exception>
    internal static void RequireCapabilities(CapabilitySet held)
    {
        RequireKnownArchitecture(RuntimeInformation.ProcessArchitecture);
        CapabilitySet missing = Needed.Except(held);
        if (!missing.IsEmpty)
        {
            throw new StartRefusedException($"cannot work without {missing}.\n{Remedy}");
        }
    }

    /// <summary>Numbers of system calls and forms of registers are those of one architecture: on another they would mean something else.</summary>
    /// <exception cref="StartRefusedException">The architecture is none of those.</exception>
    internal static void RequireKnownArchitecture(Architecture architecture)
    {
        if (architecture != Architecture.X64)
        {
            throw new StartRefusedException($"the agent knows x86-64 only so far, and this is {architecture}. The client, corelift, works here: let it call an agent on another host");
        }
    }
}
