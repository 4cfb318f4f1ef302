using System.Globalization;
using System.Runtime.InteropServices;
using Corelift.Linux.Interop;

namespace Corelift.Linux;

/// <summary>The probes behind <see cref="KernelFeatures"/>. Each works on this process alone.</summary>
internal static unsafe class FeatureProbes
{
    private const int PageBytes = 4096;
    private const int ReadWrite = 3; // PROT_READ | PROT_WRITE
    private const int PrivateAnonymous = 0x22; // MAP_PRIVATE | MAP_ANONYMOUS
    private const int UserModeOnly = 1; // UFFD_USER_MODE_ONLY
    private const nuint PagemapScanRequest = 0xc0606610; // PAGEMAP_SCAN
    private const ulong SoftDirtyBit = 1UL << 55;

    internal static KernelFeatures Run()
    {
        void* page = LibC.Mmap(null, PageBytes, ReadWrite, PrivateAnonymous, -1, 0);
        if ((nint)page == -1) // MAP_FAILED
        {
            throw SyscallException.FromLastError("mmap", 0);
        }

        try
        {
            *(ulong*)page = 0x6c6966746572;
            (FeatureState open, FeatureState getfd) = ProbePidfd();
            (FeatureState scan, FeatureState softDirty) = ProbePagemap(page);
            return new KernelFeatures
            {
                PidfdOpen = open,
                PidfdGetfd = getfd,
                CloseRange = ProbeCloseRange(),
                PagemapScan = scan,
                SoftDirty = softDirty,
                WriteProtectAsync = ProbeWriteProtect(),
                ProcessVmReadv = ProbeVmReadv(page),
                MovePages = ProbeMovePages(page),
                RealTimePriority = ProbeRealTime(),
                YamaPtraceScope = ReadYama(),
                ForcedMemRead = ProbeForcedRead(page), // last: the page cannot be read afterwards
            };
        }
        finally
        {
            _ = LibC.Munmap(page, PageBytes);
        }
    }

    private static (FeatureState Open, FeatureState Getfd) ProbePidfd()
    {
        int pidfd = LibC.PidfdOpen(Environment.ProcessId, 0);
        if (pidfd < 0)
        {
            return (FeatureState.Missing, FeatureState.Unknown);
        }

        int copy = LibC.PidfdGetfd(pidfd, pidfd);
        _ = copy < 0 ? 0 : LibC.Close(copy);
        _ = LibC.Close(pidfd);
        return (FeatureState.Present, copy < 0 ? FeatureState.Missing : FeatureState.Present);
    }

    private static FeatureState ProbeCloseRange()
    {
        // first above last is EINVAL before anything is unshared or closed; a kernel without the call says ENOSYS.
        const uint Unshare = 2; // CLOSE_RANGE_UNSHARE
        return Judge(LibC.CloseRange(1, 0, Unshare) == 0 || LastError() == Errno.InvalidArgument);
    }

    private static (FeatureState Scan, FeatureState SoftDirty) ProbePagemap(void* page)
    {
        int pagemap = LibC.Open("/proc/self/pagemap", OpenFlags.ReadOnly | OpenFlags.CloseOnExec);
        if (pagemap < 0)
        {
            return (FeatureState.Unknown, FeatureState.Unknown);
        }

        var argument = new PmScanArg { Size = (ulong)sizeof(PmScanArg), Start = (ulong)page, End = (ulong)page };
        bool scans = LibC.Ioctl(pagemap, PagemapScanRequest, &argument) >= 0 || LastError() != Errno.InappropriateControl;

        // A page of a new mapping is born soft-dirty where the kernel tracks it.
        ulong entry = 0;
        bool read = LibC.Pread(pagemap, &entry, sizeof(ulong), (long)((ulong)page / PageBytes * sizeof(ulong))) == sizeof(ulong);
        _ = LibC.Close(pagemap);
        return (Judge(scans), read ? Judge((entry & SoftDirtyBit) != 0) : FeatureState.Unknown);
    }

    private static FeatureState ProbeWriteProtect()
    {
        int descriptor = LibC.Userfaultfd((int)(OpenFlags.CloseOnExec | OpenFlags.NonBlocking) | UserModeOnly);
        if (descriptor < 0)
        {
            return LastError() == Errno.NotPermitted ? FeatureState.Unknown : FeatureState.Missing;
        }

        var api = new UffdioApi
        {
            Api = UffdioApi.Version,
            Features = UffdioApi.WriteProtectAsync | UffdioApi.WriteProtectUnpopulated,
        };
        bool granted = LibC.Ioctl(descriptor, UffdioApi.Request, &api) == 0;
        _ = LibC.Close(descriptor);
        return Judge(granted);
    }

    private static FeatureState ProbeVmReadv(void* page)
    {
        ulong copy = 0;
        var local = new IoVec { Base = &copy, Length = sizeof(ulong) };
        var remote = new IoVec { Base = page, Length = sizeof(ulong) };
        return Judge(LibC.ProcessVmReadv(Environment.ProcessId, &local, 1, &remote, 1, 0) == sizeof(ulong));
    }

    private static FeatureState ProbeMovePages(void* page)
    {
        int status = int.MinValue;
        return Judge(LibC.QueryPages(0, 1, &page, &status) == 0 && status != int.MinValue);
    }

    private static FeatureState ProbeRealTime()
    {
        // On a thread of its own, so that no thread of the pool keeps a priority whatever happens.
        var state = FeatureState.Unknown;
        var thread = new Thread(() =>
        {
            const int Fifo = 1; // SCHED_FIFO
            int priority = 1;
            state = Judge(LibC.SchedSetscheduler(0, Fifo, &priority) == 0);
        });
        thread.IsBackground = true;
        thread.Start();
        thread.Join();
        return state;
    }

    private static FeatureState ProbeForcedRead(void* page)
    {
        int mem = LibC.Open("/proc/self/mem", OpenFlags.ReadOnly | OpenFlags.CloseOnExec);
        if (mem < 0 || LibC.Mprotect(page, PageBytes, 0) != 0)
        {
            return FeatureState.Unknown;
        }

        ulong copy = 0;
        bool read = LibC.Pread(mem, &copy, sizeof(ulong), (long)page) == sizeof(ulong);
        _ = LibC.Close(mem);
        return Judge(read);
    }

    private static int? ReadYama()
    {
        try
        {
            string text = File.ReadAllText("/proc/sys/kernel/yama/ptrace_scope");
            return int.Parse(text, NumberStyles.Integer, CultureInfo.InvariantCulture);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or FormatException)
        {
            return null;
        }
    }

    private static Errno LastError() => (Errno)Marshal.GetLastPInvokeError();

    private static FeatureState Judge(bool present) => present ? FeatureState.Present : FeatureState.Missing;
}
