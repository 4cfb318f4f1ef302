using System.CommandLine;
using Corelift.Cli.Input;

namespace Corelift.Cli.Cluster;

/// <summary>The options that say which cluster, which agents in it, and how to reach them; most can stand in the environment instead.</summary>
internal sealed class ClusterArguments
{
    private readonly CliConsole _console;
    private readonly Option<string> _kubeconfig = Text("FILE", "Kubeconfig, for targets in pods; environment: KUBECONFIG", "--kubeconfig");
    private readonly Option<string> _context = Text("NAME", "Context of the kubeconfig; default: the current one", "--context");
    private readonly Option<string> _namespace = Text("NAME", "Kubernetes namespace of the pod; default for pod/NAME: that of the context", "--namespace", "-n");
    private readonly Option<string> _agentNamespace = Text("NAME", "Namespace that the agents are in; default: corelift; environment: CORELIFT_AGENT_NAMESPACE", "--agent-namespace");
    private readonly Option<string> _agentSelector = Text("LABELS", "Labels of the agents' pods; default: app.kubernetes.io/name=corelift; environment: CORELIFT_AGENT_SELECTOR", "--agent-selector");
    private readonly Option<string> _account = Text("[NAMESPACE/]NAME", "Call as this service account, by a token made for it; environment: CORELIFT_SERVICE_ACCOUNT", "--service-account");
    private readonly Option<string> _audience = Text("TEXT", "Audience of that token; default: corelift-agent; environment: CORELIFT_TOKEN_AUDIENCE", "--token-audience");

    private readonly Option<ClusterWay> _way = new("--via")
    {
        Description = "How to reach an agent in the cluster: forward (a port-forward by the API server), direct (its pod's address); default: direct within the cluster, else forward",
        HelpName = "forward|direct",
        Recursive = true,
        CustomParser = ValueParsers.Of("--via", ValueParsers.Choice(("forward", ClusterWay.Forward), ("direct", ClusterWay.Direct))),
    };

    internal ClusterArguments(CliConsole console)
    {
        _console = console;
        _way.CompletionSources.Clear(); // the names of the enumeration, which are not what is typed here
        _way.CompletionSources.Add("forward", "direct");
    }

    internal IReadOnlyList<Option> Options => [_kubeconfig, _context, _namespace, _agentNamespace, _agentSelector, _account, _audience, _way];

    /// <summary>The namespace that was named; null for none.</summary>
    internal string? Namespace(ParseResult arguments) => arguments.GetValue(_namespace) is { Length: > 0 } name ? name : null;

    internal ClusterWishes Read(ParseResult arguments) => new()
    {
        Kubeconfig = arguments.GetValue(_kubeconfig),
        Context = arguments.GetValue(_context),
        Namespace = Namespace(arguments),
        AgentNamespace = Find(arguments, _agentNamespace, "CORELIFT_AGENT_NAMESPACE") ?? "corelift",
        AgentSelector = Find(arguments, _agentSelector, "CORELIFT_AGENT_SELECTOR") ?? "app.kubernetes.io/name=corelift",
        ServiceAccount = Find(arguments, _account, "CORELIFT_SERVICE_ACCOUNT"),
        Audience = Find(arguments, _audience, "CORELIFT_TOKEN_AUDIENCE") ?? "corelift-agent",
        Way = arguments.GetValue(_way),
    };

    private static Option<string> Text(string helpName, string description, params string[] names) =>
        new(names[0], names[1..]) { Description = description, HelpName = helpName, Recursive = true };

    private string? Find(ParseResult arguments, Option<string> option, string variable) =>
        arguments.GetValue(option) is { Length: > 0 } given ? given : _console.Environment(variable) is { Length: > 0 } value ? value : null;
}

/// <summary>How an agent in the cluster is reached.</summary>
internal enum ClusterWay
{
    /// <summary>Directly from within the cluster, else by a port-forward.</summary>
    Auto,

    /// <summary>By a port-forward through the API server.</summary>
    Forward,

    /// <summary>By the address of its pod.</summary>
    Direct,
}

/// <summary>What a user says of the cluster.</summary>
internal sealed record ClusterWishes
{
    public string? Kubeconfig { get; init; }

    public string? Context { get; init; }

    public string? Namespace { get; init; }

    public required string AgentNamespace { get; init; }

    public required string AgentSelector { get; init; }

    public string? ServiceAccount { get; init; }

    public required string Audience { get; init; }

    public ClusterWay Way { get; init; }
}
