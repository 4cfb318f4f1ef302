using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Corelift.Cli.Cluster;

/// <summary>Makes what requests to an API server go through.</summary>
internal static class ApiTransport
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1"; // id-kp-serverAuth

    internal static SocketsHttpHandler Create(ClusterAccess access)
    {
        SocketsHttpHandler handler = new()
        {
            ConnectTimeout = TimeSpan.FromSeconds(10),
            AllowAutoRedirect = false, // a token goes to the server that was named
            UseCookies = false,
            UseProxy = !access.Server.IsLoopback,
        };
        if (access.Proxy is { } proxy)
        {
            (handler.UseProxy, handler.Proxy) = (true, new WebProxy(proxy));
        }

        handler.SslOptions = new SslClientAuthenticationOptions { CertificateRevocationCheckMode = X509RevocationMode.NoCheck };
        if (access.TakesAnyCertificate)
        {
            TakeAnyCertificate(handler.SslOptions);
        }
        else if (access.Authorities is { } authorities)
        {
            handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
                DisableCertificateDownloads = true,
            };
            handler.SslOptions.CertificateChainPolicy.CustomTrustStore.AddRange(authorities);
            _ = handler.SslOptions.CertificateChainPolicy.ApplicationPolicy.Add(new Oid(ServerAuthentication));
        }

        if (access.User.Certificate is [{ } own, ..] all)
        {
            handler.SslOptions.ClientCertificateContext = SslStreamCertificateContext.Create(own, [.. all.Skip(1)], offline: true);
        }

        return handler;
    }

    [SuppressMessage("Security", "CA5359", Justification = "insecure-skip-tls-verify of the kubeconfig asks for just this, and kubectl does it, too")]
    private static void TakeAnyCertificate(SslClientAuthenticationOptions options) => options.RemoteCertificateValidationCallback = (_, _, _, _) => true;
}
