using Corelift.Cli.Output;
using Corelift.V1;

namespace Corelift.Cli.Cluster;

/// <summary>Chooses the process that is meant, of those of a container.</summary>
internal static class ProcessChoice
{
    private const int MostCandidates = 10;

    // What containers are started with that is not what runs in them.
    private static readonly string[] s_wrappers =
        ["tini", "tini-static", "dumb-init", "catatonit", "docker-init", "s6-svscan", "runsvdir", "sh", "bash", "dash", "ash"];

    /// <summary>
    /// The main process: the one that was started first, or the only other one where that is an init or a shell. Others are told of.
    /// </summary>
    /// <exception cref="UsageException">There is none, or several could be meant.</exception>
    internal static ProcessRef Choose(CliSession session, PodTarget target, List<ProcessSummary> found)
    {
        ProcessSummary[] alive = [.. found.Where(process => process is { State: not "Z", Ref: not null }).OrderBy(process => process.Ref.StartTimeTicks).ThenBy(process => process.Ref.Pid)];
        string[] containers = ContainerChoice.WithoutAgent(alive.Select(process => process.Pod?.Container ?? "").Distinct());
        if (containers.Length > 1 && target.Container is null)
        {
            throw new UsageException($"pod {target.Name} has several containers: say which, pod/{target.Name}/CONTAINER ({string.Join(", ", containers)})");
        }

        alive = target.Container is null ? [.. alive.Where(process => containers.Contains(process.Pod?.Container ?? ""))] : alive;
        return alive switch
        {
            [] => throw Nobody(target),
            [{ } only] => only.Ref,
            [{ } first, { } second] when target.Process is null && IsWrapper(first) => Tell(session, second, alive.Length),
            [{ } first, ..] when target.Process is null && !IsWrapper(first) => Tell(session, first, alive.Length),
            _ => throw Ambiguous(session, target, alive),
        };
    }

    private static bool IsWrapper(ProcessSummary process) => s_wrappers.Contains(process.Name);

    private static ProcessRef Tell(CliSession session, ProcessSummary chosen, int count)
    {
        session.PrintError($"corelift: took {chosen.Name} (pid {chosen.Ref.Pid}), of {count} processes of the container");
        return chosen.Ref;
    }

    private static UsageException Nobody(PodTarget target) => new(
        target.Process is { } process
            ? $"no process '{process}' is in that container of pod {target.Name}, or you may not inspect it"
            : $"the agent shows no process of {target}: it has ended just now, or you may not inspect it (verb inspect on processes.corelift.dev, or a rule of the agent's policy)",
        ExitCode.TargetGone);

    private static UsageException Ambiguous(CliSession session, PodTarget target, ProcessSummary[] alive)
    {
        session.PrintError($"corelift: {alive.Length} processes of {target} could be meant:");
        foreach (ProcessSummary process in alive.Take(MostCandidates))
        {
            session.PrintError($"  {process.Ref.Pid,7}  {Units.Shorten(string.Join(' ', process.CommandLine), 80)}");
        }

        return new UsageException($"say which: pod/{target.Name}/{target.Container ?? alive[0].Pod?.Container ?? "CONTAINER"}/PID");
    }
}
