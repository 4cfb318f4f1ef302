using Corelift.Agent.Services;
using Grpc.Core;

namespace Corelift.Agent.Access;

/// <summary>Who makes a call.</summary>
internal static class CallerFeature
{
    /// <summary>The caller that the interceptor let in.</summary>
    /// <exception cref="RpcException">PERMISSION_DENIED: it let in nobody.</exception>
    internal static Caller GetCaller(this ServerCallContext context) =>
        context.GetHttpContext().Features.Get<Caller>() ?? throw RpcErrors.Make(ErrorReason.PeerNotAllowed, "nobody is known to call");
}
