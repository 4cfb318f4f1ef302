using System.Runtime.InteropServices;

namespace Corelift.Linux.Interop;

/// <content>What the probes of KernelFeatures call: userfaultfd(2), close_range(2), mprotect(2), getpid(2).</content>
internal static unsafe partial class LibC
{
    private const nint UserfaultfdNumber = 323; // userfaultfd on x86-64; 282 on AArch64
    private const nint CloseRangeNumber = 436; // close_range, the same everywhere

    /// <summary>mprotect(2).</summary>
    [LibraryImport(Library, EntryPoint = "mprotect", SetLastError = true)]
    internal static partial int Mprotect(void* address, nuint length, int protection);

    /// <summary>userfaultfd(2).</summary>
    internal static int Userfaultfd(int flags) => (int)Syscall3(UserfaultfdNumber, flags, 0, 0);

    /// <summary>close_range(2).</summary>
    internal static int CloseRange(uint first, uint last, uint flags) =>
        (int)Syscall3(CloseRangeNumber, (nint)first, (nint)last, (nint)flags);
}

/// <summary>struct uffdio_api (linux/userfaultfd.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UffdioApi
{
    internal const ulong Version = 0xaa; // UFFD_API
    internal const nuint Request = 0xc018aa3f; // UFFDIO_API
    internal const ulong WriteProtect = 1UL << 0; // UFFD_FEATURE_PAGEFAULT_FLAG_WP
    internal const ulong WriteProtectUnpopulated = 1UL << 13; // UFFD_FEATURE_WP_UNPOPULATED
    internal const ulong WriteProtectAsync = 1UL << 15; // UFFD_FEATURE_WP_ASYNC

    internal ulong Api;
    internal ulong Features;
    internal ulong Ioctls;
}

/// <summary>struct uffdio_range (ioctl_userfaultfd(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UffdioRange
{
    internal const nuint Unregister = 0x8010aa01; // UFFDIO_UNREGISTER

    internal ulong Start;
    internal ulong Length;
}

/// <summary>struct uffdio_register (ioctl_userfaultfd(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UffdioRegister
{
    internal const nuint Request = 0xc020aa00; // UFFDIO_REGISTER
    internal const ulong WriteProtectMode = 2; // UFFDIO_REGISTER_MODE_WP

    internal UffdioRange Range;
    internal ulong Mode;
    internal ulong Ioctls;
}

/// <summary>struct uffdio_writeprotect (ioctl_userfaultfd(2)); mode 0 takes the protection away.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UffdioWriteProtect
{
    internal const nuint Request = 0xc018aa06; // UFFDIO_WRITEPROTECT

    internal UffdioRange Range;
    internal ulong Mode;
}
