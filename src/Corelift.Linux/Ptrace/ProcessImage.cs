using Corelift.Linux.Interop;
using Corelift.Linux.Processes;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// A child of the target that never runs the target's code. As a fork image it has a copy-on-write copy of the memory; as a
/// peer it shares the memory itself and serves to open the target's mem and pagemap without a descriptor ever appearing in
/// the target's own table. It is born stopped, dies with its tracer (PTRACE_O_EXITKILL), has no exit signal, so that the
/// target sees no SIGCHLD, and stands on a stack whose frame leads into exit_group: let go at any moment, it only exits.
/// </summary>
public sealed class ProcessImage
{
    private const ulong ShareMemory = 0x100;        // CLONE_VM
    private const ulong ShareFiles = 0x400;         // CLONE_FILES
    private const ulong Unshare = 2;                // CLOSE_RANGE_UNSHARE
    private const ulong CurrentDirectory = unchecked((ulong)-100); // AT_FDCWD
    private const ulong ReadOnlyCloseOnExec = 0x80000;
    private const ulong WriteOnlyCloseOnExec = 0x80001;
    private const int SetDumpable = 4;              // PR_SET_DUMPABLE

    private readonly RemoteCaller _caller;
    private readonly bool _isPeer;
    private readonly int _pidfd;

    private ProcessImage(RemoteCaller caller, int tid, int pidInTarget, bool isPeer)
    {
        _caller = caller;
        _isPeer = isPeer;
        Tid = tid;
        PidInTarget = pidInTarget;
        _pidfd = LibC.PidfdOpen(tid, 0);
    }

    /// <summary>Its pid in our pid namespace.</summary>
    public int Tid { get; }

    /// <summary>Its pid in the target's pid namespace; what the target's wait4 knows it by.</summary>
    public int PidInTarget { get; }

    /// <summary>
    /// Makes an image in the prepared task. The table of descriptors is shared at first, so that peers of the target's sockets
    /// never wait for an image's copy to be closed, and left for an empty one by <see cref="LeaveFileTable"/>.
    /// </summary>
    /// <param name="caller">The prepared task.</param>
    /// <param name="isPeer">Whether to share the memory instead of copying the page tables.</param>
    /// <param name="deadline">In nanoseconds of CLOCK_MONOTONIC.</param>
    /// <param name="errno">Why the kernel refused, where null is returned (EAGAIN: pids limit; ENOMEM).</param>
    internal static ProcessImage? Create(RemoteCaller caller, bool isPeer, long deadline, out Errno errno)
    {
        long result = caller.Clone(deadline, ShareFiles | (isPeer ? ShareMemory : 0), out int child);
        errno = result < 0 ? (Errno)(-result) : Errno.None;
        if (result <= 0 || child <= 0)
        {
            return null;
        }

        if (isPeer)
        {
            // A thread of the target is stopped for as long as the peer lives: on a busy machine each of its dozen calls would
            // wait its turn, and the thread for seconds.
            _ = SelfControl.RaisePriorityOf(child);
        }

        return new ProcessImage(caller, child, (int)result, isPeer);
    }

    /// <summary>
    /// Gives the image an empty table of its own: close_range(0, ~0, CLOSE_RANGE_UNSHARE) copies nothing and closes nothing.
    /// </summary>
    /// <returns>Whether the kernel has it (Linux 5.9); without it nothing may be opened in the image.</returns>
    internal bool LeaveFileTable(long deadline) =>
        _caller.CallInImage(Tid, deadline, SyscallNumber.CloseRange, [0, uint.MaxValue, Unshare]) == 0;

    /// <summary>Opens a file below /proc/self in the image and takes the descriptor over.</summary>
    /// <param name="name">"mem", "pagemap", "auxv" or "status".</param>
    /// <param name="deadline">In nanoseconds of CLOCK_MONOTONIC.</param>
    /// <returns>The descriptor, or null where the target's mounts have no /proc, or its owner is another.</returns>
    internal SafeFileHandle? Open(string name, long deadline)
    {
        string path = $"/proc/self/{name}";
        long descriptor = OpenPath(path, ReadOnlyCloseOnExec, deadline);
        if (descriptor < 0 && !_isPeer && IsNonDumpable(deadline))
        {
            // A non-dumpable process's files belong to root. The image is ours: it may open its own for a moment.
            _ = _caller.CallInImage(Tid, deadline, SyscallNumber.Prctl, [SetDumpable, 1, 0, 0, 0]);
            descriptor = OpenPath(path, ReadOnlyCloseOnExec, deadline);
            _ = _caller.CallInImage(Tid, deadline, SyscallNumber.Prctl, [SetDumpable, 0, 0, 0, 0]);
        }

        return TakeOver(descriptor);
    }

    /// <summary>
    /// Makes a userfaultfd(2) in the image and takes it over. Made in a peer, it is bound to the target's own memory, and ours
    /// is the only descriptor of it once the peer has gone.
    /// </summary>
    /// <param name="deadline">In nanoseconds of CLOCK_MONOTONIC.</param>
    /// <returns>The descriptor, or null where the kernel or a limit refuses.</returns>
    internal SafeFileHandle? OpenUserfault(long deadline)
    {
        const ulong UserModeOnly = 1;           // UFFD_USER_MODE_ONLY: allowed to everybody
        const ulong NonBlockingCloseOnExec = 0x80800;
        return TakeOver(_caller.CallInImage(Tid, deadline, SyscallNumber.Userfaultfd, [NonBlockingCloseOnExec | UserModeOnly]));
    }

