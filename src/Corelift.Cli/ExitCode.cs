using Corelift.Client;
using Grpc.Core;

namespace Corelift.Cli;

/// <summary>What the program's exit codes mean. Part of its interface: scripts depend on them.</summary>
internal static class ExitCode
{
    internal const int Ok = 0;
    internal const int Failure = 1;
    internal const int Usage = 2;
    internal const int Unreachable = 3;
    internal const int Refused = 4;
    internal const int TargetGone = 5;
    internal const int Broken = 6;
    internal const int Partial = 7;
    internal const int Interrupted = 130;

    internal const string Help = """
        Exit codes:
          0    done
          1    failed: the output cannot be written, the core is unsound, or anything not listed here
          2    wrong usage
          3    no agent answers
          4    the agent refused: not permitted, or the target is not in a state for it; or a sealed snapshot is for other keys
          5    the target, or the lease, does not exist (any more)
          6    the transfer broke off, or the agent broke the protocol, or a sealed file was changed or cut off; no core was kept
          7    the core is partial: the agent had to give up memory that should be in it
          130  interrupted
        """;

    internal static int Of(AgentException failure) => failure switch
    {
        AgentUnreachableException => Unreachable,
        { Reason: "TARGET_GONE" or "IDENTITY_CHANGED" } => TargetGone,
        { Reason: "STOP_BUDGET" or "TARGET_TRACED" or "TARGET_BUSY" } => Refused,
        _ => failure.Status switch
        {
            StatusCode.InvalidArgument or StatusCode.OutOfRange => Usage,
            StatusCode.NotFound or StatusCode.Aborted => TargetGone,
            StatusCode.PermissionDenied or StatusCode.Unauthenticated or StatusCode.FailedPrecondition
                or StatusCode.AlreadyExists or StatusCode.ResourceExhausted or StatusCode.Unimplemented => Refused,
            _ => Failure,
        },
    };

    internal static int Of(SnapshotException failure) => failure.Failure switch
    {
        SnapshotFailure.Output => Failure,
        SnapshotFailure.Sealed => Refused,
        _ => Broken,
    };
}
