using System.Diagnostics;
using Google.Rpc;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.AspNetCore.Http.Features;

namespace Corelift.Agent.Telemetry;

/// <summary>
/// The outermost look at every call: its span gets the names of OpenTelemetry's conventions for RPC, its duration is
/// measured, and what it was refused for is counted. It changes nothing of the call.
/// </summary>
internal sealed class TelemetryInterceptor : Interceptor
{
    private const string HealthPrefix = "/grpc.health.v1.Health/";

    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        using var call = new ObservedCall(context);
        try
        {
            return await continuation(request, context).ConfigureAwait(false);
        }
        catch (RpcException failure)
        {
            call.Failed(failure);
            throw;
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        using var call = new ObservedCall(context);
        try
        {
            await continuation(request, responseStream, context).ConfigureAwait(false);
        }
        catch (RpcException failure)
        {
            call.Failed(failure);
            throw;
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        using var call = new ObservedCall(context);
        try
        {
            await continuation(requestStream, responseStream, context).ConfigureAwait(false);
        }
        catch (RpcException failure)
        {
            call.Failed(failure);
            throw;
        }
    }

    private sealed class ObservedCall : IDisposable
    {
        private readonly long _began = TimeProvider.System.GetTimestamp();
        private readonly string _method;
        private readonly Activity? _span;
        private string _status = "OK";
        private string? _reason;

        internal ObservedCall(ServerCallContext context)
        {
            _method = context.Method.TrimStart('/');
            _span = context.GetHttpContext().Features.Get<IHttpActivityFeature>()?.Activity;
            if (_span is null)
            {
                return;
            }

            if (context.Method.StartsWith(HealthPrefix, StringComparison.Ordinal))
            {
                // Probes ask every few seconds: nobody looks for them in traces.
                _span.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
            }

            _span.DisplayName = _method;
            _span.SetTag("rpc.system.name", "grpc");
            _span.SetTag("rpc.method", _method);
        }

        internal void Failed(RpcException failure)
        {
            _status = Spell(failure.StatusCode);
            _reason = failure.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason;
            if (_reason is null)
            {
                return;
            }

            CoreliftMetrics.Refusals.Add(1, new(CoreliftTraces.Reason, _reason), new("rpc.method", _method));
            if (_reason == "STOP_BUDGET" && failure.StatusCode == StatusCode.DeadlineExceeded)
            {
                CoreliftMetrics.StopBudgetOverruns.Add(1);
            }
        }

        public void Dispose()
        {
            double seconds = TimeProvider.System.GetElapsedTime(_began).TotalSeconds;
            KeyValuePair<string, object?> system = new("rpc.system.name", "grpc"), method = new("rpc.method", _method), status = new("rpc.response.status_code", _status);
            CoreliftMetrics.CallDuration.Record(seconds, system, method, status);
            _span?.SetTag("rpc.response.status_code", _status);
            if (_status != "OK")
            {
                _span?.SetTag("error.type", _reason ?? _status);
                _span?.SetStatus(ActivityStatusCode.Error);
            }
        }

        /// <summary>The code as gRPC's documents spell it: NotFound is NOT_FOUND.</summary>
        private static string Spell(StatusCode code) => code switch
        {
            StatusCode.OK => "OK",
            _ => string.Concat(code.ToString().Select((letter, i) => i > 0 && char.IsUpper(letter) ? $"_{letter}" : $"{char.ToUpperInvariant(letter)}")),
        };
    }
}
