using Corelift.V1;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Corelift.Client.Tests.Scripted;

/// <summary>An agent in this process that says what a test tells it to, on a Unix socket: a good one, a broken one, a hostile one.</summary>
public sealed class ScriptedAgent : IAsyncDisposable
{
    private readonly WebApplication _host;

    private ScriptedAgent(string folder, WebApplication host, AgentScript script)
    {
        Folder = folder;
        _host = host;
        Script = script;
    }

    public AgentScript Script { get; }

    /// <summary>A folder for this agent and its test alone.</summary>
    public string Folder { get; }

    public string SocketPath => Path.Combine(Folder, "agent.sock");

    public string Address => $"unix:{SocketPath}";

    public static async Task<ScriptedAgent> StartAsync(AgentScript? script = null)
    {
        script ??= new AgentScript();
        string folder = Directory.CreateTempSubdirectory("corelift-").FullName;
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(
            Path.Combine(folder, "agent.sock"), listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc(options =>
        {
            options.MaxReceiveMessageSize = null;
            options.EnableDetailedErrors = true;
        });
        builder.Services.AddGrpcHealthChecks();
        builder.Services.AddSingleton(script);
        WebApplication host = builder.Build();
        host.MapGrpcService<ScriptedProcesses>();
        host.MapGrpcService<ScriptedControl>();
        host.MapGrpcService<ScriptedSnapshots>();
        host.MapGrpcHealthChecksService();
        await host.StartAsync();
        return new ScriptedAgent(folder, host, script);
    }

    public CoreliftClient Connect() => CoreliftClient.Connect(AgentAddress.Parse(Address));

    /// <summary>Files that the test left, the socket apart.</summary>
    public IReadOnlyList<string> FilesLeft() =>
        [.. Directory.EnumerateFileSystemEntries(Folder).Select(path => Path.GetFileName(path)).Where(name => name != "agent.sock")];

    public string File(string name) => Path.Combine(Folder, name);

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync(new CancellationToken(canceled: true));
        await _host.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>Ends the whole connection that a call came by, as a killed agent does.</summary>
    public static void Cut(ServerCallContext context) =>
        context.GetHttpContext().Features.Get<IConnectionLifetimeFeature>()!.Abort();
}

/// <summary>What a scripted agent answers; a part that a test does not set answers UNIMPLEMENTED.</summary>
public sealed class AgentScript
{
    public Func<CaptureRequest, IServerStreamWriter<CaptureResponse>, ServerCallContext, Task> Capture { get; set; } = (_, _, _) => throw Unset();

    public Func<PlanRequest, PlanResponse> Plan { get; set; } = _ => throw Unset();

    public Func<ListProcessesRequest, ListProcessesResponse> ListProcesses { get; set; } = _ => throw Unset();

    public Func<GetProcessRequest, GetProcessResponse> GetProcess { get; set; } = _ => throw Unset();

    public Func<ListThreadsRequest, ListThreadsResponse> ListThreads { get; set; } = _ => throw Unset();

    public Func<ListVmasRequest, ListVmasResponse> ListVmas { get; set; } = _ => throw Unset();

    public Func<StopRequest, StopResponse> Stop { get; set; } = _ => throw Unset();

    public Func<KeepAliveRequest, KeepAliveResponse> KeepAlive { get; set; } = _ => throw Unset();

    public Func<ResumeRequest, ResumeResponse> Resume { get; set; } = _ => throw Unset();

    public Func<GetRegistersRequest, IEnumerable<GetRegistersResponse>> GetRegisters { get; set; } = _ => throw Unset();

    public Func<ReadMemoryRequest, IEnumerable<ReadMemoryResponse>> ReadMemory { get; set; } = _ => throw Unset();

    /// <summary>Answers every capture with these messages.</summary>
    public void CaptureWith(IEnumerable<CaptureResponse> messages) => Capture = async (_, writer, context) =>
    {
        foreach (CaptureResponse message in messages)
        {
            await writer.WriteAsync(message, context.CancellationToken);
        }
    };

    private static RpcException Unset() => new(new Status(StatusCode.Unimplemented, "the script of this test has no such part"));
}
