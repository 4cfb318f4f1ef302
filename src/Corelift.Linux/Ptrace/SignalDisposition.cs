using System.Buffers.Text;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// Which signals end a blocked call. A task that nobody traces never hears of a signal that its process ignores; a seized
/// one does, is woken by it, and drops it only afterwards, so such a signal is no reason for EINTR.
/// </summary>
internal sealed class SignalDisposition : IDisposable
{
    // SIGCHLD, SIGCONT, SIGURG and SIGWINCH: ignored unless there is a handler (signal(7)).
    private const ulong IgnoredByDefault = (1UL << 16) | (1UL << 17) | (1UL << 22) | (1UL << 27);

    private readonly ProcessDirectory _directory;
    private readonly ProcfsBuffer _buffer = new();

    internal SignalDisposition(ProcessDirectory directory) => _directory = directory;

    /// <summary>
    /// Whether a signal waits for the stopped task, or is on its way to it, that would have ended its call without us.
    /// </summary>
    internal bool HasSignal(in Tracee tracee)
    {
        ulong pending = PtraceCalls.PendingSignals(tracee.Tid, BlockedInCall(tracee));
        if (tracee.Kind == PtraceStopKind.SignalDelivery && tracee.Signal is > 0 and <= 64)
        {
            pending |= 1UL << (tracee.Signal - 1);
        }

        return pending != 0 && (pending & ~Dropped()) != 0;
    }

    /// <inheritdoc/>
    public void Dispose() => _buffer.Dispose();

    /// <summary>
    /// PTRACE_GETSIGMASK gives the mask from before the call; epoll_pwait and the like wait with another.
    /// </summary>
    private static ulong BlockedInCall(in Tracee tracee)
    {
        ulong address = InterruptedCall.SignalMaskAddress(tracee.Registers, tracee.Tid);
        return address != 0 && ProcessMemory.TryRead(tracee.Tid, address, out ulong mask) ? mask : tracee.Blocked;
    }

    /// <summary>Signals that the process drops; none where /proc does not say.</summary>
    private ulong Dropped()
    {
        try
        {
            lock (_buffer)
            {
                ReadOnlySpan<byte> status = _directory.ReadFile("status", _buffer);
                return Mask(status, "\nSigIgn:\t"u8) | (IgnoredByDefault & ~Mask(status, "\nSigCgt:\t"u8));
            }
        }
        catch (Exception failure) when (failure is SyscallException or ProcfsFormatException)
        {
            return 0;
        }
    }

    private static ulong Mask(ReadOnlySpan<byte> status, ReadOnlySpan<byte> label)
    {
        int at = status.IndexOf(label);
        return at >= 0 && Utf8Parser.TryParse(status[(at + label.Length)..], out ulong mask, out _, 'x') ? mask : 0;
    }
}
