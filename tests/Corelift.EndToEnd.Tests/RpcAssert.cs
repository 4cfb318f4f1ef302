using Google.Rpc;
using Grpc.Core;

namespace Corelift.EndToEnd.Tests;

/// <summary>Judges of failed calls.</summary>
public static class RpcAssert
{
    /// <summary>The call fails with one of the codes, a reason in its ErrorInfo, and a text that says something.</summary>
    public static async Task<string> FailsAsync(Func<Task> call, params StatusCode[] codes)
    {
        RpcException failure = await Assert.ThrowsAnyAsync<RpcException>(call);
        Assert.True(codes.Contains(failure.StatusCode), $"{failure.StatusCode} ({failure.Status.Detail}) is none of {string.Join(", ", codes)}");
        Assert.False(string.IsNullOrWhiteSpace(failure.Status.Detail), "an error without a text");
        string? reason = failure.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason;
        Assert.False(string.IsNullOrEmpty(reason), $"no ErrorInfo with a reason: {failure.Status.Detail}");
        return reason;
    }

    /// <summary>The call fails with this code and this reason.</summary>
    public static async Task FailsWithReasonAsync(Func<Task> call, StatusCode code, string reason) =>
        Assert.Equal(reason, await FailsAsync(call, code));
}
