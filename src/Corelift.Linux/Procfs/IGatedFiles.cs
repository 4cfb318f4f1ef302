using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Procfs;

/// <summary>
/// Opens for a process without capabilities what /proc gates by the right to trace. <see cref="ProcessDirectory"/> asks it for
/// every file and link; what it does not take is opened as usual. Every member throws <see cref="SyscallException"/> as the
/// call itself would.
/// </summary>
public interface IGatedFiles
{
    /// <summary>Opens a file or directory for reading; null where the name is none of those that are gated.</summary>
    SafeFileHandle? TryOpen(ProcessDirectory directory, string name);

    /// <summary>Reads where a link points, or a small file that the kernel gates at the read; null where the name is none of those.</summary>
    byte[]? TryReadText(ProcessDirectory directory, string name);

    /// <summary>Whether the mem file could be opened without anything being done in the target. It is not handed out.</summary>
    bool CanOpenMemory(ProcessDirectory directory);
}
