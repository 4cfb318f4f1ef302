using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Corelift.Client;

/// <summary>TLS to an agent, with files that are read for each connection.</summary>
internal static class AgentTls
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1"; // id-kp-serverAuth

    /// <summary>Secures a connection.</summary>
    /// <param name="plain">The connection; disposed with the result, and where this fails.</param>
    /// <param name="host">Host of the agent's address.</param>
    /// <param name="options">Files and names.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="AuthenticationException">Each other was not trusted, or a file cannot be used; the message says which.</exception>
    internal static async ValueTask<Stream> SecureAsync(Stream plain, string host, CoreliftClientOptions options, CancellationToken cancellation)
    {
        string name = options.ServerName ?? host;
        string? problem = null;
        SslStream? secured = null;
        try
        {
            secured = new SslStream(plain);
            using X509Certificate2? own = ReadOwn(options);
            SslClientAuthenticationOptions tls = ToTls(options, name, own);
            tls.RemoteCertificateValidationCallback = (_, certificate, chain, errors) =>
            {
                problem = errors == SslPolicyErrors.None ? null : Describe(certificate, chain, errors, name, options.CaFile);
                return problem is null;
            };
            await secured.AuthenticateAsClientAsync(tls, cancellation);
            return secured;
        }
        catch (Exception failure) when (failure is AuthenticationException or IOException or CryptographicException or UnauthorizedAccessException)
        {
            await (secured?.DisposeAsync() ?? plain.DisposeAsync());
            throw new AuthenticationException(problem ?? Explain(failure), failure);
        }
        catch
        {
            await (secured?.DisposeAsync() ?? plain.DisposeAsync());
            throw;
        }
    }

    private static SslClientAuthenticationOptions ToTls(CoreliftClientOptions options, string name, X509Certificate2? own)
    {
        var tls = new SslClientAuthenticationOptions
        {
            TargetHost = name,
            EnabledSslProtocols = SslProtocols.Tls13,
            ApplicationProtocols = [SslApplicationProtocol.Http2],
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        };
        if (options.CaFile is { } cas)
        {
            tls.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
                DisableCertificateDownloads = true,
            };
            tls.CertificateChainPolicy.CustomTrustStore.AddRange(Import(cas));
            _ = tls.CertificateChainPolicy.ApplicationPolicy.Add(new Oid(ServerAuthentication));
        }

        if (own is not null)
        {
            tls.ClientCertificateContext = SslStreamCertificateContext.Create(own, [.. Import(options.CertificateFile!).Skip(1)], offline: true);
        }

        return tls;
    }

    /// <summary>This client's certificate with its key, or null.</summary>
    private static X509Certificate2? ReadOwn(CoreliftClientOptions options)
    {
        (string? certificate, string? key) = (options.CertificateFile, options.KeyFile);
        if (certificate is null)
        {
            return key is null ? null : throw new FileFailureException($"there is a key, {key}, and no certificate to go with it");
        }

        try
        {
            return X509Certificate2.CreateFromPemFile(certificate, key);
        }
        catch (Exception failure) when (failure is CryptographicException or ArgumentException)
        {
            throw new FileFailureException(
                $"{key ?? certificate} holds no private key (PEM, without a password) that belongs to the client certificate in {certificate}", failure);
        }
    }

    private static X509Certificate2Collection Import(string path)
    {
        try
        {
            var certificates = new X509Certificate2Collection();
            certificates.ImportFromPemFile(path);
            return certificates.Count > 0 ? certificates : throw new FileFailureException($"{path} holds no certificate: it must be PEM");
        }
        catch (CryptographicException failure)
        {
            throw new FileFailureException($"a certificate in {path} cannot be read: {failure.Message}", failure);
        }
    }

    private static string Describe(X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors, string name, string? caFile)
    {
        if (certificate is null || errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable))
        {
            return "it shows no certificate";
        }

        X509ChainStatusFlags flags = (chain?.ChainStatus ?? []).Aggregate(X509ChainStatusFlags.NoError, (all, status) => all | status.Status);
        string where = caFile is null ? "the CAs of this host: name its CA with --ca or CORELIFT_CA" : $"the CAs in {caFile}";
        return (flags, errors) switch
        {
            _ when flags.HasFlag(X509ChainStatusFlags.NotTimeValid) => $"its certificate, or one above it, is expired or not valid yet (until {certificate.GetExpirationDateString()})",
            _ when (flags & (X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain)) != 0 => $"its certificate is from none of {where}",
            _ when errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch) => $"its certificate is not for '{name}': say which name it has with --server-name or CORELIFT_SERVER_NAME",
            _ => $"its certificate is not valid: {string.Join("; ", (chain?.ChainStatus ?? []).Select(status => status.StatusInformation.Trim()))}",
        };
    }

    private static string Explain(Exception failure) => failure switch
    {
        AuthenticationException and not FileFailureException =>
            $"TLS 1.3 with HTTP/2 could not be agreed on ({failure.GetBaseException().Message.Trim()}): is there TLS on that port, and a corelift-agent?",
        _ => failure.Message,
    };

    /// <summary>One of our own files cannot be used; the message says which.</summary>
    private sealed class FileFailureException(string message, Exception? cause = null) : AuthenticationException(message, cause);
}
