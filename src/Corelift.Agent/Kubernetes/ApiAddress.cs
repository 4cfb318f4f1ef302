using System.Diagnostics.CodeAnalysis;
using Corelift.Agent.Hosting;

namespace Corelift.Agent.Kubernetes;

/// <summary>Where the API server is, and how the agent shows itself there.</summary>
/// <param name="Server">Its address.</param>
/// <param name="TokenFile">File with the agent's own token, or null for none.</param>
/// <param name="CaFile">File with its authorities' certificates, or null for those of the host.</param>
/// <param name="NodeName">The node whose pods are known; empty where it is not told, and then no pods are.</param>
/// <param name="Audience">What callers' tokens must have been made for.</param>
internal sealed record ApiAddress(Uri Server, string? TokenFile, string? CaFile, string NodeName, string Audience)
{
    private const string AccountDirectory = "/var/run/secrets/kubernetes.io/serviceaccount";

    /// <summary>Finds out where the API server is.</summary>
    /// <param name="options">What the command line says.</param>
    /// <param name="environment">Environment variables.</param>
    /// <param name="accountDirectory">Where a pod's service account is mounted.</param>
    /// <returns>Null where Kubernetes is off, and with auto where there is no sign of it.</returns>
    /// <exception cref="StartRefusedException">What was asked for cannot be: what to set stands in the message.</exception>
    internal static ApiAddress? Find(KubernetesOptions options, Func<string, string?> environment, string accountDirectory = AccountDirectory)
    {
        if (options.Mode == KubernetesMode.Off)
        {
            return null;
        }

        string node = options.NodeName ?? environment("NODE_NAME") ?? string.Empty;
        ApiAddress? found = options.ApiServer is null
            ? OfThisPod(options, environment, accountDirectory)
            : new ApiAddress(ParseServer(options.ApiServer), options.TokenFile, options.CaFile, node, options.Audience);
        if (found is null && (options.Mode == KubernetesMode.On || options.TokenFile is not null || options.CaFile is not null))
        {
            throw new StartRefusedException(
                "Kubernetes is asked for, but there is no API server: run in a pod with automountServiceAccountToken, or name one with --kubernetes-api, --kubernetes-token-file and --kubernetes-ca");
        }

        if (options.Mode == KubernetesMode.On && node.Length == 0)
        {
            throw new StartRefusedException(
                "Kubernetes is on, but the node is not known: set the environment variable NODE_NAME from the field spec.nodeName, or give --node-name");
        }

        found?.VerifyFiles();
        return found is null ? null : found with { NodeName = node };
    }

    private static ApiAddress? OfThisPod(KubernetesOptions options, Func<string, string?> environment, string accountDirectory)
    {
        string token = options.TokenFile ?? Path.Combine(accountDirectory, "token");
        return environment("KUBERNETES_SERVICE_HOST") is { Length: > 0 } host && environment("KUBERNETES_SERVICE_PORT") is { Length: > 0 } port && File.Exists(token)
            ? new ApiAddress(
                ParseServer($"https://{(host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host)}:{port}"),
                token, options.CaFile ?? Path.Combine(accountDirectory, "ca.crt"), string.Empty, options.Audience)
            : null;
    }

    /// <summary>A token must not go over a wire that others can read.</summary>
    private static Uri ParseServer(string text) =>
        TryParse(text, out Uri? server) && (server.Scheme == "https" || server.IsLoopback)
            ? server
            : throw new StartRefusedException($"'{text}' is no address of an API server: write https://HOST:PORT (http only on a loopback address)");

    private static bool TryParse(string text, [NotNullWhen(true)] out Uri? server) =>
        Uri.TryCreate(text, UriKind.Absolute, out server)
        && server.Scheme is "https" or "http" && server.PathAndQuery == "/" && server.Fragment.Length == 0 && server.UserInfo.Length == 0;

    private void VerifyFiles()
    {
        foreach ((string option, string? path) in new[] { ("--kubernetes-token-file", TokenFile), ("--kubernetes-ca", CaFile) })
        {
            if (path is not null && !File.Exists(path))
            {
                throw new StartRefusedException($"there is no file '{path}' that the agent's user may see: correct {option}");
            }
        }
    }
}
