using Corelift.Agent.Access;
using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace Corelift.Agent.Tests;

/// <summary>A call of somebody, without a connection.</summary>
internal sealed class CallContext : ServerCallContext
{
    private readonly Dictionary<object, object> _state = [];

    internal CallContext(Caller caller)
    {
        DefaultHttpContext http = new();
        http.Features.Set(caller);
        _state["__HttpContext"] = http; // where Grpc.AspNetCore looks for it
    }

    protected override string MethodCore => "test";

    protected override string HostCore => "localhost";

    protected override string PeerCore => "unix:";

    protected override DateTime DeadlineCore => DateTime.MaxValue;

    protected override Metadata RequestHeadersCore => [];

    protected override CancellationToken CancellationTokenCore => CancellationToken.None;

    protected override Metadata ResponseTrailersCore => [];

    protected override Status StatusCore { get; set; }

    protected override WriteOptions? WriteOptionsCore { get; set; }

    protected override AuthContext AuthContextCore => new(null, []);

    protected override IDictionary<object, object> UserStateCore => _state;

    protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) => throw new NotSupportedException();

    protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) => Task.CompletedTask;
}
