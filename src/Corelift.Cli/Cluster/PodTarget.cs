namespace Corelift.Cli.Cluster;

/// <summary>A process by its pod: pod/NAME, pod/NAME/CONTAINER or pod/NAME/CONTAINER/PROCESS.</summary>
/// <param name="Name">Name of the pod.</param>
/// <param name="Container">Name of the container; null where the pod has one.</param>
/// <param name="Process">Pid as the agent sees it, or a name; null for the container's main process.</param>
internal sealed record PodTarget(string Name, string? Container, string? Process)
{
    internal const string Form = "pod/NAME[/CONTAINER[/PROCESS]]";

    private static readonly string[] s_kinds = ["pod/", "pods/", "po/"];

    /// <summary>As it was written.</summary>
    public override string ToString() => string.Join('/', ((string?[])["pod", Name, Container, Process]).Where(part => part is not null));

    /// <summary>Whether a text is meant as one.</summary>
    internal static bool IsOne(string text) => s_kinds.Any(kind => text.StartsWith(kind, StringComparison.Ordinal));

    /// <exception cref="FormatException">It is none.</exception>
    internal static PodTarget Parse(string text) => text.Split('/', 4) switch
    {
        [_, { Length: > 0 } name] => new PodTarget(name, null, null),
        [_, { Length: > 0 } name, { Length: > 0 } container] => new PodTarget(name, container, null),
        [_, { Length: > 0 } name, { Length: > 0 } container, { Length: > 0 } process] => new PodTarget(name, container, process),
        _ => throw new FormatException($"'{text}' is no pod; write {Form}"),
    };
}
