using Corelift.Linux.Interop;
using Corelift.Linux.Memory;

namespace Corelift.Linux.Ptrace;

/// <content>Taking tasks back that a lost worker left in the middle of a call and that cannot run the way home: they are job-stopped.</content>
public sealed partial class TraceSession
{
    /// <summary>
    /// Gives every group-stopped task that stands at a frame of ours the registers and the signal mask that lie in the frame,
    /// and the scratch memory its zeros. Every task must be stopped and its registers read.
    /// </summary>
    public void TakeBackFromFrames()
    {
        byte[] scratch = new byte[RemoteCaller.ScratchBytes()];
        for (int i = 0; i < StoppedCount; i++)
        {
            ref Tracee tracee = ref _tracees[i];
            if (tracee is { Kind: PtraceStopKind.GroupStop, HasRegisters: true } && tracee.Registers.Rsp % 4096 == 0)
            {
                TakeBack(ref tracee, scratch);
            }
        }
    }

    private static void TakeBack(ref Tracee tracee, byte[] scratch)
    {
        var memory = new ProcessMemory(tracee.Tid);
        ulong frame = tracee.Registers.Rsp;
        if (memory.Read(new RemoteAddress(frame), scratch) != scratch.Length || !SignalFrame.IsOurs(scratch))
        {
            return;
        }

        UserRegs own = SignalFrame.Read(scratch, tracee.Registers, out ulong mask);
        if (PtraceCalls.SetRegisters(tracee.Tid, own) != Errno.None || PtraceCalls.SetSignalMask(tracee.Tid, mask) != Errno.None)
        {
            return; // killed meanwhile
        }

        (tracee.Registers, tracee.Blocked, tracee.MakesCallAgain) = (own, mask, false);
        scratch.AsSpan().Clear();
        _ = memory.TryWrite(frame, scratch);
    }
}
