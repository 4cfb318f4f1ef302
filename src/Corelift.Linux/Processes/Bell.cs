using System.Runtime.InteropServices;
using Corelift.Linux.Interop;

namespace Corelift.Linux.Processes;

/// <summary>
/// What threads sleep for until they are called, by futex(2). The runtime's own primitives spin before they sleep: a helper at
/// SCHED_FIFO that had done its part kept its CPU from the target's threads for 50 us after their resume (traced with
/// sched_switch).
/// </summary>
public sealed unsafe class Bell : IDisposable
{
    private int* _rings = (int*)NativeMemory.AllocZeroed(sizeof(int));

    /// <summary>Calls everybody who waits, and whoever waits next and has not heard of this.</summary>
    public void Ring()
    {
        _ = Interlocked.Increment(ref *_rings);
        LibC.FutexWakeAll(_rings);
    }

    /// <summary>Sleeps until the bell has rung since the caller last heard it; rings that it missed count as one.</summary>
    /// <param name="heard">The caller's own: 0 at first.</param>
    public void Wait(ref int heard)
    {
        int rings;
        while ((rings = Volatile.Read(ref *_rings)) == heard)
        {
            LibC.FutexWait(_rings, heard);
        }

        heard = rings;
    }

    /// <summary>Nobody may wait any more.</summary>
    public void Dispose()
    {
        NativeMemory.Free(_rings);
        _rings = null;
    }
}
