using System.Security.Cryptography;
using Corelift.Agent.Access;
using Corelift.Capture;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Corelift.Agent.Services;

/// <summary>
/// Around every call, health and reflection among them: refuses peers that may not call and calls that come while the agent
/// stops, and turns whatever a service throws into an error of the table.
/// </summary>
internal sealed class CallInterceptor(ShutdownGate gate, ILogger<CallInterceptor> logger) : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        Admit(context);
        try
        {
            return await continuation(request, context).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is not RpcException)
        {
            throw Translate(failure, context);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Admit(context);
        try
        {
            await continuation(request, responseStream, context).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is not RpcException)
        {
            throw Translate(failure, context);
        }
    }

    public override async Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Admit(context);
        try
        {
            return await continuation(requestStream, context).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is not RpcException)
        {
            throw Translate(failure, context);
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Admit(context);
        try
        {
            await continuation(requestStream, responseStream, context).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is not RpcException)
        {
            throw Translate(failure, context);
        }
    }

    private void Admit(ServerCallContext context)
    {
        PeerAccess access = context.GetHttpContext().Features.Get<PeerAccess>() ?? PeerAccess.Refused;
        if (!access.IsAllowed)
        {
            logger.PeerRefused(context.Method, access.ToString());
            throw RpcErrors.Make(ErrorReason.PeerNotAllowed, $"{access} may not use this agent");
        }

        // Who asks for the health of an agent that stops is told that it does not serve.
        if (gate.IsClosed && !context.Method.StartsWith("/grpc.health.v1.Health/", StringComparison.Ordinal))
        {
            throw RpcErrors.Make(ErrorReason.ShuttingDown, "the agent is stopping");
        }

        context.GetHttpContext().Features.Set(access.Caller);
    }

    private RpcException Translate(Exception failure, ServerCallContext context)
    {
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
