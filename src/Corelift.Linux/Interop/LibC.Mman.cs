using System.Runtime.InteropServices;

namespace Corelift.Linux.Interop;

internal static unsafe partial class LibC
{
    /// <summary>mmap(2); MAP_FAILED is -1.</summary>
    [LibraryImport(Library, EntryPoint = "mmap", SetLastError = true)]
    internal static partial void* Mmap(void* address, nuint length, int protection, int flags, int descriptor, long offset);

    /// <summary>munmap(2).</summary>
    [LibraryImport(Library, EntryPoint = "munmap", SetLastError = true)]
    internal static partial int Munmap(void* address, nuint length);

    /// <summary>madvise(2).</summary>
    [LibraryImport(Library, EntryPoint = "madvise", SetLastError = true)]
    internal static partial int Madvise(void* address, nuint length, int advice);

    /// <summary>memfd_create(2).</summary>
    [LibraryImport(Library, EntryPoint = "memfd_create", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int MemfdCreate(string name, uint flags);

    /// <summary>fcntl(2) with an int argument.</summary>
    /// <returns>-1 with errno on failure.</returns>
    [LibraryImport(Library, EntryPoint = "fcntl", SetLastError = true)]
    internal static partial int Fcntl(int descriptor, int command, int argument);

    /// <summary>ftruncate(2).</summary>
    [LibraryImport(Library, EntryPoint = "ftruncate64", SetLastError = true)]
    internal static partial int Ftruncate(int descriptor, long length);

    /// <summary>fallocate(2).</summary>
    [LibraryImport(Library, EntryPoint = "fallocate64", SetLastError = true)]
    internal static partial int Fallocate(int descriptor, int mode, long offset, long length);

    /// <summary>move_pages(2); with <paramref name="nodes"/> null it only asks where pages are.</summary>
    [LibraryImport(Library, EntryPoint = "syscall", SetLastError = true)]
    private static partial nint MovePages(nint number, int pid, nuint count, void** pages, int* nodes, int* status, int flags);

    /// <summary>Asks which of the pages are present (move_pages(2) without nodes).</summary>
    internal static nint QueryPages(int pid, nuint count, void** pages, int* status) =>
        MovePages(SyscallNumber.MovePages, pid, count, pages, null, status, 0);
}
