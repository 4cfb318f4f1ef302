using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Corelift.Linux.Interop;
using Corelift.Linux.Ptrace;
using Corelift.Linux.Scheduling;

namespace Corelift.Linux.Tests;

/// <summary>What files, credentials and probes take for the kernel's ABI, checked by the C compiler.</summary>
public sealed class AbiTests
{
    private static readonly (string C, ulong Value)[] s_facts =
    [
        ("sizeof(struct rlimit64)", (ulong)Marshal.SizeOf<ResourceLimit>()),
        ("offsetof(struct rlimit64, rlim_max)", Offset<ResourceLimit>(nameof(ResourceLimit.Maximum))),
        ("RLIMIT_CORE", ResourceLimit.Core),
        ("sizeof(struct statx)", (ulong)Marshal.SizeOf<StatxInfo>()),
        ("offsetof(struct statx, stx_uid)", Offset<StatxInfo>(nameof(StatxInfo.Uid))),
        ("offsetof(struct statx, stx_gid)", Offset<StatxInfo>(nameof(StatxInfo.Gid))),
        ("offsetof(struct statx, stx_mode)", Offset<StatxInfo>(nameof(StatxInfo.Mode))),
        ("offsetof(struct statx, stx_nlink)", Offset<StatxInfo>(nameof(StatxInfo.LinkCount))),
        ("STATX_NLINK", StatxInfo.LinkCountMask),
        ("STATX_UID", StatxInfo.UidMask),
        ("STATX_TYPE", StatxInfo.TypeMask),
        ("-AT_FDCWD", -StatxInfo.CurrentDirectory),
        ("AT_SYMLINK_NOFOLLOW", StatxInfo.NoFollow),
        ("S_IFMT", StatxInfo.FileTypeBits),
        ("S_IFSOCK", StatxInfo.SocketType),
        ("sizeof(struct uffdio_api)", (ulong)Marshal.SizeOf<UffdioApi>()),
        ("offsetof(struct uffdio_api, features)", Offset<UffdioApi>(nameof(UffdioApi.Features))),
        ("UFFD_API", UffdioApi.Version),
        ("UFFDIO_API", (ulong)UffdioApi.Request),
        ("UFFD_FEATURE_PAGEFAULT_FLAG_WP", UffdioApi.WriteProtect),
        ("sizeof(struct uffdio_range)", (ulong)Marshal.SizeOf<UffdioRange>()),
        ("sizeof(struct uffdio_register)", (ulong)Marshal.SizeOf<UffdioRegister>()),
        ("offsetof(struct uffdio_register, mode)", Offset<UffdioRegister>(nameof(UffdioRegister.Mode))),
        ("sizeof(struct uffdio_writeprotect)", (ulong)Marshal.SizeOf<UffdioWriteProtect>()),
        ("offsetof(struct uffdio_writeprotect, mode)", Offset<UffdioWriteProtect>(nameof(UffdioWriteProtect.Mode))),
        ("UFFDIO_REGISTER", (ulong)UffdioRegister.Request),
        ("UFFDIO_REGISTER_MODE_WP", UffdioRegister.WriteProtectMode),
        ("UFFDIO_UNREGISTER", (ulong)UffdioRange.Unregister),
        ("UFFDIO_WRITEPROTECT", (ulong)UffdioWriteProtect.Request),
        ("offsetof(struct dirent64, d_reclen)", DirectoryEntry.LengthOffset),
        ("offsetof(struct dirent64, d_type)", DirectoryEntry.TypeOffset),
        ("offsetof(struct dirent64, d_name)", DirectoryEntry.NameOffset),
        ("O_RDWR", (ulong)OpenFlags.ReadWrite),
        ("O_NONBLOCK", (ulong)OpenFlags.NonBlocking),
        ("O_DIRECTORY", (ulong)OpenFlags.Directory),
        ("O_NOFOLLOW", (ulong)OpenFlags.NoFollow),
        ("O_CLOEXEC", (ulong)OpenFlags.CloseOnExec),
        ("O_PATH", (ulong)OpenFlags.Path),
        ("SYS_userfaultfd", SyscallNumber.Userfaultfd),
        ("sizeof(struct sched_attr) >= SCHED_ATTR_SIZE_VER0", 1),
        ("SCHED_ATTR_SIZE_VER0", (ulong)Marshal.SizeOf<SchedAttributes>()),
        ("offsetof(struct sched_attr, sched_policy)", Offset<SchedAttributes>(nameof(SchedAttributes.Policy))),
        ("offsetof(struct sched_attr, sched_flags)", Offset<SchedAttributes>(nameof(SchedAttributes.Flags))),
        ("offsetof(struct sched_attr, sched_nice)", Offset<SchedAttributes>(nameof(SchedAttributes.Nice))),
        ("offsetof(struct sched_attr, sched_priority)", Offset<SchedAttributes>(nameof(SchedAttributes.Priority))),
        ("offsetof(struct sched_attr, sched_runtime)", Offset<SchedAttributes>(nameof(SchedAttributes.Runtime))),
        ("SCHED_FLAG_RESET_ON_FORK", SchedAttributes.ResetOnForkFlag),
        ("SCHED_NORMAL", TaskSchedule.Other), ("SCHED_FIFO", TaskSchedule.Fifo), ("SCHED_RR", TaskSchedule.RoundRobin),
        ("SCHED_BATCH", TaskSchedule.Batch), ("SCHED_IDLE", TaskSchedule.Idle),
        ("SYS_futex", SyscallNumber.Futex), ("SYS_getpriority", SyscallNumber.Getpriority),
        ("SYS_sched_setaffinity", SyscallNumber.SchedSetaffinity), ("SYS_sched_getaffinity", SyscallNumber.SchedGetaffinity),
        ("SYS_sched_setattr", SyscallNumber.SchedSetattr), ("SYS_sched_getattr", SyscallNumber.SchedGetattr),
        ("sizeof(struct sigaction)", (ulong)Marshal.SizeOf<SignalAction>()),
        ("offsetof(struct sigaction, sa_flags)", Offset<SignalAction>(nameof(SignalAction.Flags))),
        ("SIGURG", TracerSleep.Urgent), ("SYS_tgkill", SyscallNumber.Tgkill), ("SYS_gettid", SyscallNumber.Gettid),
        ("sizeof(struct rusage) / sizeof(long)", 18), ("offsetof(struct rusage, ru_nvcsw) / sizeof(long)", 16),
        ("SYS_close_range", 436),
        ("EPERM", (ulong)Errno.NotPermitted), ("ENOENT", (ulong)Errno.NoSuchFile), ("ESRCH", (ulong)Errno.NoSuchTask),
        ("EINTR", (ulong)Errno.Interrupted), ("EIO", (ulong)Errno.InputOutput), ("ENXIO", (ulong)Errno.NoSuchDeviceOrAddress),
        ("E2BIG", (ulong)Errno.ArgumentListTooLong), ("EBADF", (ulong)Errno.BadDescriptor), ("ECHILD", (ulong)Errno.NoChild),
        ("EAGAIN", (ulong)Errno.TryAgain), ("ENOMEM", (ulong)Errno.OutOfMemory), ("EACCES", (ulong)Errno.AccessDenied),
        ("EFAULT", (ulong)Errno.BadAddress), ("EBUSY", (ulong)Errno.Busy), ("EEXIST", (ulong)Errno.Exists),
        ("ENODEV", (ulong)Errno.NoSuchDevice), ("ENOTDIR", (ulong)Errno.NotADirectory), ("EISDIR", (ulong)Errno.IsADirectory),
        ("EINVAL", (ulong)Errno.InvalidArgument), ("ENFILE", (ulong)Errno.TooManyFilesOnHost), ("EMFILE", (ulong)Errno.TooManyFiles),
        ("ENOTTY", (ulong)Errno.InappropriateControl), ("ENOSPC", (ulong)Errno.NoSpace), ("EROFS", (ulong)Errno.ReadOnlyFileSystem),
        ("EPIPE", (ulong)Errno.BrokenPipe), ("ERANGE", (ulong)Errno.OutOfRange), ("ENAMETOOLONG", (ulong)Errno.NameTooLong),
        ("ENOSYS", (ulong)Errno.NotImplemented), ("ELOOP", (ulong)Errno.TooManyLinks), ("ENODATA", (ulong)Errno.NoData),
        ("EOVERFLOW", (ulong)Errno.Overflow), ("ENOPROTOOPT", (ulong)Errno.NoProtocolOption), ("EOPNOTSUPP", (ulong)Errno.NotSupported),
        ("EADDRINUSE", (ulong)Errno.AddressInUse), ("ECONNRESET", (ulong)Errno.ConnectionReset), ("ETIMEDOUT", (ulong)Errno.TimedOut),
        ("ECONNREFUSED", (ulong)Errno.ConnectionRefused),
    ];

