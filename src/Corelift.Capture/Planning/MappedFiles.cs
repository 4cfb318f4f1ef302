using Corelift.Linux;
using Corelift.Linux.Procfs;
using Corelift.Linux.Processes;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Planning;

/// <summary>Opens the files that a target maps as the target sees them, each once.</summary>
internal sealed class MappedFiles : IDisposable
{
    private readonly Dictionary<string, SafeFileHandle?> _files = new(StringComparer.Ordinal);
    private readonly ProcessDirectory? _directory;

    /// <summary>Files of the process that <paramref name="directory"/> names, which stays the caller's; none where it is null.</summary>
    internal MappedFiles(ProcessDirectory? directory) => _directory = directory;

    /// <summary>The file behind a VMA; null where it is deleted, another by now, or not readable for us.</summary>
    internal SafeFileHandle? Open(Vma vma)
    {
        if (!_files.TryGetValue(vma.Name, out SafeFileHandle? file))
        {
            file = TryOpen(vma);
            _files.Add(vma.Name, file);
        }

        return file;
    }

    public void Dispose()
    {
        foreach (SafeFileHandle? file in _files.Values)
        {
            file?.Dispose();
        }
    }

    private SafeFileHandle? TryOpen(Vma vma)
    {
        if (_directory is null || !vma.IsFileBacked || vma.IsDeleted || !vma.Name.StartsWith('/'))
        {
            return null;
        }

        try
        {
            SafeFileHandle file = _directory.OpenMappedFile(vma.Name);
            if (FileIdentity.Of(file) is { } identity && identity.Inode == vma.Inode)
            {
                return file;
            }

            file.Dispose();
        }
        catch (SyscallException)
        {
            // Not readable for us; the region says so.
        }

        return null;
    }
}
