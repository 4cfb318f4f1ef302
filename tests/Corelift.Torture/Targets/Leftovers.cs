namespace Corelift.Torture.Targets;

/// <summary>What of ours can be left at a target, whatever the target does by itself.</summary>
internal static class Leftovers
{
    private const int StateField = 0;
    private const int ParentField = 1;
    private const int ExitSignalField = 35; // field 38 of proc(5)
    private const int PolicyField = 38;     // field 41
    private const string IdlePolicy = "5";  // SCHED_IDLE

    /// <summary>Empty where there is nothing; otherwise what.</summary>
    /// <param name="pid">The target.</param>
    /// <param name="hasOwnIdlePolicies">Whether it gives threads the lowest priority itself.</param>
    internal static string Describe(int pid, bool hasOwnIdlePolicies)
    {
        List<string> left = [];
        foreach (int tid in Proc.Tasks(pid))
        {
            string[] stat = Proc.Stat($"/proc/{pid}/task/{tid}/stat");
            if (stat.Length <= PolicyField)
            {
                continue; // it has ended
            }

            if (stat[StateField] == "t")
            {
                left.Add($"thread {tid} stopped by a tracer");
            }

            if (Proc.Status(pid, "TracerPid", tid) is { } tracer and not "0")
            {
                left.Add($"thread {tid} traced by {tracer}");
            }

            if (stat[PolicyField] == IdlePolicy && !hasOwnIdlePolicies)
            {
                left.Add($"thread {tid} at lowest priority");
            }
        }

        string parent = $"{pid}";
        foreach (int child in Proc.OwnChildren(pid))
        {
            string[] stat = Proc.Stat($"/proc/{child}/stat");
            if (stat.Length > ExitSignalField && stat[ParentField] == parent && stat[ExitSignalField] == "0")
            {
                left.Add($"image {child} in state {stat[StateField]}");
            }
        }

        if (Proc.TracksWrites(pid))
        {
            left.Add("mappings whose writes are tracked");
        }

        return string.Join(", ", left);
    }
}
