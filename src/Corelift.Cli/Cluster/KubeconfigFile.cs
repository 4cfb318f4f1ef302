using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Corelift.Cli.Cluster;

/// <summary>One file of a kubeconfig: lists of named clusters, users and contexts.</summary>
internal sealed class KubeconfigFile
{
    private const long LongestFileBytes = 16 << 20;

    private readonly YamlMappingNode _root;

    private KubeconfigFile(string path, YamlMappingNode root) => (Path, _root) = (path, root);

    internal string Path { get; }

    internal string CurrentContext => Text(_root, "current-context") ?? "";

    /// <summary>Reads one.</summary>
    /// <exception cref="ClusterException">It is not there, may not be read, or is no kubeconfig.</exception>
    internal static KubeconfigFile Read(string path)
    {
        try
        {
            if (new FileInfo(path).Length > LongestFileBytes)
            {
                throw new ClusterException($"{path} is no kubeconfig: it is longer than {LongestFileBytes >> 20} MiB", ExitCode.Usage);
            }

            using StreamReader text = new(path);
            YamlStream yaml = new();
            yaml.Load(text);
            return yaml.Documents switch
            {
                { Count: 0 } => new KubeconfigFile(path, new YamlMappingNode()),
                { } documents when documents[0].RootNode is YamlMappingNode root => new KubeconfigFile(path, root),
                _ => throw new ClusterException($"{path} is no kubeconfig: it holds no mapping", ExitCode.Usage),
            };
        }
        catch (YamlException failure)
        {
            throw new ClusterException($"{path} is no kubeconfig: line {failure.Start.Line}: {failure.Message}", ExitCode.Usage, failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new ClusterException($"the kubeconfig cannot be read: {failure.Message}", ExitCode.Usage, failure);
        }
    }

    /// <summary>The names in a list: "contexts", "clusters", "users".</summary>
    internal IEnumerable<string> Names(string list) => Items(list).Select(item => Text(item, "name") ?? "").Where(name => name.Length > 0);

    /// <summary>What stands in a list under a name; null where nothing does.</summary>
    /// <param name="list">"contexts", "clusters" or "users".</param>
    /// <param name="name">The name; exactly.</param>
    internal KubeconfigEntry? Find(string list, string name) => Items(list).FirstOrDefault(item => Text(item, "name") == name) is { } found
        ? new KubeconfigEntry(this, $"{list[..^1]} '{name}'", Node(found, list[..^1]) as YamlMappingNode ?? new YamlMappingNode())
        : null;

    /// <summary>The node under a key; null for none.</summary>
    internal static YamlNode? Node(YamlMappingNode of, string key) => of.Children.TryGetValue(new YamlScalarNode(key), out YamlNode? found) ? found : null;

    /// <summary>The text under a key; null for none, an empty one or a null.</summary>
    internal static string? Text(YamlMappingNode of, string key) =>
        Node(of, key) is YamlScalarNode { Value: { Length: > 0 } text } scalar && !(scalar.Style == ScalarStyle.Plain && text is "null" or "~") ? text : null;

    private IEnumerable<YamlMappingNode> Items(string list) => (Node(_root, list) as YamlSequenceNode)?.Children.OfType<YamlMappingNode>() ?? [];
}
