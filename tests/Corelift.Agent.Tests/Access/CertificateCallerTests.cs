using System.Security.Cryptography.X509Certificates;
using Corelift.Agent.Access;
using Corelift.Agent.Access.Tls;
using Corelift.Testing;

namespace Corelift.Agent.Tests.Access;

/// <summary>Certificates of clients to callers. OpenSSL is the judge of names.</summary>
public sealed class CertificateCallerTests : IDisposable
{
    private readonly TestCa _ca = new();

    public void Dispose() => _ca.Dispose();

    [Theory]
    [InlineData("CN=alice")]
    [InlineData("CN=alice,OU=ops,O=Example,L=Graz,ST=Styria,C=AT")]
    [InlineData("CN=\"a, b\",O=\"x + y; z\"")]
    [InlineData("CN=\" edges \",O=\"#hash\"")]
    [InlineData("CN=Jörg Müller,DC=example,DC=org")]
    [InlineData("CN=a\\\\b\"")]
    public async Task A_subject_is_written_as_OpenSSL_writes_it_by_RFC_2253(string subject)
    {
        TestCertificate issued = _ca.IssueClient(subject.Replace("a\\\\b\"", "\"a\\b\"\"c\"", StringComparison.Ordinal));
        using ScratchFolder folder = new();
        await File.WriteAllTextAsync(folder.File("c.pem"), issued.Pem);
        CommandResult judged = await Command.RunAsync("openssl", ["x509", "-in", folder.File("c.pem"), "-noout", "-subject", "-nameopt", "RFC2253,-esc_msb,utf8"]);
        using X509Certificate2 certificate = issued.ToCertificate();
        Caller caller = CertificateCaller.Read(certificate);
        Assert.Equal(judged.Checked().Output.Trim()["subject=".Length..].Trim(), caller.CertificateSubject);
        Assert.Equal(("cert:" + caller.CertificateSubject, CallerKind.Certificate, (string?)null), (caller.Name, caller.Kind, caller.SpiffeId));
        Assert.Equal(issued.NotAfter, caller.ExpiresAt);
    }

    [Fact]
    public void A_name_with_control_characters_or_of_any_length_is_one_line_and_stays_itself()
    {
        using X509Certificate2 hostile = _ca.IssueClient("CN=\"a\u001b[2J\u0007\"").ToCertificate();
        Assert.Equal("CN=a\\1b[2J\\07", CertificateCaller.Read(hostile).CertificateSubject);
        string first = CallerNames.Bound("cert:CN=" + new string('x', 2000) + "1"), second = CallerNames.Bound("cert:CN=" + new string('x', 2000) + "2");
        Assert.True(first.Length <= 512);
        Assert.NotEqual(first, second);
    }

    [Theory]
    [InlineData("spiffe://example.org/ns/a/sa/b")]
    [InlineData("spiffe://example.org/A_b-c.d/1")]
    public void The_one_SPIFFE_ID_names_the_caller(string id)
    {
        using X509Certificate2 certificate = _ca.IssueClient("CN=x", uris: id).ToCertificate();
        Caller caller = CertificateCaller.Read(certificate);
        Assert.Equal((id, id, "CN=x"), (caller.SpiffeId, caller.Name, caller.CertificateSubject));
    }

    [Theory]
    [InlineData("spiffe://example.org/a", "spiffe://example.org/b")]
    [InlineData("spiffe://example.org/a", "https://example.org/")]
    [InlineData("https://example.org/a")]
    [InlineData("spiffe://example.org/a?x=1")]
    [InlineData("spiffe://user@example.org/a")]
    [InlineData("spiffe://example.org/a%20b")]
    [InlineData("spiffe://example.org:8443/a")]
    public void Several_URIs_or_one_that_is_none_of_SPIFFE_name_nobody(params string[] uris)
    {
        using X509Certificate2 certificate = _ca.IssueClient("CN=x", uris: uris).ToCertificate();
        Caller caller = CertificateCaller.Read(certificate);
        Assert.Equal((null, "cert:CN=x"), (caller.SpiffeId, caller.Name));
    }
}