    [Fact]
    public async Task The_c_compiler_agrees()
    {
        var source = new StringBuilder(
            "#define _GNU_SOURCE\n#include <dirent.h>\n#include <errno.h>\n#include <fcntl.h>\n#include <stddef.h>\n#include <linux/sched.h>\n#include <linux/sched/types.h>\n#include <linux/userfaultfd.h>\n#include <signal.h>\n"
            + "#include <sys/ioctl.h>\n#include <sys/resource.h>\n#include <sys/stat.h>\n#include <sys/syscall.h>\n");
        foreach ((string c, ulong value) in s_facts)
        {
            source.Append(CultureInfo.InvariantCulture, $"_Static_assert((unsigned long long)({c}) == {value}ULL, \"{c}\");\n");
        }

        var start = new ProcessStartInfo("gcc", "-fsyntax-only -x c -") { RedirectStandardInput = true, RedirectStandardError = true };
        using Process gcc = Process.Start(start)!;
        await gcc.StandardInput.WriteAsync(source.ToString());
        gcc.StandardInput.Close();
        string errors = await gcc.StandardError.ReadToEndAsync();
        await gcc.WaitForExitAsync();
        Assert.True(gcc.ExitCode == 0, errors);
    }

    private static ulong Offset<T>(string field) => (ulong)Marshal.OffsetOf<T>(field);
}
