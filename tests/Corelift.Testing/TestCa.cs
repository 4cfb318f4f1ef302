using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Corelift.Testing;

/// <summary>A certificate authority of one test, whose certificates can be wrong in every way.</summary>
public sealed class TestCa : IDisposable
{
    private const string ServerUse = "1.3.6.1.5.5.7.3.1", ClientUse = "1.3.6.1.5.5.7.3.2";

    private readonly X509Certificate2 _root;

    /// <summary>A CA whose own certificate is valid for a day around now.</summary>
    public TestCa(string name = "Test CA")
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        _root = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-2), DateTimeOffset.UtcNow.AddDays(2));
    }

    /// <summary>Its certificate.</summary>
    public string Pem => _root.ExportCertificatePem();

    /// <summary>A server's certificate for 127.0.0.1 and localhost.</summary>
    public TestCertificate IssueServer(TimeSpan? validFor = null, string dnsName = "localhost") =>
        Issue("CN=agent", ServerUse, names => { names.AddDnsName(dnsName); names.AddIpAddress(System.Net.IPAddress.Loopback); }, null, validFor);

    /// <summary>A client's certificate.</summary>
    /// <param name="subject">Its subject.</param>
    /// <param name="validFor">How long from now; negative for one that has expired.</param>
    /// <param name="notBefore">From when; an hour ago unless told otherwise.</param>
    /// <param name="forServers">Whether it is for server authentication, and so wrong for a client.</param>
    /// <param name="uris">URIs among its alternative names.</param>
    public TestCertificate IssueClient(
        string subject = "CN=alice,O=Example", TimeSpan? validFor = null, DateTimeOffset? notBefore = null, bool forServers = false, params string[] uris) =>
        Issue(subject, forServers ? ServerUse : ClientUse, uris.Length == 0 ? null : names => Array.ForEach(uris, uri => names.AddUri(new Uri(uri))), notBefore, validFor);

    /// <inheritdoc/>
    public void Dispose() => _root.Dispose();

    private TestCertificate Issue(
        string subject, string use, Action<SubjectAlternativeNameBuilder>? name, DateTimeOffset? notBefore, TimeSpan? validFor)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(use)], false));
        if (name is not null)
        {
            SubjectAlternativeNameBuilder names = new();
            name(names);
            request.CertificateExtensions.Add(names.Build());
        }

        DateTimeOffset from = notBefore ?? DateTimeOffset.UtcNow.AddHours(-25);
        DateTimeOffset until = DateTimeOffset.UtcNow + (validFor ?? TimeSpan.FromHours(20));
        using X509Certificate2 certificate = request.Create(_root, from, until < from ? from.AddHours(1) : until, RandomNumberGenerator.GetBytes(16).Select((octet, i) => i == 0 ? (byte)(octet & 0x7f | 1) : octet).ToArray());
        return new TestCertificate(certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem(), new DateTimeOffset(certificate.NotAfter));
    }
}

/// <summary>A certificate and its key, as PEM.</summary>
public sealed record TestCertificate(string Pem, string Key, DateTimeOffset NotAfter)
{
    /// <summary>With its key, for a client of .NET's own.</summary>
    public X509Certificate2 ToCertificate() => X509Certificate2.CreateFromPem(Pem, Key);

    /// <summary>Writes both, each as a whole, key first: in between they do not match.</summary>
    public void WriteTo(string certificateFile, string keyFile)
    {
        Replace(keyFile, Key);
        Replace(certificateFile, Pem);
    }

    private static void Replace(string path, string text)
    {
        File.WriteAllText(path + ".new", text);
        File.Move(path + ".new", path, overwrite: true);
    }
}
