using Corelift.V1;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Corelift.Benchmarks;

/// <summary>What the gRPC stack does by itself: a server that sends one buffer again and again, and a client that drops it.</summary>
internal sealed class ConstantServer : IAsyncDisposable
{
    private const int ChunkBytes = 512 * 1024, StreamWindow = 16 << 20, ConnectionWindow = 64 << 20;

    private readonly WebApplication _app;
    private readonly string _socket;

    private ConstantServer(WebApplication app, string socket) => (_app, _socket) = (app, socket);

    /// <summary>Starts one that sends so many bytes.</summary>
    internal static async Task<ConstantServer> StartAsync(string folder, long bytes)
    {
        string socket = Path.Combine(folder, "constant.sock");
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.Http2.InitialStreamWindowSize = StreamWindow;
            kestrel.Limits.Http2.InitialConnectionWindowSize = ConnectionWindow;
            kestrel.ListenUnixSocket(socket, listen => listen.Protocols = HttpProtocols.Http2);
        });
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(new Service(bytes));
        WebApplication app = builder.Build();
        app.MapGrpcService<Service>();
        await app.StartAsync();
        return new ConstantServer(app, socket);
    }

    /// <summary>Reads everything once.</summary>
    internal async Task DrainAsync(CancellationToken cancellation)
    {
        using GrpcChannel channel = UnixChannel.Connect(_socket);
        using AsyncServerStreamingCall<CaptureResponse> call =
            new SnapshotService.SnapshotServiceClient(channel).Capture(new CaptureRequest(), cancellationToken: cancellation);
        await foreach (CaptureResponse _ in call.ResponseStream.ReadAllAsync(cancellation))
        {
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private sealed class Service(long bytes) : SnapshotService.SnapshotServiceBase
    {
        public override async Task Capture(CaptureRequest request, IServerStreamWriter<CaptureResponse> responseStream, ServerCallContext context)
        {
            byte[] buffer = new byte[ChunkBytes];
            new Random(1).NextBytes(buffer);
            CaptureResponse message = new() { Memory = new MemoryChunk { LengthBytes = ChunkBytes, Data = UnsafeByteOperations.UnsafeWrap(buffer) } };
            for (long sent = 0; sent < bytes; sent += ChunkBytes)
            {
                await responseStream.WriteAsync(message, context.CancellationToken);
            }
        }
    }
}
