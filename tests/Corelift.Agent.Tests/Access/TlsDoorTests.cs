using System.Security.Cryptography.X509Certificates;
using Corelift.Agent.Access.Tls;
using Corelift.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Corelift.Agent.Tests.Access;

/// <summary>Files of a TLS door, and how they are replaced.</summary>
public sealed class TlsDoorTests : IDisposable
{
    private readonly TestCa _ca = new();
    private readonly ScratchFolder _folder = new();

    private TlsFiles Files => new(_folder.File("tls.crt"), _folder.File("tls.key"), _folder.File("ca.crt"));

    public void Dispose()
    {
        _ca.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_swapped_data_link_as_Kubernetes_makes_it_is_followed()
    {
        TestCertificate first = Mount("..1"), second = Mount("..2");
        Directory.CreateSymbolicLink(_folder.File("..data"), "..1");
        foreach (string name in (string[])["tls.crt", "tls.key", "ca.crt"])
        {
            File.CreateSymbolicLink(_folder.File(name), "..data/" + name);
        }

        using TlsDoor door = Open();
        Assert.Equal(Thumbprint(first), Served(door));
        Directory.CreateSymbolicLink(_folder.File("..tmp"), "..2");
        (await Command.RunAsync("mv", ["-T", _folder.File("..tmp"), _folder.File("..data")])).Checked();
        door.Look();
        Assert.Equal(Thumbprint(second), Served(door));
    }

    [Fact]
    public void Whatever_cannot_be_used_keeps_what_there_was_and_is_tried_again()
    {
        TestCertificate first = Write(), second = _ca.IssueServer();
        using TlsDoor door = Open();
        foreach (Action spoil in (Action[])
            [
                () => File.WriteAllText(Files.Key, second.Key),
                () => File.WriteAllText(Files.Key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
                () => File.Delete(Files.Key),
                () => File.WriteAllText(Files.Certificate, second.Pem[..(second.Pem.Length / 2)]),
                () => File.WriteAllText(Files.Certificate, string.Empty),
                () => File.WriteAllText(Files.ClientCa!, "no PEM"),
                () => File.Delete(Files.ClientCa!),
                () => _ca.IssueServer(TimeSpan.FromHours(-1)).WriteTo(Files.Certificate, Files.Key),
            ])
        {
            spoil();
            door.Look();
            Assert.Equal(Thumbprint(first), Served(door));
            first.WriteTo(Files.Certificate, Files.Key);
            File.WriteAllText(Files.ClientCa!, _ca.Pem);
            door.Look();
            Assert.Equal(Thumbprint(first), Served(door));
        }

        second.WriteTo(Files.Certificate, Files.Key);
        door.Look();
        Assert.Equal(Thumbprint(second), Served(door));
    }

    [Fact]
    public void Bundles_of_several_CAs_are_taken_whole()
    {
        using TestCa other = new("Other CA");
        _ = Write();
        using TlsDoor door = Open();
        Assert.Single(door.Options.CertificateChainPolicy!.CustomTrustStore);
        File.WriteAllText(Files.ClientCa!, $"# two of them\n{_ca.Pem}\n\n{other.Pem}\n");
        door.Look();
        Assert.Equal(2, door.Options.CertificateChainPolicy!.CustomTrustStore.Count);
    }

    [Fact]
    public void A_door_does_not_open_with_files_that_cannot_be_used()
    {
        Assert.Contains("cannot read", Assert.Throws<TlsFileException>(Open).Message, StringComparison.Ordinal);
        _ = Write();
        _ca.IssueServer(TimeSpan.FromHours(-1)).WriteTo(Files.Certificate, Files.Key);
        Assert.Contains("cannot read none.crt", Assert.Throws<TlsFileException>(
            () => new TlsDoor(new TlsFiles("none.crt", "none.key", null), false, NullLogger<TlsDoor>.Instance)).Message, StringComparison.Ordinal); // in the working directory
        Assert.Contains("has expired", Assert.Throws<TlsFileException>(Open).Message, StringComparison.Ordinal);
    }

    private static string Thumbprint(TestCertificate certificate)
    {
        using X509Certificate2 read = X509Certificate2.CreateFromPem(certificate.Pem);
        return read.Thumbprint;
    }

    private static string Served(TlsDoor door) => door.Options.ServerCertificateContext!.TargetCertificate.Thumbprint;

    private TlsDoor Open() => new(Files, certificateIsOptional: false, NullLogger<TlsDoor>.Instance);

    private TestCertificate Write()
    {
        TestCertificate certificate = _ca.IssueServer();
        certificate.WriteTo(Files.Certificate, Files.Key);
        File.WriteAllText(Files.ClientCa!, _ca.Pem);
        return certificate;
    }

    private TestCertificate Mount(string name)
    {
        string folder = Directory.CreateDirectory(_folder.File(name)).FullName;
        TestCertificate certificate = _ca.IssueServer();
        certificate.WriteTo(Path.Combine(folder, "tls.crt"), Path.Combine(folder, "tls.key"));
        File.WriteAllText(Path.Combine(folder, "ca.crt"), _ca.Pem);
        return certificate;
    }
}
