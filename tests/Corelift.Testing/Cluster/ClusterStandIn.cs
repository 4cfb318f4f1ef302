using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Corelift.Testing.Cluster;

/// <summary>How the stand-in misbehaves.</summary>
public enum Trouble
{
    /// <summary>It does not.</summary>
    None,

    /// <summary>It takes the request and never answers.</summary>
    Silent,

    /// <summary>403.</summary>
    Forbidden,

    /// <summary>200, with a page of HTML.</summary>
    Garbage,

    /// <summary>503.</summary>
    Overloaded,

    /// <summary>It cuts the connection.</summary>
    Cut,
}

/// <summary>
/// A small API server: pods by list and watch, reviews, tokens, port-forward. It speaks TLS with a certificate of its own
/// authority and wants to know who calls. It can be stopped, started again on its port, and made to misbehave.
/// </summary>
public sealed class ClusterStandIn : IAsyncDisposable
{
    /// <summary>The node that pods are on unless a test says otherwise.</summary>
    public const string NodeName = "node-1";

    private readonly ScratchFolder _folder = new();
    private readonly ConcurrentDictionary<string, Trouble> _troubles = new();
    private readonly ConcurrentQueue<(string Path, JsonObject? Body)> _requests = new();
    private ClusterCertificates _certificates = new();
    private WebApplication? _host;
    private int _port;

    private ClusterStandIn()
    {
        File.WriteAllText(CaFile, _certificates.Authority);
        File.WriteAllText(TokenFile, Tokens.Issue("corelift", "agent", TimeSpan.FromHours(1), ClusterTokens.ApiAudience));
    }

    /// <summary>Its pods.</summary>
    public ClusterState Pods { get; } = new();

    /// <summary>Its tokens.</summary>
    public ClusterTokens Tokens { get; } = new();

    /// <summary>Rights that it knows of.</summary>
    public ConcurrentBag<ClusterRight> Rights { get; } = [];

    /// <summary>Service accounts that it does not have, by NAMESPACE/NAME; it has all others.</summary>
    public ConcurrentBag<string> Missing { get; } = [];

    /// <summary>Where a port of a pod leads, by NAMESPACE/NAME: a TCP port on loopback.</summary>
    public ConcurrentDictionary<string, int> Forwards { get; } = new();

    /// <summary>Whether a watch from a forgotten version is told so in the stream, as caches do, or by its status code.</summary>
    public bool TellsGoneInStream { get; set; } = true;

    /// <summary>Its address.</summary>
    public string Url => $"https://127.0.0.1:{_port}";

    /// <summary>Authority of its certificate.</summary>
    public string CaFile => _folder.File("ca.crt");

    /// <summary>A token that it takes.</summary>
    public string TokenFile => _folder.File("token");

    /// <summary>Paths that were asked for, with what was posted.</summary>
    public IReadOnlyList<(string Path, JsonObject? Body)> Requests => [.. _requests];

    /// <summary>Arguments of an agent that asks it.</summary>
    public string[] AgentArguments =>
        ["--kubernetes", "on", "--kubernetes-api", Url, "--kubernetes-token-file", TokenFile, "--kubernetes-ca", CaFile, "--node-name", NodeName];

    /// <summary>Starts one.</summary>
    public static async Task<ClusterStandIn> StartAsync()
    {
        ClusterStandIn cluster = new();
        File.SetUnixFileMode(cluster._folder.Path, (UnixFileMode)0b111_101_101);
        await cluster.UpAsync();
        return cluster;
    }

    /// <summary>How many requests went to paths that contain this.</summary>
    public int Count(string part) => _requests.Count(each => each.Path.Contains(part, StringComparison.Ordinal));

    /// <summary>From now on, requests to paths that contain this meet trouble.</summary>
    public void Set(string part, Trouble trouble) => _troubles[part] = trouble;

    /// <summary>A file beside its own, for a kubeconfig.</summary>
    public string WriteFile(string name, string text)
    {
        File.WriteAllText(_folder.File(name), text);
        return _folder.File(name);
    }

    /// <summary>Writes a kubeconfig of one context, with a token of a service account; its path.</summary>
    public string WriteKubeconfig(string context = "test", string space = "shop", string? user = null) => WriteFile($"{context}.kubeconfig", $"""
        apiVersion: v1
        kind: Config
        current-context: {context}
        contexts:
        - name: {context}
          context: {"{"}cluster: here, user: me, namespace: {space}{"}"}
        clusters:
        - name: here
          cluster:
            server: {Url}
            certificate-authority-data: {Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes(_certificates.Authority))}
        users:
        - name: me
          user:
            {user ?? $"token: {Tokens.Issue("shop", "jane", TimeSpan.FromHours(1), ClusterTokens.ApiAudience)}"}
        """);

    /// <summary>A client certificate that it takes, as PEM.</summary>
    public (string Certificate, string Key) IssueClientCertificate(string user) => _certificates.IssueClient(user);

    /// <summary>Gets a new authority and a new certificate, as at a rotation; connections that are there go on.</summary>
    public void RotateCertificates()
    {
        _certificates = new ClusterCertificates();
        File.WriteAllText(CaFile, _certificates.Authority);
    }

    /// <summary>Ends it; connections are cut.</summary>
    public async Task DownAsync()
    {
        if (_host is not null)
        {
            await _host.StopAsync(new CancellationToken(canceled: true));
            await _host.DisposeAsync();
            _host = null;
        }
    }

    /// <summary>Starts it, on the port that it had.</summary>
    public async Task UpAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, _port, listen => listen.UseHttps(https =>
        {
            https.ServerCertificateSelector = (_, _) => _certificates.Server;
            https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
            https.ClientCertificateValidation = (certificate, _, _) => _certificates.Signed(certificate);
        })));
        _host = builder.Build();
        _host.UseWebSockets();
        _host.Use(AdmitAsync);
        new ClusterRoutes(this, _requests.Enqueue).Map(_host);
        await _host.StartAsync();
        _port = new Uri(_host.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await DownAsync();
        _folder.Dispose();
    }

    private async Task AdmitAsync(HttpContext context, RequestDelegate next)
    {
        string path = context.Request.Path + context.Request.QueryString;
        switch (_troubles.FirstOrDefault(each => path.Contains(each.Key, StringComparison.Ordinal)).Value)
        {
            case Trouble.Silent:
                await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
                return;
            case Trouble.Forbidden:
                await ClusterRoutes.RefuseAsync(context, 403, "Forbidden", "pods is forbidden: User \"system:serviceaccount:corelift:agent\" cannot do that");
                return;
            case Trouble.Garbage:
                await context.Response.WriteAsync("<html>It works!</html>\n");
                return;
            case Trouble.Overloaded:
                await ClusterRoutes.RefuseAsync(context, 503, "ServiceUnavailable", "apiserver is shutting down");
                return;
            case Trouble.Cut:
                context.Abort();
                return;
            default:
                break;
        }

        string? token = context.Request.Headers.Authorization.ToString() is ['B', 'e', 'a', 'r', 'e', 'r', ' ', .. var rest] ? rest : null;
        X509Certificate2? certificate = context.Connection.ClientCertificate;
        if (certificate is null && (token is null || Tokens.Verify(token, [ClusterTokens.ApiAudience]) is null))
        {
            await ClusterRoutes.RefuseAsync(context, 401, "Unauthorized", "Unauthorized");
            return;
        }

        await next(context);
    }
}
