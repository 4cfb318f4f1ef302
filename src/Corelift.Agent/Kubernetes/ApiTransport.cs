using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Corelift.Agent.Kubernetes;

/// <summary>
/// Connections to the API server. Its authorities are read from their file at each handshake, and connections live for
/// minutes, so that a rotated bundle counts without a restart.
/// </summary>
internal static class ApiTransport
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    /// <summary>Longest time to connect, TLS included.</summary>
    internal static TimeSpan ConnectTimeout { get; } = TimeSpan.FromSeconds(2);

    /// <summary>A handler; the environment's proxies are not asked, and redirects not followed.</summary>
    internal static SocketsHttpHandler Create(ApiAddress address)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = ConnectTimeout,
            UseProxy = false,
            AllowAutoRedirect = false,
            UseCookies = false,
            MaxConnectionsPerServer = 8,
            MaxResponseHeadersLength = 64, // KiB
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            KeepAlivePingDelay = TimeSpan.FromSeconds(15),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        };
        if (address.CaFile is { } file)
        {
            handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, chain, errors) =>
                certificate is X509Certificate2 server
                && (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) == SslPolicyErrors.None
                && IsSignedBy(file, server, chain);
        }

        return handler;
    }

    private static bool IsSignedBy(string file, X509Certificate2 server, X509Chain? sent)
    {
        try
        {
            using var chain = new X509Chain();
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ServerAuthentication));
            chain.ChainPolicy.CustomTrustStore.ImportFromPemFile(file);
            chain.ChainPolicy.ExtraStore.AddRange(sent?.ChainPolicy.ExtraStore ?? []);
            return chain.Build(server);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or CryptographicException)
        {
            return false; // the handshake's failure says that the server is not trusted
        }
    }
}
