using System.Security.Cryptography;
using Corelift.Agent.Access;
using Corelift.Capture;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Corelift.Agent.Services;

/// <summary>
/// Around every call, health and reflection among them: refuses callers that are not known and calls that come while the
/// agent stops, and turns whatever a service throws into an error of the table.
/// </summary>
internal sealed class CallInterceptor(ShutdownGate gate, CallerAuthentication authentication, ILogger<CallInterceptor> logger) : Interceptor
{
    private readonly LogLimiter _limiter = new();

    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        using BoundCallContext? bound = await AdmitAsync(context).ConfigureAwait(false);
        try
        {
            return await continuation(request, bound ?? context).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is not RpcException || bound is { HasExpired: true })
        {
            throw Translate(failure, context, bound);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        using BoundCallContext? bound = await AdmitAsync(context).ConfigureAwait(false);
        try
        {
            await continuation(request, BoundCallContext.Bind(responseStream, bound), bound ?? context).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is not RpcException || bound is { HasExpired: true })
        {
            throw Translate(failure, context, bound);
        }
    }

    public override async Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        using BoundCallContext? bound = await AdmitAsync(context).ConfigureAwait(false);
        try
        {
            return await continuation(requestStream, bound ?? context).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is not RpcException || bound is { HasExpired: true })
        {
            throw Translate(failure, context, bound);
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        using BoundCallContext? bound = await AdmitAsync(context).ConfigureAwait(false);
        try
        {
            await continuation(requestStream, BoundCallContext.Bind(responseStream, bound), bound ?? context).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is not RpcException || bound is { HasExpired: true })
        {
            throw Translate(failure, context, bound);
        }
    }

    /// <summary>Finds out who calls, and notes it for the service (feature <see cref="Caller"/>).</summary>
    /// <returns>The context to serve the call with; null for its own.</returns>
    private async ValueTask<BoundCallContext?> AdmitAsync(ServerCallContext context)
    {
        HttpContext http = context.GetHttpContext();
        Caller caller;
        try
        {
            caller = await authentication.AuthenticateAsync(http, context.Method, context.CancellationToken).ConfigureAwait(false);
        }
        catch (RpcException refusal)
        {
            if (_limiter.Allows())
            {
                logger.CallRefused(context.Method, (http.Features.Get<PeerAccess>() ?? PeerAccess.Refused).ToString(), refusal.Status.Detail);
            }

            throw;
        }
        catch (OperationCanceledException) when (context.CancellationToken.IsCancellationRequested)
        {
            throw new RpcException(new Status(StatusCode.Cancelled, "cancelled by the client"));
        }

        // Who asks for the health of an agent that stops is told that it does not serve.
        if (gate.IsClosed && !context.Method.StartsWith("/grpc.health.v1.Health/", StringComparison.Ordinal))
        {
            throw RpcErrors.Make(ErrorReason.ShuttingDown, "the agent is stopping");
        }

        http.Features.Set(caller);
        return BoundCallContext.For(context, caller);
    }

    private RpcException Translate(Exception failure, ServerCallContext context, BoundCallContext? bound)
    {
        if (bound is { HasExpired: true })
        {
            return CallerAuthentication.Expired(context.GetHttpContext().Features.Get<Caller>()!);
        }

        if (failure is CaptureException { Failure: not (CaptureFailure.Internal or CaptureFailure.None) } known)
        {
            return RpcErrors.Make(known);
        }

        if (context.CancellationToken.IsCancellationRequested)
        {
            return new RpcException(new Status(StatusCode.Cancelled, "cancelled by the client"));
        }

        if (gate.IsClosed)
        {
            return RpcErrors.Make(ErrorReason.ShuttingDown, "the agent is stopping");
        }

        string id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
        logger.CallFailed(context.Method, id, failure);
        return RpcErrors.Make(ErrorReason.Internal, $"the agent failed in a way that it does not know (error id {id})", ("error_id", id));
    }
}
