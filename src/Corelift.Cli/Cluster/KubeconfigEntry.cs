using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using YamlDotNet.RepresentationModel;

namespace Corelift.Cli.Cluster;

/// <summary>A cluster, user or context of a kubeconfig, and the file whose folder its paths are relative to.</summary>
internal sealed class KubeconfigEntry(KubeconfigFile file, string what, YamlMappingNode node)
{
    /// <summary>For messages: "cluster 'east' of /home/jane/.kube/config".</summary>
    internal string What { get; } = $"{what} of {file.Path}";

    internal string? Text(string key) => KubeconfigFile.Text(node, key);

    internal bool IsTrue(string key) => string.Equals(Text(key), "true", StringComparison.OrdinalIgnoreCase);

    /// <summary>Texts of a list; empty where there is none.</summary>
    internal string[] Texts(string key) =>
        [.. ((KubeconfigFile.Node(node, key) as YamlSequenceNode)?.Children ?? []).OfType<YamlScalarNode>().Select(item => item.Value ?? "")];

    /// <summary>Mappings of a list; empty where there is none.</summary>
    internal IEnumerable<KubeconfigEntry> Entries(string key) =>
        ((KubeconfigFile.Node(node, key) as YamlSequenceNode)?.Children ?? []).OfType<YamlMappingNode>().Select(item => new KubeconfigEntry(file, what, item));

    /// <summary>A mapping within this one; null for none.</summary>
    internal KubeconfigEntry? Entry(string key) =>
        KubeconfigFile.Node(node, key) is YamlMappingNode inner ? new KubeconfigEntry(file, what, inner) : null;

    /// <summary>A path as kubectl takes it: relative to the folder of the file that it stands in.</summary>
    internal string Resolve(string path) => Path.GetFullPath(path, Path.GetDirectoryName(Path.GetFullPath(file.Path))!);

    /// <summary>What stands under KEY-data in base64, or else in the file that KEY names; null for neither.</summary>
    /// <exception cref="ClusterException">It cannot be read.</exception>
    internal string? Pem(string key)
    {
        try
        {
            return Text(key + "-data") is { } data ? Encoding.ASCII.GetString(Convert.FromBase64String(data))
                : Text(key) is { } path ? File.ReadAllText(Resolve(path))
                : null;
        }
        catch (Exception failure) when (failure is FormatException or IOException or UnauthorizedAccessException)
        {
            throw new ClusterException($"the {key} of {What} cannot be read: {failure.Message}", ExitCode.Usage, failure);
        }
    }

    /// <summary>Certificates of a PEM text; at least one.</summary>
    internal X509Certificate2Collection ToCertificates(string pem, string key)
    {
        try
        {
            X509Certificate2Collection certificates = [];
            certificates.ImportFromPem(pem);
            return certificates.Count > 0
                ? certificates
                : throw new ClusterException($"the {key} of {What} holds no certificate: it must be PEM", ExitCode.Usage);
        }
        catch (CryptographicException failure)
        {
            throw new ClusterException($"the {key} of {What} cannot be read: {failure.Message}", ExitCode.Usage, failure);
        }
    }

    /// <summary>A certificate with its key, and what stands after it.</summary>
    internal X509Certificate2Collection ToCertificates(string pem, string key, string keyPem)
    {
        try
        {
            X509Certificate2Collection all = ToCertificates(pem, key);
            all[0] = X509Certificate2.CreateFromPem(pem, keyPem);
            return all;
        }
        catch (Exception failure) when (failure is CryptographicException or ArgumentException)
        {
            throw new ClusterException($"the key of {What} is not that of its {key}, or is encrypted: {failure.Message}", ExitCode.Usage, failure);
        }
    }
}
