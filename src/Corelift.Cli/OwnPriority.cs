using System.ComponentModel;
using System.Diagnostics;

namespace Corelift.Cli;

/// <summary>The program's place among those who wait for a CPU.</summary>
internal static class OwnPriority
{
    /// <summary>
    /// Lets others go first (nice 10), as the agent's readers do: on the target's own host, writing a core would else keep the
    /// target waiting for a CPU, for 7 ms at a time beside 4 (measured, two CPUs). To be called before there are other threads,
    /// which have the priority of the one that starts them. Who was given less already keeps that.
    /// </summary>
    internal static void GiveWay()
    {
        try
        {
            using var self = Process.GetCurrentProcess();
            if (self.PriorityClass is ProcessPriorityClass.Normal)
            {
                self.PriorityClass = ProcessPriorityClass.BelowNormal;
            }
        }
        catch (Exception failure) when (failure is Win32Exception or InvalidOperationException or NotSupportedException)
        {
            // A sandbox that forbids it: the core is as good.
        }
    }
}
