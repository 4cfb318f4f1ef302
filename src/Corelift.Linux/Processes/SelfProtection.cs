using Corelift.Linux.Interop;

namespace Corelift.Linux.Processes;

/// <summary>What the agent does to itself and its files so that others cannot use it.</summary>
public static unsafe class SelfProtection
{
    private const uint Unchanged = uint.MaxValue;

    /// <summary>Effective group id.</summary>
    public static uint EffectiveGid => LibC.Getegid();

    /// <summary>Leaves no core of this process, nor of those that it starts: it may hold targets' memory (RLIMIT_CORE 0).</summary>
    /// <exception cref="SyscallException">The limit could not be set.</exception>
    public static void DisableCoreDumps()
    {
        var none = new ResourceLimit { Current = 0, Maximum = 0 };
        if (LibC.Setrlimit(ResourceLimit.Core, &none) != 0)
        {
            throw SyscallException.FromLastError("setrlimit(RLIMIT_CORE)", 0);
        }
    }

    /// <summary>Makes files that are created from now on accessible to their owner alone (umask 077).</summary>
    public static void CreateFilesPrivately() => _ = LibC.Umask(0x3f);

    /// <summary>Gives a file to a group. Without CAP_CHOWN only one that this process is in.</summary>
    /// <exception cref="SyscallException">Not the owner, or not in the group (EPERM).</exception>
    public static void ChangeGroup(string path, uint gid)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (LibC.Lchown(path, Unchanged, gid) != 0)
        {
            throw SyscallException.FromLastError("lchown", 0);
        }
    }
}
