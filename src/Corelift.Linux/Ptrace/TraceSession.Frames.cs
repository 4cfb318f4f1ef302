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
    /// <returns>Number of tasks that were taken back.</returns>
    public int TakeBackFromFrames()
    {
        int taken = 0;
        byte[] scratch = new byte[(RemoteCaller.ScratchBytes() + 4095) & ~4095];
        for (int i = 0; i < StoppedCount; i++)
        {
            ref Tracee tracee = ref _tracees[i];
            if (tracee is { Kind: PtraceStopKind.GroupStop, HasRegisters: true } && tracee.Registers.Rsp % 4096 == 0)
            {
                taken += TakeBack(ref tracee, scratch) ? 1 : 0;
            }
        }

        return taken;
    }

    private static bool TakeBack(ref Tracee tracee, byte[] scratch)
    {
        var memory = new ProcessMemory(tracee.Tid);
        ulong frame = tracee.Registers.Rsp;
        if (memory.Read(new RemoteAddress(frame), scratch) != scratch.Length || !SignalFrame.IsOurs(scratch))
        {
            return false;
        }

        UserRegs own = SignalFrame.Read(scratch, tracee.Registers, out ulong mask);
        if (PtraceCalls.SetRegisters(tracee.Tid, own) != Errno.None || PtraceCalls.SetSignalMask(tracee.Tid, mask) != Errno.None)
        {
            return false; // killed meanwhile
        }

        (tracee.Registers, tracee.Blocked, tracee.MakesCallAgain) = (own, mask, false);
        scratch.AsSpan().Clear();
        return memory.TryWrite(frame, scratch);
    }
}
