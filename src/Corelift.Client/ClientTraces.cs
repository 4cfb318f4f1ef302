using System.Diagnostics;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Corelift.Client;

/// <summary>The client's spans. Whoever listens to <see cref="SourceName"/> gets them; without a listener there are none.</summary>
public static class ClientTraces
{
    /// <summary>Name of the ActivitySource.</summary>
    public const string SourceName = "Corelift.Client";

    internal static ActivitySource Source { get; } = new(SourceName, ClientVersion.Text);

    /// <summary>
    /// Calls within a span of this library's name it as the agent's parent: the HTTP handler's own span, which it names otherwise,
    /// may be seen by nobody. Calls within other spans are left to that handler. Calls without one belong to the trace of whoever
    /// started this program.
    /// </summary>
    internal static CallInvoker WithTraceOf(this CallInvoker invoker, CoreliftClientOptions options)
    {
        bool hasParent = ActivityContext.TryParse(options.TraceParent, options.TraceState, isRemote: true, out _);
        return invoker.Intercept(headers =>
        {
            (string? parent, string? state) = Activity.Current switch
            {
                { Source.Name: SourceName } own => (own.Id, own.TraceStateString),
                null when hasParent => (options.TraceParent, options.TraceState),
                _ => (null, null),
            };
            if (parent is not null)
            {
                headers.Add("traceparent", parent);
            }

            if (!string.IsNullOrEmpty(state))
            {
                headers.Add("tracestate", state);
            }

            return headers;
        });
    }
}

/// <summary>The span of one snapshot. The parts within it are made when they are over.</summary>
internal sealed class SnapshotSpan : IDisposable
{
    private readonly Activity? _span;
    private readonly DateTimeOffset _began = DateTimeOffset.UtcNow;
    private DateTimeOffset? _answered;
    private DateTimeOffset? _received;
    private bool _succeeded;

    internal SnapshotSpan(SnapshotRequest request)
    {
        _span = ClientTraces.Source.StartActivity("corelift.v1.SnapshotService/Capture", ActivityKind.Client);
        _span?.SetTag("rpc.system.name", "grpc");
        _span?.SetTag("rpc.method", "corelift.v1.SnapshotService/Capture");
        if (request.Target is { } target)
        {
            _span?.SetTag("process.pid", (long)target.Pid);
        }
    }

    /// <summary>The agent has sent something; the first time counts.</summary>
    internal void MessageArrived()
    {
        if (_span is not null)
        {
            _answered ??= DateTimeOffset.UtcNow;
        }
    }

    /// <summary>The stream has ended.</summary>
    internal void Received() => _received = DateTimeOffset.UtcNow;

    /// <summary>There is a core.</summary>
    internal void Succeeded(SnapshotResult result)
    {
        _succeeded = true;
        _span?.SetTag("corelift.strategy", result.Strategy.ToString().ToLowerInvariant());
        _span?.SetTag("corelift.threads", result.ThreadCount);
        _span?.SetTag("corelift.memory.bytes", result.ReceivedBytes);
        _span?.SetTag("corelift.outcome", result.IsPartial ? "partial" : "complete");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_span is null)
        {
            return;
        }

        DateTimeOffset now = DateTimeOffset.UtcNow;
        Add("corelift.connect", _began, _answered ?? now);
        if (_answered is { } answered)
        {
            Add("corelift.receive", answered, _received ?? now);
        }

        if (_received is { } received)
        {
            Add("corelift.finish", received, now);
        }

        _ = _succeeded ? _span : _span.SetStatus(ActivityStatusCode.Error);
        _span.Dispose();
    }

    private void Add(string name, DateTimeOffset start, DateTimeOffset end)
    {
        using Activity? part = ClientTraces.Source.StartActivity(name, ActivityKind.Internal, _span!.Context, tags: null, links: null, start);
        _ = part?.SetEndTime((end > start ? end : start.AddTicks(1)).UtcDateTime);
    }
}
