using System.Text.RegularExpressions;

namespace Corelift.Testing;

/// <summary>
/// What a capture could leave behind in a target, seen from outside: taken before, compared after. The target must be
/// one that changes none of this by itself (no churn of threads, no growing heap).
/// </summary>
public sealed partial class TargetBaseline
{
    private static readonly string[] s_processFields = ["TracerPid", "SigIgn", "SigCgt", "ShdPnd", "NoNewPrivs", "CoreDumping"];
    private static readonly string[] s_threadFields = ["TracerPid", "SigBlk", "SigPnd", "Cpus_allowed", "Seccomp", "Seccomp_filters"];

    private readonly int _pid;
    private readonly SortedDictionary<string, string> _facts;

    private TargetBaseline(int pid, SortedDictionary<string, string> facts)
    {
        _pid = pid;
        _facts = facts;
    }

    /// <summary>Notes everything down.</summary>
    public static TargetBaseline Take(int pid) => new(pid, Facts(pid));

    /// <summary>Compares; gives the target <paramref name="bound"/> (<see cref="Wait.Soon"/>) to settle, as it is running on.</summary>
    /// <exception cref="TestingException">Something differs; the message lists it.</exception>
    public async Task AssertUnchangedAsync(TimeSpan? bound = null)
    {
        List<string> differences = [];
        await Wait.UntilAsync(
            () =>
            {
                differences = Differences();
                return Task.FromResult(differences.Count == 0);
            },
            bound ?? Wait.Soon,
            () => $"target {_pid} as it was before; differs:\n" + string.Join('\n', differences.Take(40)));
    }

    private List<string> Differences()
    {
        SortedDictionary<string, string> now = Facts(_pid);
        return
        [
            .. _facts.Keys.Union(now.Keys).Order(StringComparer.Ordinal)
                .Where(key => _facts.GetValueOrDefault(key) != now.GetValueOrDefault(key))
                .Select(key => $"  {key}: was '{_facts.GetValueOrDefault(key)}', is '{now.GetValueOrDefault(key)}'"),
        ];
    }

    private static SortedDictionary<string, string> Facts(int pid)
    {
        SortedDictionary<string, string> facts = new(StringComparer.Ordinal);
        foreach (string field in s_processFields)
        {
            facts[field] = Proc.Status(pid, field) ?? "";
        }

        foreach (int child in Proc.OwnChildren(pid))
        {
            facts[$"child {child}"] = "there"; // a zombie without exit signal is one, too
        }

        foreach (string descriptor in Directory.GetFileSystemEntries($"/proc/{pid}/fd"))
        {
            facts[descriptor] = new FileInfo(descriptor).LinkTarget ?? "";
        }

        foreach (string line in Proc.Lines($"/proc/{pid}/maps").Where(line => !line.EndsWith("[stack]", StringComparison.Ordinal)))
        {
            facts[$"mapping {Blanks().Replace(line, " ")}"] = "there";
        }

        facts["writes are tracked"] = Proc.TracksWrites(pid) ? "yes" : "no";
        foreach (string file in (string[])["oom_score_adj", "coredump_filter", "personality", "timerslack_ns", "cgroup"])
        {
            facts[file] = string.Join('|', Proc.Lines($"/proc/{pid}/{file}"));
        }

        AddThreads(pid, facts);
        return facts;
    }

    private static void AddThreads(int pid, SortedDictionary<string, string> facts)
    {
        foreach (int tid in Proc.Tasks(pid))
        {
            string[] stat = Proc.Stat($"/proc/{pid}/task/{tid}/stat");
            if (stat.Length < 39)
            {
                continue;
            }

            // Field 3 is the state, 18 the priority, 19 nice, 40 the real-time priority, 41 the policy.
            string state = stat[0] is "T" or "t" or "Z" ? stat[0] : "runs";
            string fields = string.Join(' ', s_threadFields.Select(field => $"{field}={Proc.Status(pid, field, tid)}"));
            facts[$"thread {tid}"] = $"{state} nice={stat[16]} rt={stat[37]} policy={stat[38]} {fields}";
        }
    }

    [GeneratedRegex(" +")]
    private static partial Regex Blanks();
}
