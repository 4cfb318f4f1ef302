using System.Globalization;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Corelift.Agent.Access.Tls;

/// <summary>What one handshake goes by: certificate, key and CAs as they were read together. Never changed; replaced as a whole.</summary>
internal sealed class TlsMaterial
{
    private const int MaxBytes = 4 * 1024 * 1024;
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2"; // id-kp-clientAuth

    private TlsMaterial(X509Certificate2 certificate, X509Certificate2Collection others, X509Certificate2Collection? clientCas)
    {
        Certificate = certificate;
        ClientCas = clientCas;
        Context = SslStreamCertificateContext.Create(certificate, others, offline: true);
    }

    /// <summary>The server's certificate, with its key.</summary>
    internal X509Certificate2 Certificate { get; }

    /// <summary>CAs of clients; null where client certificates are not asked for.</summary>
    internal X509Certificate2Collection? ClientCas { get; }

    private SslStreamCertificateContext Context { get; }

    /// <summary>Reads the files.</summary>
    /// <exception cref="TlsFileException">One is missing, broken or expired, or key and certificate do not belong together.</exception>
    internal static TlsMaterial Load(TlsFiles files, DateTimeOffset now)
    {
        string pem = ReadText(files.Certificate);
        X509Certificate2Collection chain = Import(files.Certificate, pem);
        X509Certificate2 certificate = Pair(files, pem, ReadText(files.Key));
        if (certificate.NotAfter < now.LocalDateTime)
        {
            throw new TlsFileException(string.Create(
                CultureInfo.InvariantCulture, $"the certificate in {files.Certificate} has expired on {certificate.NotAfter.ToUniversalTime():u}: renew it"));
        }

        X509Certificate2Collection? cas = files.ClientCa is null ? null : Import(files.ClientCa, ReadText(files.ClientCa));
        return new TlsMaterial(certificate, [.. chain.Skip(1)], cas);
    }

    /// <summary>Options of one handshake.</summary>
    /// <param name="certificateIsOptional">Whether a client may come without a certificate; one that it shows must be valid all the same.</param>
    /// <param name="refused">Told of certificates that were not taken.</param>
    internal SslServerAuthenticationOptions ToOptions(bool certificateIsOptional, Action<X509Certificate?, string> refused)
    {
        var options = new SslServerAuthenticationOptions
        {
            EnabledSslProtocols = SslProtocols.Tls13,
            ApplicationProtocols = [SslApplicationProtocol.Http2],
            ServerCertificateContext = Context,
            ClientCertificateRequired = ClientCas is not null,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,

            // A session taken up again would go by the CAs of its first handshake.
            AllowTlsResume = false,
            AllowRenegotiation = false,
        };
        if (ClientCas is not null)
        {
            options.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
                DisableCertificateDownloads = true,
                VerificationFlags = X509VerificationFlags.NoFlag,
            };
            options.CertificateChainPolicy.CustomTrustStore.AddRange(ClientCas);
            _ = options.CertificateChainPolicy.ApplicationPolicy.Add(new Oid(ClientAuthentication));
            options.RemoteCertificateValidationCallback = (_, certificate, chain, errors) => Judge(certificate, chain, errors, certificateIsOptional, refused);
        }

        return options;
    }

    private static bool Judge(
        X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors, bool isOptional, Action<X509Certificate?, string> refused)
    {
        if (errors == SslPolicyErrors.None || (certificate is null && isOptional))
        {
            return true;
        }

        refused(certificate, certificate is null
            ? "no client certificate was shown"
            : string.Join("; ", (chain?.ChainStatus ?? []).Select(status => status.StatusInformation.Trim()).DefaultIfEmpty(errors.ToString())));
        return false;
    }

    private static X509Certificate2 Pair(TlsFiles files, string certificate, string key)
    {
        try
        {
            return X509Certificate2.CreateFromPem(certificate, key);
        }
        catch (Exception failure) when (failure is CryptographicException or ArgumentException)
        {
            throw new TlsFileException($"{files.Key} is not the key of the certificate in {files.Certificate}, or no private key in PEM without a password: {failure.Message}", failure);
        }
    }

    private static X509Certificate2Collection Import(string path, string pem)
    {
        try
        {
            var certificates = new X509Certificate2Collection();
            certificates.ImportFromPem(pem);
            return certificates.Count > 0 ? certificates : throw new TlsFileException($"{path} holds no certificate: it must be PEM, with lines BEGIN CERTIFICATE");
        }
        catch (CryptographicException failure)
        {
            throw new TlsFileException($"a certificate in {path} cannot be read: {failure.Message}", failure);
        }
    }

    private static string ReadText(string path)
    {
        try
        {
            return new FileInfo(path).Length <= MaxBytes ? File.ReadAllText(path) : throw new TlsFileException($"{path} is larger than {MaxBytes} bytes");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new TlsFileException($"cannot read {path}: {failure.Message}", failure);
        }
    }
}

/// <summary>A file of a TLS door cannot be used; the message says which and why.</summary>
internal sealed class TlsFileException(string message, Exception? cause = null) : Exception(message, cause);
