namespace Corelift.Torture;

/// <summary>What is done to a session of the agent.</summary>
internal enum Fault
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>SIGKILL for the worker when its system call of a number has returned.</summary>
    WorkerSyscall,

    /// <summary>The same in the middle of a session, and for the worker that has the target reap the image.</summary>
    ReaperSyscall,

    /// <summary>SIGKILL for the worker at some time.</summary>
    WorkerKill,

    /// <summary>SIGKILL for the supervisor alone.</summary>
    SupervisorKill,

    /// <summary>SIGKILL for the front end alone.</summary>
    FrontEndKill,

    /// <summary>SIGKILL for front end and supervisor.</summary>
    AgentKill,

    /// <summary>SIGKILL for front end, supervisor and worker.</summary>
    AllKill,

    /// <summary>SIGSTOP for the worker, beyond its budget.</summary>
    WorkerStop,

    /// <summary>SIGSTOP for the front end, beyond the budget.</summary>
    FrontEndStop,

    /// <summary>SIGSTOP for the supervisor, beyond the budget.</summary>
    SupervisorStop,

    /// <summary>The client cancels its call.</summary>
    Cancel,

    /// <summary>The client's connection breaks.</summary>
    Disconnect,

    /// <summary>The client reads nothing for a while.</summary>
    SlowReader,

    /// <summary>SIGKILL for the target.</summary>
    TargetKill,
}

/// <summary>Names and weights of the faults.</summary>
internal static class Faults
{
    // The weight says how often it is drawn; the expensive ones less.
    private static readonly (Fault Fault, string Name, int Weight)[] s_table =
    [
        (Fault.None, "none", 4),
        (Fault.WorkerSyscall, "worker-syscall", 30),
        (Fault.ReaperSyscall, "reaper-syscall", 6),
        (Fault.WorkerKill, "worker-kill", 30),
        (Fault.SupervisorKill, "supervisor-kill", 4),
        (Fault.FrontEndKill, "front-end-kill", 4),
        (Fault.AgentKill, "agent-kill", 4),
        (Fault.AllKill, "all-kill", 4),
        (Fault.WorkerStop, "worker-stop", 1),
        (Fault.FrontEndStop, "front-end-stop", 1),
        (Fault.SupervisorStop, "supervisor-stop", 1),
        (Fault.Cancel, "cancel", 6),
        (Fault.Disconnect, "disconnect", 4),
        (Fault.SlowReader, "slow-reader", 1),
        (Fault.TargetKill, "target-kill", 3),
    ];

    /// <summary>All of them.</summary>
    internal static IEnumerable<Fault> All => s_table.Select(row => row.Fault);

    /// <summary>Its name on the command line.</summary>
    internal static string Name(this Fault fault) => s_table[(int)fault].Name;

    /// <summary>How often it is drawn, beside the others.</summary>
    internal static int Weight(this Fault fault) => s_table[(int)fault].Weight;

    /// <summary>Whether its moment is the number of a system call; otherwise it is a time in microseconds.</summary>
    internal static bool CountsSyscalls(this Fault fault) => fault is Fault.WorkerSyscall or Fault.ReaperSyscall;

    /// <summary>Whether nobody is left afterwards to answer, or to clean up before the next start.</summary>
    internal static bool EndsTheAgent(this Fault fault) => fault is Fault.SupervisorKill or Fault.FrontEndKill or Fault.AgentKill or Fault.AllKill;

    /// <summary>Whether the target's threads have to run 100 ms after it.</summary>
    internal static bool IsAKill(this Fault fault) => fault.EndsTheAgent() || fault is Fault.WorkerKill;
}
