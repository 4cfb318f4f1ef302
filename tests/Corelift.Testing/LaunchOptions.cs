namespace Corelift.Testing;

/// <summary>How a target is started.</summary>
public sealed record LaunchOptions
{
    /// <summary>User and group it runs as; null for the test's own.</summary>
    public uint? Uid { get; init; }

    /// <summary>Whether it gets a pid and a mount namespace of its own, where it is the init process.</summary>
    public bool NewNamespaces { get; init; }

    /// <summary>Bits of /proc/PID/coredump_filter; null for the inherited ones.</summary>
    public int? CoredumpFilter { get; init; }

    internal IEnumerable<string> Prefix()
    {
        if (NewNamespaces)
        {
            foreach (string word in (string[])["unshare", "--fork", "--pid", "--mount-proc", "--kill-child"])
            {
                yield return word;
            }
        }

        if (Uid is { } uid)
        {
            foreach (string word in (string[])["setpriv", $"--reuid={uid}", $"--regid={uid}", "--clear-groups", "--"])
            {
                yield return word;
            }
        }
    }
}
