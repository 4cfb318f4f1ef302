using Corelift.Agent.Services;
using Corelift.Capture;
using Google.Rpc;
using Grpc.Core;

namespace Corelift.Agent.Tests;

public sealed class RpcErrorsTests
{
    [Fact]
    public void Every_reason_has_a_status_and_every_outcome_a_reason()
    {
        foreach (ErrorReason reason in Enum.GetValues<ErrorReason>())
        {
            (StatusCode code, string text) = RpcErrors.Look(reason);
            Assert.NotEqual(StatusCode.OK, code);
            Assert.Matches("^[A-Z][A-Z_]*[A-Z]$", text);
        }

        foreach (CaptureFailure failure in Enum.GetValues<CaptureFailure>().Except([CaptureFailure.None, CaptureFailure.Internal]))
        {
            Assert.True(RpcErrors.ReasonOf(failure) != ErrorReason.Internal, failure.ToString());
        }
    }

    [Theory]
    [InlineData(CaptureFailure.NoSuchProcess, StatusCode.NotFound, "NO_SUCH_PROCESS")]
    [InlineData(CaptureFailure.IdentityChanged, StatusCode.Aborted, "IDENTITY_CHANGED")]
    [InlineData(CaptureFailure.OwnProcess, StatusCode.PermissionDenied, "OWN_PROCESS")]
    [InlineData(CaptureFailure.NotAProcess, StatusCode.InvalidArgument, "NOT_A_PROCESS")]
    [InlineData(CaptureFailure.TargetTraced, StatusCode.FailedPrecondition, "TARGET_TRACED")]
    [InlineData(CaptureFailure.TargetBusy, StatusCode.AlreadyExists, "TARGET_BUSY")]
    [InlineData(CaptureFailure.EstimateAboveStopBudget, StatusCode.FailedPrecondition, "STOP_BUDGET")]
    [InlineData(CaptureFailure.StopBudgetOverrun, StatusCode.DeadlineExceeded, "STOP_BUDGET")]
    [InlineData(CaptureFailure.WorkerLost, StatusCode.Unavailable, "WORKER_LOST")]
    [InlineData(CaptureFailure.LeaseNotFound, StatusCode.NotFound, "LEASE_NOT_FOUND")]
    [InlineData(CaptureFailure.LeaseEnded, StatusCode.NotFound, "LEASE_NOT_FOUND")]
    [InlineData(CaptureFailure.TooManyCaptures, StatusCode.ResourceExhausted, "TOO_MANY_CAPTURES")]
    public void Outcomes_have_the_contracts_status_and_reason(CaptureFailure failure, StatusCode code, string reason)
    {
        RpcException error = RpcErrors.Make(new CaptureException(failure, "what happened, and what to do"));
        Assert.Equal(code, error.StatusCode);
        Assert.Equal("what happened, and what to do", error.Status.Detail);
        ErrorInfo info = error.GetRpcStatus()!.GetDetail<ErrorInfo>()!;
        Assert.Equal((reason, "corelift.dev"), (info.Reason, info.Domain));
    }

    [Fact]
    public void A_wrong_field_is_named()
    {
        RpcException error = RpcErrors.InvalidField("ref.pid", "must be 1 to 4194304");
        Assert.Equal((StatusCode.InvalidArgument, "ref.pid must be 1 to 4194304"), (error.StatusCode, error.Status.Detail));
        Google.Rpc.Status status = error.GetRpcStatus()!;
        Assert.Equal("ref.pid", status.GetDetail<ErrorInfo>()!.Metadata["field"]);
        Assert.Equal("ref.pid", Assert.Single(status.GetDetail<BadRequest>()!.FieldViolations).Field);
    }

    [Fact]
    public void Text_of_targets_cannot_write_lines_or_steer_a_terminal()
    {
        RpcException error = RpcErrors.Make(ErrorReason.TargetTraced, "traced by evil\n\u001b[2J\u202e", ("tracer", "a\tb"));
        Assert.Equal("traced by evil\\x0a\\x1b[2J\\x202e: end that tracer first: the kernel allows one", error.Status.Detail);
        Assert.Equal("a\\x09b", error.GetRpcStatus()!.GetDetail<ErrorInfo>()!.Metadata["tracer"]);
    }

    [Fact]
    public void Runtimes_are_told_by_whole_file_names()
    {
        Assert.Equal("coreclr", Find("/usr/share/dotnet/libcoreclr.so"));
        Assert.Equal("jvm", Find("/usr/lib/jvm/libjvm.so (deleted)"));
        Assert.Empty(Find("/tmp/notlibjvm.so"));
        Assert.Empty(Find("libjvm.so"));
        Assert.Equal("go", ProcessDescriber.FindRuntime([], new Linux.Procfs.ExecutableFile(62, "", IsGo: true)));
    }

    private static string Find(string name) => ProcessDescriber.FindRuntime(
        [Linux.Procfs.MapsParser.ParseLine(System.Text.Encoding.UTF8.GetBytes("1000-2000 r-xp 0 fe:00 1 " + name), Linux.Procfs.ProcfsLimits.Default)],
        Linux.Procfs.ExecutableFile.Unknown);
}
