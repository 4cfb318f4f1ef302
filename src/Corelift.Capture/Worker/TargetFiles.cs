using Corelift.Linux.Ptrace;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Worker;

/// <summary>Descriptors of a process's mem and pagemap, and its auxiliary vector; null where they could not be had.</summary>
internal readonly record struct TargetFiles(SafeFileHandle? Memory, SafeFileHandle? Pagemap, byte[]? Auxv)
{
    private const int MaxAuxvBytes = 4096;

    /// <summary>Closes the descriptors.</summary>
    internal void Close()
    {
        Memory?.Dispose();
        Pagemap?.Dispose();
    }

    /// <summary>Opens them in an image that has a table of descriptors of its own, or from outside.</summary>
    internal static TargetFiles From(ProcessImage image, long deadline)
    {
        SafeFileHandle? Open(string name) => image.Open(name, deadline) ?? image.OpenFromOutside(name, deadline);
        SafeFileHandle? memory = Open("mem");
        SafeFileHandle? pagemap = Open("pagemap");
        using SafeFileHandle? auxv = Open("auxv");
        if (auxv is null)
        {
            return new TargetFiles(memory, pagemap, null);
        }

        byte[] bytes = new byte[MaxAuxvBytes];
        int length = 0;
        for (int read = -1; read != 0 && length < bytes.Length; length += read)
        {
            read = RandomAccess.Read(auxv, bytes.AsSpan(length), length);
        }

        return new TargetFiles(memory, pagemap, bytes[..length]);
    }
}
