using System.Globalization;

namespace Corelift.Benchmarks;

/// <summary>Bytes of the agent and its workers at one moment.</summary>
/// <param name="Own">Anonymous and file pages (RssAnon, RssFile): what a capture may not grow.</param>
/// <param name="Spool">
/// Copies that were made in a pause: the largest RssShmem of any of them, which all map the same, and a worker's private
/// mapping of 64 MiB or more with as much in it.
/// </param>
internal readonly record struct AgentMemory(long Own, long Spool)
{
    private const long LeastSpool = 64L << 20;

    internal static AgentMemory Of(int agentPid)
    {
        long own = 0, shared = 0, spools = 0;
        foreach (int pid in Workers(agentPid).Prepend(agentPid))
        {
            long before = pid == agentPid ? 0 : PrivateSpool(pid);
            long anonymous = Proc.StatusBytes(pid, "RssAnon");
            // It is made, or given back, meanwhile.
            long spool = before == 0 && anonymous < LeastSpool ? 0 : Math.Min(anonymous, Math.Max(before, PrivateSpool(pid)));
            own += anonymous - spool + Proc.StatusBytes(pid, "RssFile");
            spools += spool;
            shared = Math.Max(shared, Proc.StatusBytes(pid, "RssShmem"));
        }

        return new AgentMemory(own, shared + spools);
    }

    private static long PrivateSpool(int pid)
    {
        (long largest, long sum) = (0, 0);
        (string end, bool isAnonymous) = ("", false);
        foreach (string line in Text($"/proc/{pid}/smaps").Split('\n'))
        {
            if (line.Length > 0 && !char.IsUpper(line[0]))
            {
                string[] ends = line.Split(' ', 2)[0].Split('-');
                isAnonymous = line.Contains(" rw-p 00000000 00:00 0", StringComparison.Ordinal);
                sum = isAnonymous && ends[0] == end ? sum : 0; // it is of several mappings, one beside the other: huge and small pages
                end = isAnonymous ? ends[1] : "";
            }
            else if (isAnonymous && line.StartsWith("Rss:", StringComparison.Ordinal))
            {
                sum += long.Parse(line.AsSpan(4, line.Length - 6).Trim(), CultureInfo.InvariantCulture) * 1024;
                largest = Math.Max(largest, sum);
            }
        }

        return largest >= LeastSpool / 2 ? largest : 0;
    }

    // A child that has not yet called execve still has the agent's own memory, and its command line: not counted twice.
    private static IEnumerable<int> Workers(int agentPid)
    {
        string agent = Text($"/proc/{agentPid}/cmdline");
        return Proc.Tasks(agentPid)
            .SelectMany(tid => Text($"/proc/{agentPid}/task/{tid}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Select(pid => int.Parse(pid, CultureInfo.InvariantCulture))
            .Where(pid => Text($"/proc/{pid}/cmdline") != agent);
    }

    private static string Text(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return ""; // it ended while we looked
        }
    }
}

/// <summary>Looks at the agent's memory again and again and keeps the largest it saw.</summary>
internal sealed class MemorySampler : IAsyncDisposable
{
    private readonly CancellationTokenSource _end = new();
    private readonly Task _sampling;

    /// <param name="agentPid">The agent's first process.</param>
    /// <param name="interval">Between two looks; a look takes a CPU for part of a millisecond.</param>
    internal MemorySampler(int agentPid, TimeSpan interval)
    {
        _sampling = Task.Run(() => SampleAsync(agentPid, interval));
    }

    internal AgentMemory Peak { get; private set; }

    internal int Samples { get; private set; }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _sampling;
        _end.Dispose();
    }

    private async Task SampleAsync(int agentPid, TimeSpan interval)
    {
        while (!_end.IsCancellationRequested)
        {
            AgentMemory now = AgentMemory.Of(agentPid);
            Peak = new AgentMemory(Math.Max(Peak.Own, now.Own), Math.Max(Peak.Spool, now.Spool));
            Samples++;
            await Task.Delay(interval);
        }
    }
}
