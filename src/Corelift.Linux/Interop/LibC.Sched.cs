using System.Runtime.InteropServices;

namespace Corelift.Linux.Interop;

internal static unsafe partial class LibC
{
    private const nint FutexWaitPrivate = 0 | 128;  // FUTEX_WAIT | FUTEX_PRIVATE_FLAG
    private const nint FutexWakePrivate = 1 | 128;  // FUTEX_WAKE | FUTEX_PRIVATE_FLAG

    [LibraryImport(Library, EntryPoint = "syscall")]
    private static partial nint Futex(nint number, int* word, nint operation, nint value, TimeSpec* timeout);

    /// <summary>futex(2), FUTEX_WAIT within this process: sleeps while the word has this value. May return for no reason.</summary>
    internal static void FutexWait(int* word, int value) => _ = Futex(SyscallNumber.Futex, word, FutexWaitPrivate, value, null);

    /// <summary>futex(2), FUTEX_WAKE within this process: wakes all who wait for the word.</summary>
    internal static void FutexWakeAll(int* word) => _ = Futex(SyscallNumber.Futex, word, FutexWakePrivate, int.MaxValue, null);
}
