using Corelift.Cli.Input;

namespace Corelift.Cli.Cluster;

/// <summary>
/// Finds the cluster that is meant, by the rules of kubectl: the file that is named, else those of KUBECONFIG (of two entries with
/// one name the first counts), else ~/.kube/config, else the service account of the pod that this program runs in.
/// </summary>
internal static class Kubeconfig
{
    private const string Remedy =
        "name a kubeconfig with --kubeconfig or KUBECONFIG, or have one in ~/.kube/config; to ask one agent without a cluster, name it with --agent";

    /// <summary>Finds it.</summary>
    /// <param name="path">The file that the user names; null for none.</param>
    /// <param name="context">The context that the user names; null for the current one.</param>
    /// <param name="console">Environment, and where a pod's service account is.</param>
    /// <exception cref="ClusterException">There is none, or it cannot be used.</exception>
    internal static ClusterAccess Load(string? path, string? context, CliConsole console)
    {
        KubeconfigFile[] files = [.. Paths(path, console).Select(KubeconfigFile.Read)];
        if (files.Length == 0 && context is null && PodAccount.Find(console) is { } account)
        {
            return account;
        }

        if (files.Length == 0)
        {
            throw new ClusterException($"there is no cluster to ask: {Remedy}", ExitCode.Usage);
        }

        string[] names = [.. files.SelectMany(file => file.Names("contexts")).Distinct()];
        string chosen = context ?? files.Select(file => file.CurrentContext).FirstOrDefault(name => name.Length > 0)
            ?? throw new ClusterException($"the kubeconfig has no current context: choose one with --context ({List(names)})", ExitCode.Usage);
        KubeconfigEntry found = Find(files, "contexts", chosen) ?? throw new ClusterException(
            $"the kubeconfig has no context '{chosen}'{(NearestName.Find(chosen, names) is { } near ? $"; did you mean '{near}'?" : "")} ({List(names)})",
            ExitCode.Usage);
        return ToAccess(
            found,
            Referred(files, found, "clusters", "cluster") ?? throw new ClusterException($"{found.What} names no cluster", ExitCode.Usage),
            Referred(files, found, "users", "user"),
            chosen,
            console);
    }

    private static IEnumerable<string> Paths(string? path, CliConsole console)
    {
        if (path is not null)
        {
            return [path];
        }

        if (console.Environment("KUBECONFIG") is { Length: > 0 } several)
        {
            return several.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries).Distinct().Where(File.Exists); // kubectl passes over those that are missing
        }

        return console.Environment("HOME") is { Length: > 0 } home && File.Exists(Path.Combine(home, ".kube/config"))
            ? [Path.Combine(home, ".kube/config")]
            : [];
    }

    private static KubeconfigEntry? Find(KubeconfigFile[] files, string list, string name) =>
        files.Select(file => file.Find(list, name)).FirstOrDefault(entry => entry is not null);

    private static KubeconfigEntry? Referred(KubeconfigFile[] files, KubeconfigEntry context, string list, string key) =>
        context.Text(key) is { } name
            ? Find(files, list, name) ?? throw new ClusterException($"{context.What} names {key} '{name}', which is not in the kubeconfig", ExitCode.Usage)
            : null;

    private static ClusterAccess ToAccess(KubeconfigEntry context, KubeconfigEntry cluster, KubeconfigEntry? user, string name, CliConsole console)
    {
        Uri server = ToUri(cluster, "server") ?? throw new ClusterException($"{cluster.What} has no server", ExitCode.Usage);
        if (server.Scheme != Uri.UriSchemeHttps && !(server.Scheme == Uri.UriSchemeHttp && server.IsLoopback))
        {
            throw new ClusterException($"{cluster.What} has server {server}: it must be https, since others could read along (http on loopback alone)", ExitCode.Usage);
        }

        return new ClusterAccess
        {
            Server = server,
            Namespace = context.Text("namespace") ?? "default",
            Origin = $"context '{name}'",
            Authorities = cluster.Pem("certificate-authority") is { } pem ? cluster.ToCertificates(pem, "certificate-authority") : null,
            TakesAnyCertificate = cluster.IsTrue("insecure-skip-tls-verify"),
            ServerName = cluster.Text("tls-server-name"),
            Proxy = ToUri(cluster, "proxy-url"),
            User = user is null ? new ClusterUser() : KubeconfigUser.Read(user, cluster, console),
        };
    }

    private static Uri? ToUri(KubeconfigEntry cluster, string key) => cluster.Text(key) is not { } text ? null
        : Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && uri.Host.Length > 0 ? uri
        : throw new ClusterException($"the {key} of {cluster.What} is no URL: {text}", ExitCode.Usage);

    private static string List(string[] names) => names.Length == 0 ? "it has none" : $"it has {string.Join(", ", names)}";
}
