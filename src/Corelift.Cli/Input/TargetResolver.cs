using System.Globalization;
using Corelift.Cli.Cluster;
using Corelift.Cli.Output;
using Corelift.Client;
using Corelift.V1;

namespace Corelift.Cli.Input;

/// <summary>Finds the process that a user means by a pid, a name or a pod.</summary>
internal static class TargetResolver
{
    private const int MostCandidates = 10;
    private const uint LargestPid = 4_194_304; // PID_MAX_LIMIT

    /// <summary>A pid as it was given; a name is looked up, and stands for the incarnation that was found.</summary>
    /// <exception cref="UsageException">No process, or several, have the name; or the pid cannot be one.</exception>
    internal static async Task<ProcessRef> ResolveAsync(CliSession session, string text, CancellationToken cancellation)
    {
        if (PodTarget.IsOne(text))
        {
            return await PodResolver.ResolveAsync(session, ParsePod(text), cancellation);
        }

        if (text.Length > 0 && text.All(char.IsAsciiDigit))
        {
            return uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint pid) && pid is > 0 and <= LargestPid
                ? new ProcessRef { Pid = pid }
                : throw new UsageException($"{text} is no process id: they go from 1 to {LargestPid}");
        }

        if (text.Length == 0 || text.StartsWith('-'))
        {
            throw new UsageException($"'{text}' is neither a process id nor a name");
        }

        CoreliftClient client = await session.ClientAsync(cancellation);
        List<ProcessSummary> found = [];
        await foreach (ProcessSummary process in client.ListProcessesAsync(new ListProcessesRequest { Name = text }, cancellation))
        {
            found.Add(process);
            if (found.Count > MostCandidates)
            {
                break;
            }
        }

        return found switch
        {
            [] => throw new UsageException($"no process is named '{text}'; 'corelift ps' lists them", ExitCode.TargetGone),
            [{ Ref: { } only }] => only,
            _ => throw Ambiguous(session, text, found),
        };
    }

    private static PodTarget ParsePod(string text)
    {
        try
        {
            return PodTarget.Parse(text);
        }
        catch (FormatException problem)
        {
            throw new UsageException(problem.Message);
        }
    }

    private static UsageException Ambiguous(CliSession session, string text, List<ProcessSummary> found)
    {
        string more = found.Count > MostCandidates ? "more than " : "";
        session.PrintError($"corelift: {more}{Math.Min(found.Count, MostCandidates)} processes are named '{text}':");
        foreach (ProcessSummary process in found.Take(MostCandidates))
        {
            session.PrintError($"  {process.Ref?.Pid,7}  {Units.Shorten(string.Join(' ', process.CommandLine), 80)}");
        }

        return new UsageException("say which one by its process id");
    }
}
