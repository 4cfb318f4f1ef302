using Corelift.Capture.Planning;
using Corelift.Linux;
using Corelift.Linux.Procfs;
using Corelift.Linux.Ptrace;

namespace Corelift.Capture.Worker;

/// <content>What went wrong, in words.</content>
internal sealed partial class StoppedTarget
{
    private CaptureException Describe(TraceOutcome outcome) => outcome switch
    {
        TraceOutcome.TargetExited => new CaptureException(CaptureFailure.TargetExited, $"process {_directory.Pid} ended while it was being stopped"),
        TraceOutcome.TargetExeced => new CaptureException(
            CaptureFailure.TargetExeced, $"process {_directory.Pid} called execve while it was being stopped: look at the new program and try again"),
        TraceOutcome.AlreadyTraced => new CaptureException(CaptureFailure.TargetTraced, DescribeTracer()),
        TraceOutcome.UnsupportedArchitecture => new CaptureException(
            CaptureFailure.UnsupportedArchitecture, $"thread {Session.BlamedTid} of process {_directory.Pid} runs in a mode other than 64-bit x86"),
        TraceOutcome.Denied => new CaptureException(
            CaptureFailure.DeniedByKernel,
            $"the kernel refuses to trace thread {Session.BlamedTid} of process {_directory.Pid}: check the agent's CAP_SYS_PTRACE, kernel.yama.ptrace_scope and security modules"),
        _ => new CaptureException(
            CaptureFailure.StopBudgetOverrun,
            $"thread {Session.BlamedTid} of process {_directory.Pid} did not stop within the stop budget ({DescribeWait()}): every thread runs again; raise the budget or try later"),
    };

    private string DescribeTracer()
    {
        try
        {
            using ProcessDirectory task = _directory.ForTask(Session.BlamedTid);
            return TargetFacts.DescribeTracer(_directory.Pid, task.ReadStatus().TracerPid);
        }
        catch (SyscallException)
        {
            return $"process {_directory.Pid} is traced by another process: only one tracer is possible, so end that one first";
        }
    }

    private string DescribeWait()
    {
        try
        {
            using ProcessDirectory task = _directory.ForTask(Session.BlamedTid);
            string place = System.Text.Encoding.ASCII.GetString(task.ReadFile("wchan"));
            return $"state {task.ReadStat().State}, waiting in {(place is "0" or "" ? "the kernel" : place)}";
        }
        catch (SyscallException)
        {
            return "it has gone since";
        }
    }
}
