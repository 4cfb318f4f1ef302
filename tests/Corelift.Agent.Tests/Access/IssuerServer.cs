using Corelift.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Corelift.Agent.Tests.Access;

/// <summary>An OpenID Connect issuer's two documents, over https on a free port of 127.0.0.1; what it answers can be changed.</summary>
internal sealed class IssuerServer : IAsyncDisposable
{
    private readonly TestCa _ca = new();
    private readonly ScratchFolder _folder = new();
    private WebApplication? _server;

    /// <summary>CAs of its server.</summary>
    internal string CaFile => _folder.File("ca.crt");

    internal Uri Uri { get; private set; } = null!;

    /// <summary>The key set that it serves.</summary>
    internal string Keys { get; set; } = "{}";

    /// <summary>What it calls itself; null for its address.</summary>
    internal string? Name { get; set; }

    /// <summary>Where it says that the keys are; null for where they are.</summary>
    internal string? KeysAddress { get; set; }

    /// <summary>Status of its answers.</summary>
    internal int Status { get; set; } = 200;

    /// <summary>What each of its answers waits for.</summary>
    internal Task Holds { get; set; } = Task.CompletedTask;

    /// <summary>How often its keys were asked for.</summary>
    internal int Requests;

    internal static async Task<IssuerServer> StartAsync()
    {
        IssuerServer issuer = new();
        await File.WriteAllTextAsync(issuer.CaFile, issuer._ca.Pem);
        await issuer.StartAsync(0);
        return issuer;
    }

    /// <summary>Is there no more; until <see cref="ComeBackAsync"/>.</summary>
    internal async Task GoAsync()
    {
        await _server!.StopAsync();
        await _server.DisposeAsync();
        _server = null;
    }

    internal Task ComeBackAsync() => StartAsync(Uri.Port);

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        _ca.Dispose();
        _folder.Dispose();
    }

    private async Task StartAsync(int port)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(
            System.Net.IPAddress.Loopback, port, listen => listen.UseHttps(_ca.IssueServer().ToCertificate())));
        _server = builder.Build();
        _server.MapGet("/.well-known/openid-configuration", context => AnswerAsync(
            context, $$"""{ "issuer": "{{Name ?? Uri.AbsoluteUri.TrimEnd('/')}}", "jwks_uri": "{{KeysAddress ?? Uri + "keys"}}" }"""));
        _server.MapGet("/keys", context =>
        {
            Interlocked.Increment(ref Requests);
            return AnswerAsync(context, Keys);
        });
        await _server.StartAsync();
        Uri = new Uri(_server.Urls.Single());
    }

    private async Task AnswerAsync(HttpContext context, string text)
    {
        await Holds.WaitAsync(context.RequestAborted);
        context.Response.StatusCode = Status;
        await context.Response.WriteAsync(text);
    }
}
