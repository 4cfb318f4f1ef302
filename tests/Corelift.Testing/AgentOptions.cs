namespace Corelift.Testing;

/// <summary>How the agent is started.</summary>
public sealed record AgentOptions
{
    /// <summary>
    /// The uid it runs as, always with CAP_SYS_PTRACE and CAP_SYS_NICE and no other capability: 65534 gets them as
    /// ambient capabilities, 0 by a bounding set of the two.
    /// </summary>
    public uint Uid { get; init; } = 65534;

    /// <summary>Capabilities as setpriv names them; empty for none.</summary>
    public IReadOnlyList<string> Capabilities { get; init; } = ["sys_ptrace", "sys_nice"];

    /// <summary>Arguments beside <c>--listen</c>.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Variables of its environment, beside the test's own.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    internal IEnumerable<string> Privileges()
    {
        string capabilities = "-all" + string.Concat(Capabilities.Select(name => ",+" + name));
        return Uid == 0
            ? ["--inh-caps=-all", $"--bounding-set={capabilities}", "--"]
            :
            [
                $"--reuid={Uid}", $"--regid={Uid}", "--clear-groups", $"--inh-caps={capabilities}",
                $"--ambient-caps={capabilities}", $"--bounding-set={capabilities}", "--",
            ];
    }
}
