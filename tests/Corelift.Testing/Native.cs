using System.Runtime.InteropServices;

namespace Corelift.Testing;

/// <summary>The few calls that .NET has no name for.</summary>
internal static partial class Native
{
    internal const int SigInt = 2;
    internal const int SigKill = 9;
    internal const int SigTerm = 15;

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    internal static partial int Kill(int pid, int signal);

    [LibraryImport("libc", EntryPoint = "tgkill", SetLastError = true)]
    internal static partial int ThreadKill(int pid, int tid, int signal);

    [LibraryImport("libc", EntryPoint = "sched_getscheduler")]
    internal static partial int GetScheduler(int tid);

    [LibraryImport("libc", EntryPoint = "sched_setscheduler")]
    internal static partial int SetScheduler(int tid, int policy, ref int priority);

    [LibraryImport("libc", EntryPoint = "chown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int ChangeOwner(string path, uint owner, uint group);
}
