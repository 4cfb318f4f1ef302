namespace Corelift.Linux.Procfs;

/// <summary>How much of /proc a parser or reader takes before it gives up: a target decides over much of that text.</summary>
public sealed record ProcfsLimits
{
    /// <summary>The limits in use unless the caller has others.</summary>
    public static ProcfsLimits Default { get; } = new();

    /// <summary>Most bytes of one file. smaps of 65,530 VMAs is 45 MB.</summary>
    public int MaxFileBytes { get; init; } = 512 << 20;

    /// <summary>Most VMAs; vm.max_map_count is 65,530 unless raised.</summary>
    public int MaxVmas { get; init; } = 1 << 20;

    /// <summary>Most bytes of a VMA's name: PATH_MAX, four times over where every byte is escaped.</summary>
    public int MaxNameBytes { get; init; } = 16 * 1024;

    /// <summary>Most bytes of a link's text.</summary>
    public int MaxLinkBytes { get; init; } = 4096;

    /// <summary>Most tasks of a process, or processes of a host: PID_MAX_LIMIT.</summary>
    public int MaxTasks { get; init; } = 4 << 20;

    /// <summary>Most pid namespaces one inside the other: MAX_PID_NS_LEVEL and the first.</summary>
    public int MaxNamespaceDepth { get; init; } = 33;

    /// <summary>Most lines of a cgroup file.</summary>
    public int MaxCgroupLines { get; init; } = 256;
}
