using Corelift.Capture;
using Corelift.Linux;
using Corelift.Linux.Procfs;
using Corelift.V1;
using Google.Protobuf;
using TaskStatus = Corelift.Linux.Procfs.TaskStatus;

namespace Corelift.Agent.Services;

/// <summary>Facts of a process for the notes of its core, read before it is stopped.</summary>
internal static class CoreInfo
{
    private const int MostArgumentBytes = 80; // ELF_PRARGSZ

    /// <exception cref="CaptureException">The process has gone.</exception>
    internal static CoreProcessInfo Read(int pid)
    {
        try
        {
            using ProcessDirectory directory = ProcessDirectory.Open(pid);
            TaskStat stat = directory.ReadStat();
            TaskStatus status = directory.ReadStatus();
            byte[] arguments = new byte[MostArgumentBytes];
            int length = directory.ReadStart("cmdline", arguments);
            while (length > 0 && arguments[length - 1] == 0)
            {
                length--;
            }

            arguments.AsSpan(0, length).Replace((byte)0, (byte)' ');
            return new CoreProcessInfo
            {
                State = stat.State.ToString(),
                Nice = (int)stat.Nice,
                Flags = stat.Flags,
                Uid = status.Uid.Real,
                Gid = status.Gid.Real,
                Pid = (uint)pid,
                ParentPid = (uint)stat.ParentPid,
                ProcessGroup = (uint)Math.Max(0, stat.ProcessGroup),
                Session = (uint)Math.Max(0, stat.Session),
                Name = ByteString.CopyFrom(stat.NameBytes.Span),
                Arguments = ByteString.CopyFrom(arguments.AsSpan(0, length)),
            };
        }
        catch (SyscallException failure) when (failure.IsTaskGone)
        {
            throw new CaptureException(CaptureFailure.TargetExited, $"process {pid} ended while it was looked at");
        }
    }
}
