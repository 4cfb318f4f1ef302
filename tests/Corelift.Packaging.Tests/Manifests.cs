using YamlDotNet.RepresentationModel;

namespace Corelift.Packaging.Tests;

/// <summary>One object of a rendered chart.</summary>
/// <param name="Text">Its YAML, comments and all.</param>
/// <param name="Root">The same, parsed.</param>
internal sealed record Manifest(string Text, YamlMappingNode Root)
{
    /// <summary>Its kind.</summary>
    internal string Kind => Root.Text("kind")!;

    /// <summary>Its name.</summary>
    internal string Name => Root.Find("metadata", "name")!.ToString();

    /// <summary>The pod template of a workload.</summary>
    internal YamlMappingNode Pod => (YamlMappingNode)Root.Find("spec", "template", "spec")!;

    /// <summary>The containers of a workload, by name.</summary>
    internal Dictionary<string, YamlMappingNode> Containers =>
        ((YamlSequenceNode)Pod.Find("containers")!).Cast<YamlMappingNode>().ToDictionary(container => container.Text("name")!);
}

/// <summary>Reads what helm renders.</summary>
internal static class Manifests
{
    /// <summary>The objects of a rendered chart.</summary>
    internal static Manifest[] Parse(string yaml)
    {
        List<Manifest> found = [];
        foreach (string text in yaml.Split("\n---\n", StringSplitOptions.RemoveEmptyEntries))
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(text));
            if (stream.Documents is [{ RootNode: YamlMappingNode root }])
            {
                found.Add(new Manifest(text, root));
            }
        }

        return [.. found];
    }

    /// <summary>The node at a path of keys, or null.</summary>
    internal static YamlNode? Find(this YamlNode node, params string[] path) =>
        path.Aggregate((YamlNode?)node, (at, key) => at is YamlMappingNode map && map.Children.TryGetValue(new YamlScalarNode(key), out YamlNode? next) ? next : null);

    /// <summary>The text of a scalar under a key, or null.</summary>
    internal static string? Text(this YamlNode node, params string[] path) => (node.Find(path) as YamlScalarNode)?.Value;

    /// <summary>The texts of a sequence, empty where there is none.</summary>
    internal static string[] Texts(this YamlNode node, params string[] path) =>
        node.Find(path) is YamlSequenceNode items ? [.. items.Select(item => ((YamlScalarNode)item).Value!)] : [];
}
