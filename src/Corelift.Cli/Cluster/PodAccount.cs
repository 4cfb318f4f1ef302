using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Corelift.Cli.Cluster;

/// <summary>The service account of the pod that this program runs in.</summary>
internal static class PodAccount
{
    /// <summary>Finds it; null outside of pods, and in one that has no token.</summary>
    internal static ClusterAccess? Find(CliConsole console)
    {
        string token = Path.Combine(console.AccountFolder, "token");
        if (console.Environment("KUBERNETES_SERVICE_HOST") is not { Length: > 0 } host
            || console.Environment("KUBERNETES_SERVICE_PORT") is not { Length: > 0 } port
            || !File.Exists(token))
        {
            return null;
        }

        string authority = $"{(host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host)}:{port}";
        return new ClusterAccess
        {
            Server = Uri.TryCreate($"https://{authority}", UriKind.Absolute, out Uri? server)
                ? server
                : throw new ClusterException($"KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT make no address: {authority}", ExitCode.Usage),
            Namespace = Read(Path.Combine(console.AccountFolder, "namespace")),
            Origin = "the pod's service account",
            Authorities = Authorities(Path.Combine(console.AccountFolder, "ca.crt")),
            IsInside = true,
            User = new ClusterUser { Token = () => TokenText.Read(token) },
        };
    }

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim() is { Length: > 0 } text ? text : "default";
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return "default";
        }
    }

    private static X509Certificate2Collection Authorities(string path)
    {
        try
        {
            X509Certificate2Collection certificates = [];
            certificates.ImportFromPemFile(path);
            return certificates;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new ClusterException($"the authorities of the API server cannot be read: {failure.Message}", ExitCode.Usage, failure);
        }
    }
}
