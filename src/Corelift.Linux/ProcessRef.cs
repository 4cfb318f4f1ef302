namespace Corelift.Linux;

/// <summary>One incarnation of a process. A pid alone can be reused; the pair cannot.</summary>
/// <param name="Pid">Thread-group id in the agent's pid namespace.</param>
/// <param name="StartTimeTicks">Start in clock ticks since boot: field 22 of /proc/PID/stat.</param>
public readonly record struct ProcessRef(int Pid, ulong StartTimeTicks);
