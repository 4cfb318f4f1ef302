using Corelift.Agent.Access;
using Grpc.Core;

namespace Corelift.Agent.Services;

/// <summary>
/// A call that ends when its caller's certificate or token runs out: its token is cancelled then, so that a stop that is under
/// way is resumed, and the client is told UNAUTHENTICATED. Where the client takes nothing, so that it cannot be told, the call is
/// cut off soon after.
/// </summary>
internal sealed class BoundCallContext : ServerCallContext, IDisposable
{
    private const string HttpContextKey = "__HttpContext"; // where GetHttpContext looks in a context that is not its own
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_longest = TimeSpan.FromDays(20); // what a timer takes

    private readonly ServerCallContext _call;
    private readonly CancellationTokenSource _ended;
    private readonly ITimer _cut;

    /// <param name="call">The call.</param>
    /// <param name="end">When it ends at the latest.</param>
    internal BoundCallContext(ServerCallContext call, DateTimeOffset end)
    {
        _call = call;
        TimeSpan left = end - DateTimeOffset.UtcNow;
        left = left < TimeSpan.Zero ? TimeSpan.Zero : left > s_longest ? s_longest : left;
        HttpContext http = call.GetHttpContext();
        call.UserState[HttpContextKey] = http;
        _ended = CancellationTokenSource.CreateLinkedTokenSource(call.CancellationToken);
        _ended.CancelAfter(left);
        _cut = TimeProvider.System.CreateTimer(_ => http.Abort(), null, left + s_grace, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Whether it was ended because the time had come, and not by the client.</summary>
    internal bool HasExpired => _ended.IsCancellationRequested && !_call.CancellationToken.IsCancellationRequested;

    /// <summary>This context for callers whose identity runs out, and none for others.</summary>
    internal static BoundCallContext? For(ServerCallContext call, Caller caller) =>
        caller.ExpiresAt is { } end ? new BoundCallContext(call, end) : null;

    /// <summary>A writer for a bound call; others keep theirs.</summary>
    internal static IServerStreamWriter<T> Bind<T>(IServerStreamWriter<T> stream, BoundCallContext? call) =>
        call is null ? stream : new TimedStreamWriter<T>(stream, call.CancellationToken, call._call.CancellationToken);

    /// <inheritdoc/>
    public void Dispose()
    {
        _cut.Dispose();
        _ended.Dispose();
    }

    protected override string MethodCore => _call.Method;

    protected override string HostCore => _call.Host;

    protected override string PeerCore => _call.Peer;

    protected override DateTime DeadlineCore => _call.Deadline;

    protected override Metadata RequestHeadersCore => _call.RequestHeaders;

    protected override CancellationToken CancellationTokenCore => _ended.Token;

    protected override Metadata ResponseTrailersCore => _call.ResponseTrailers;

    protected override Status StatusCore
    {
        get => _call.Status;
        set => _call.Status = value;
    }

    protected override WriteOptions? WriteOptionsCore
    {
        get => _call.WriteOptions;
        set => _call.WriteOptions = value;
    }

    protected override AuthContext AuthContextCore => _call.AuthContext;

    protected override IDictionary<object, object> UserStateCore => _call.UserState;

    protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) => _call.CreatePropagationToken(options);

    protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) => _call.WriteResponseHeadersAsync(responseHeaders);
}
