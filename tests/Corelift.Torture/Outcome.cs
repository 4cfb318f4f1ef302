using Google.Rpc;
using Grpc.Core;

namespace Corelift.Torture;

/// <summary>How a session ended, as its client was told.</summary>
/// <param name="Code">The status.</param>
/// <param name="Reason">The reason in its ErrorInfo; empty where there is none.</param>
/// <param name="Text">Its text.</param>
/// <param name="IsWhole">Whether a core was delivered, and said to be whole.</param>
internal sealed record Outcome(StatusCode Code, string Reason, string Text, bool IsWhole)
{
    /// <summary>For counting.</summary>
    internal string Name => Code == StatusCode.OK ? IsWhole ? "whole" : "ok" : Reason.Length > 0 ? Reason : Code.ToString();

    internal static Outcome Of(RpcException failure) => new(
        failure.StatusCode, failure.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason ?? string.Empty, failure.Status.Detail, false);

    /// <summary>What is wrong with it after a fault; empty where nothing is.</summary>
    internal string Judge(TortureCase torture)
    {
        bool toldByNobody = Reason.Length == 0 && Code is StatusCode.Unavailable or StatusCode.Cancelled or StatusCode.Internal;
        if (Code == StatusCode.OK || (toldByNobody && (torture.Fault.EndsTheAgent() || torture.Fault is Fault.Cancel or Fault.Disconnect)))
        {
            return string.Empty;
        }

        return Reason.Length == 0 || string.IsNullOrWhiteSpace(Text) ? $"a status that names no reason: {Code} ({Text})"
            : Reason == "INTERNAL" ? $"an internal error: {Text}"
            : Reason is "TARGET_EXITED" or "NO_SUCH_PROCESS" or "ZOMBIE" && torture.Fault != Fault.TargetKill && torture.Target.Name != "execer"
                ? $"the target lives, and yet {Reason}: {Text}"
            : torture.Fault == Fault.None && !torture.Target.MayBeRefused ? $"nothing was done to it, and yet {Reason}: {Text}"
            : string.Empty;
    }
}