    /// <summary>
    /// Opens the target's clear_refs for writing in a peer and takes the descriptor over: the file is its owner's alone, and asks
    /// no more once it is open. It is found by the pid that the target's own /proc knows it by.
    /// </summary>
    /// <param name="deadline">In nanoseconds of CLOCK_MONOTONIC.</param>
    /// <returns>The descriptor, or null where the target's mounts have no /proc, or the file belongs to another.</returns>
    internal SafeFileHandle? OpenClearRefs(long deadline)
    {
        Span<byte> text = stackalloc byte[1024];
        using (SafeFileHandle? status = Open("status", deadline))
        {
            text = status is null ? [] : text[..RandomAccess.Read(status, text, 0)];
        }

        int start = text.IndexOf("\nPPid:\t"u8);
        return start < 0 || !System.Buffers.Text.Utf8Parser.TryParse(text[(start + 7)..], out int pid, out _) || pid <= 0
            ? null
            : TakeOver(OpenPath(
                string.Create(System.Globalization.CultureInfo.InvariantCulture, $"/proc/{pid}/clear_refs"), WriteOnlyCloseOnExec, deadline));
    }

    /// <summary>
    /// Opens a file of the image's /proc directory from here, which works for an agent of uid 0 once the image is
    /// non-dumpable, also where the target's mounts have no /proc. Never for a peer: dumpable is a property of the memory.
    /// </summary>
    internal SafeFileHandle? OpenFromOutside(string name, long deadline)
    {
        if (!_isPeer && SelfControl.EffectiveUid == 0)
        {
            _ = _caller.CallInImage(Tid, deadline, SyscallNumber.Prctl, [SetDumpable, 0, 0, 0, 0]);
        }

        int descriptor = LibC.Open(
            string.Create(System.Globalization.CultureInfo.InvariantCulture, $"/proc/{Tid}/{name}"),
            OpenFlags.ReadOnly | OpenFlags.CloseOnExec);
        return descriptor < 0 ? null : new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>
    /// Lets go of pages of a fork image that nobody will read any more (madvise(MADV_DONTNEED) in the image): where the target
    /// writes to them, no copy is made. Not of a peer, whose memory is the target's own; and not of the page that frames lie on.
    /// </summary>
    /// <param name="start">First address; page-aligned.</param>
    /// <param name="end">End.</param>
    /// <param name="deadline">In nanoseconds of CLOCK_MONOTONIC.</param>
    /// <returns>Whether they are given back.</returns>
    internal bool GiveBack(ulong start, ulong end, long deadline)
    {
        const ulong DontNeed = 4; // MADV_DONTNEED
        return !_isPeer && start < end && !_caller.UsesMemory(start, end)
            && _caller.CallInImage(Tid, deadline, SyscallNumber.Madvise, [start, end - start, DontNeed]) == 0;
    }

    /// <summary>Kills the image and takes our side of its death; the target's side is its wait4.</summary>
    internal void Kill(long deadline)
    {
        _ = PtraceCalls.Kill(Tid);
        while (MonotonicClock.Nanoseconds < deadline)
        {
            if (PtraceCalls.TryWait(Tid, out PtraceStop stop, out Errno errno))
            {
                if (!stop.IsStopped)
                {
                    break;
                }
            }
            else if (errno == Errno.NoChild)
            {
                break;
            }
            else
            {
                TracerSleep.UntilReport(Tid);
            }
        }

        if (_pidfd >= 0)
        {
            _ = LibC.Close(_pidfd);
        }
    }

    /// <returns>A descriptor of the image's, or below 0.</returns>
    private long OpenPath(string path, ulong flags, long deadline) => _caller.WritePath(Tid, path)
        ? _caller.CallInImage(Tid, deadline, SyscallNumber.OpenAt, [CurrentDirectory, _caller.PathAddress, flags, 0])
        : -1;

    private SafeFileHandle? TakeOver(long descriptor)
    {
        int ours = descriptor < 0 ? -1 : LibC.PidfdGetfd(_pidfd, (int)descriptor);
        return ours < 0 ? null : new SafeFileHandle(ours, ownsHandle: true);
    }

    private bool IsNonDumpable(long deadline)
    {
        const int GetDumpable = 3; // PR_GET_DUMPABLE
        return _caller.CallInImage(Tid, deadline, SyscallNumber.Prctl, [GetDumpable, 0, 0, 0, 0]) != 1;
    }

    /// <summary>Reaps a killed image in the target: wait4(image, NULL, __WALL | WNOHANG) by the prepared task.</summary>
    /// <returns>Whether it is gone.</returns>
    internal static bool Reap(RemoteCaller caller, int pidInTarget, long deadline)
    {
        const ulong AllNoHang = 0x40000001; // __WALL | WNOHANG
        long started = MonotonicClock.Nanoseconds;
        while (MonotonicClock.Nanoseconds < deadline)
        {
            long result = caller.Call(deadline, SyscallNumber.Wait4, [(ulong)pidInTarget, 0, AllNoHang, 0]);
            if (result != 0)
            {
                return result == pidInTarget || result == -(long)Errno.NoChild;
            }

            MonotonicClock.RelaxSince(started);
        }

        return false;
    }
}
