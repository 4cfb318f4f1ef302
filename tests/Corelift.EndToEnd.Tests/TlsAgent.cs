using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>An agent with a TLS door on a free port of 127.0.0.1, beside its Unix socket, and the CA of everybody who talks to it.</summary>
public sealed class TlsAgent : IAsyncDisposable
{
    private TlsAgent(string dnsName)
    {
        using TcpListener free = new(IPAddress.Loopback, 0);
        free.Start();
        Port = ((IPEndPoint)free.LocalEndpoint).Port;
        Folder.GiveTo(65534, 65534);
        File.WriteAllText(ClientCaFile, Ca.Pem);
        Ca.IssueServer(dnsName: dnsName).WriteTo(CertificateFile, KeyFile);
    }

    public TestCa Ca { get; } = new();

    public ScratchFolder Folder { get; } = new();

    public int Port { get; }

    public string Address => $"https://127.0.0.1:{Port}";

    public string CertificateFile => Folder.File("tls.crt");

    public string KeyFile => Folder.File("tls.key");

    public string ClientCaFile => Folder.File("ca.crt");

    public AgentProcess Agent { get; private set; } = null!;

    /// <summary>Starts it; <paramref name="more"/> are arguments beside those of the door.</summary>
    public static Task<TlsAgent> StartAsync(params string[] more) => StartForAsync("localhost", more);

    /// <summary>The same, with a certificate for another name.</summary>
    public static async Task<TlsAgent> StartForAsync(string dnsName, params string[] more)
    {
        TlsAgent agent = new(dnsName);
        try
        {
            string[] door = ["--listen", agent.Address, "--tls-certificate", agent.CertificateFile, "--tls-key", agent.KeyFile, "--client-ca", agent.ClientCaFile];
            agent.Agent = await AgentProcess.StartAsync(new AgentOptions { Arguments = [.. door, .. more] });
            return agent;
        }
        catch
        {
            agent.Folder.Dispose();
            throw;
        }
    }

    /// <summary>A connection of its own, by .NET's client and none of the project's.</summary>
    public GrpcChannel Connect(TestCertificate? certificate, SslProtocols protocols = SslProtocols.None, string? token = null) =>
        ConnectRenewing(certificate is null ? null : () => certificate, protocols, token);

    /// <summary>The same with a certificate that is asked for at each handshake, as one that is renewed.</summary>
    public GrpcChannel ConnectRenewing(Func<TestCertificate>? certificate, SslProtocols protocols = SslProtocols.None, string? token = null)
    {
        SslClientAuthenticationOptions tls = new()
        {
            TargetHost = "localhost",
            EnabledSslProtocols = protocols,
            CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck },
        };
        tls.CertificateChainPolicy.CustomTrustStore.ImportFromPem(Ca.Pem);
        if (certificate is not null)
        {
            tls.LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate().ToCertificate();
        }

        SocketsHttpHandler handler = new() { SslOptions = tls };
        HttpMessageHandler outer = token is null ? handler : new WithToken(token, handler);
        return GrpcChannel.ForAddress(Address, new GrpcChannelOptions { HttpHandler = outer, DisposeHttpClient = true, MaxReceiveMessageSize = null });
    }

    public async ValueTask DisposeAsync()
    {
        await Agent.DisposeAsync();
        Folder.Dispose();
        Ca.Dispose();
    }

    private sealed class WithToken(string token, HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.TryAddWithoutValidation("authorization", token);
            return base.SendAsync(request, cancellationToken);
        }
    }
}
