using System.Globalization;
using Corelift.Client;
using Corelift.V1;

namespace Corelift.Cli;

/// <summary>Finds the process that a command means: by pid, or by a name that only one process has.</summary>
internal static class TargetFinder
{
    private const int MostShown = 10;

    internal static async Task<ProcessRef> FindAsync(CoreliftClient client, string text, CancellationToken cancellation)
    {
        if (uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint pid))
        {
            return new ProcessRef { Pid = pid };
        }

        if (text.Length == 0 || text.StartsWith('-'))
        {
            throw new UsageException($"'{text}' is neither a pid nor a name");
        }

        var found = new List<ProcessSummary>();
        await foreach (ProcessSummary process in client.ListProcessesAsync(new ListProcessesRequest { Name = text }, cancellation))
        {
            found.Add(process);
        }

        return found.Count switch
        {
            1 => found[0].Ref,
            0 => throw new AgentException(Grpc.Core.StatusCode.NotFound, "NO_SUCH_PROCESS", $"no process is called '{text}': see 'corelift ps'"),
            _ => throw new UsageException(Ambiguous(text, found)),
        };
    }

    private static string Ambiguous(string text, List<ProcessSummary> found)
    {
        IEnumerable<string> candidates = found.Take(MostShown)
            .Select(p => $"{p.Ref.Pid} ({TerminalText.Escape(string.Join(' ', p.CommandLine.DefaultIfEmpty(p.Name)))})");
        string more = found.Count > MostShown ? $" and {found.Count - MostShown} more" : string.Empty;
        return $"{found.Count} processes are called '{text}': {string.Join(", ", candidates)}{more}; name one by its pid";
    }
}
