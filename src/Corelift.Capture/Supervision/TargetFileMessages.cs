using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Corelift.Capture.Supervision;

/// <summary>
/// The files of a target that a supervisor opens or reads for its front end. A file is a number of this list, not a name: what
/// is not here cannot be asked for, mem, pagemap and environ above all.
/// </summary>
internal enum TargetFile
{
    /// <summary>Opens maps.</summary>
    Maps = 1,

    /// <summary>Opens smaps.</summary>
    Smaps = 2,

    /// <summary>Opens the executable, where it is a regular file.</summary>
    Executable = 3,

    /// <summary>Opens the directory fdinfo.</summary>
    DescriptorList = 4,

    /// <summary>Opens fdinfo/Argument.</summary>
    DescriptorFacts = 5,

    /// <summary>Opens the file at Path below the target's root, where it is a regular file that the target maps.</summary>
    MappedFile = 6,

    /// <summary>Reads the link exe.</summary>
    ExecutableLink = 7,

    /// <summary>Reads the link ns/NAME, Argument being the name's place in <see cref="Linux.Procfs.ProcessDirectory.Namespaces"/>.</summary>
    NamespaceLink = 8,

    /// <summary>Reads wchan of the task Argument.</summary>
    WaitChannel = 9,

    /// <summary>Says whether mem could be opened, which needs more than the right to trace. It is closed again.</summary>
    IsMemoryOpen = 10,
}

/// <summary>Asks for a file; fixed layout.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TargetFileRequest
{
    internal TargetFile File;

    /// <summary>The process, and the task whose files are meant: its leader or another one.</summary>
    internal int Pid;
    internal int Tid;
    internal ulong StartTimeTicks;
    internal int Argument;

    internal int PathBytes;
    internal PathText Path;
}

/// <summary>The answer; fixed layout. With a descriptor where a file was opened.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TargetFileReply
{
    /// <summary>0, or why not.</summary>
    internal int Errno;

    internal int TextBytes;
    internal PathText Text;
}

/// <summary>Room for a path (PATH_MAX).</summary>
[InlineArray(Length)]
internal struct PathText
{
    internal const int Length = 4096;

    private byte _first;
}
