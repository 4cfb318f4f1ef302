using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Corelift.Linux.Procfs;

namespace Corelift.Capture.Worker;

/// <summary>What a worker is started for.</summary>
internal enum WorkerTask
{
    /// <summary>Stop a target, take a snapshot, resume it, hold an image while it is read.</summary>
    Capture = 1,

    /// <summary>Stop a target and hold it under a lease.</summary>
    Stop = 2,

    /// <summary>Have a target reap an image that a lost worker left.</summary>
    Reap = 3,

    /// <summary>Begin to track what a target writes, then, when told to, stop it and take what it wrote.</summary>
    Precopy = 4,

    /// <summary>Give a target its schedules back, from the journal of a worker that was killed. Supervisors alone ask for it.</summary>
    Restore = 5,

    /// <summary>Nothing: to see whether a worker can be started.</summary>
    Nothing = 6,
}

/// <summary>First message to a worker; fixed layout, both ends are the same binary.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct WorkerRequest
{
    internal WorkerTask Task;
    internal int Pid;
    internal ulong StartTimeTicks;
    internal CaptureStrategy Strategy;
    internal CaptureContent Content;
    internal long StopBudgetNanoseconds;
    internal long HoldNanoseconds;
    internal long PauseCopyLimitBytes;
    internal long SpoolLimitBytes;
    internal int ImagePid;
    internal int HasSpoolFile;

    /// <summary>Most time that the target can be held in all, whatever is asked for later; the supervisor's to say.</summary>
    internal long MostHoldNanoseconds;

    /// <summary>Whether to quiesce: the last descriptor is then the journal of schedules.</summary>
    internal int Quiesces;

    /// <summary>Whether the agent wants to be asked when the target is seized, before anybody is stopped.</summary>
    internal int AsksFirst;

    /// <summary>What is secret, and whether it is captured all the same.</summary>
    internal SecretMemoryText Secrets;
}

/// <summary>Later messages to a worker.</summary>
internal enum WorkerCommandKind
{
    /// <summary>Hold the target for Value nanoseconds from now on.</summary>
    KeepAlive = 1,

    /// <summary>Copy Length bytes at Address into the window.</summary>
    Read = 2,

    /// <summary>Resume the target, or release the image, and end.</summary>
    Release = 3,

    /// <summary>Precopy: make everything ready for the stop. Value: bytes that the last round read.</summary>
    Prepare = 4,

    /// <summary>Precopy: stop the target and take the instant.</summary>
    TakeInstant = 5,

    /// <summary>The image no longer needs its pages from Address to Value: the target's next write there costs no copy.</summary>
    GiveBack = 6,

    /// <summary>Kill the image now: the target needs the memory.</summary>
    DropImage = 7,

    /// <summary>Answer to Seized: the target may be stopped. What that rests on: see WorkerCommand.Of.</summary>
    GoAhead = 8,

    /// <summary>Value bytes of the worker's own copy, from offset Address on, have been read.</summary>
    GiveCopyBack = 9,
}

/// <summary>A command; fixed layout.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct WorkerCommand
{
    internal WorkerCommandKind Kind;
    internal int LengthBytes;
    internal long Value;
    internal ulong Address;

    /// <summary>A GoAhead with what it rests on.</summary>
    internal static WorkerCommand Of(Approval approval) => new()
    {
        Kind = WorkerCommandKind.GoAhead,
        LengthBytes = approval.IsDumpable ? 1 : 0,
        Value = unchecked((long)(((ulong)approval.Uids.Effective << 32) | approval.Uids.Real)),
        Address = ((ulong)approval.Uids.FileSystem << 32) | approval.Uids.Saved,
    };

    /// <summary>What a GoAhead rests on.</summary>
    internal readonly Approval ToApproval() => unchecked(new Approval(
        new Credentials((uint)Value, (uint)(Value >> 32), (uint)Address, (uint)(Address >> 32)), LengthBytes != 0));
}

/// <summary>Messages from a worker.</summary>
internal enum WorkerReplyKind
{
    /// <summary>The stop begins now; Value is its deadline in nanoseconds of CLOCK_MONOTONIC.</summary>
    StopBegins = 1,

    /// <summary>
    /// Capture: the target runs again. Stop: the target is stopped. With the report and descriptors. Value: nanoseconds for
    /// which the target was quiesced; text: why it was not.
    /// </summary>
    Instant = 2,

    /// <summary>Answer to Read: Value bytes are in the window.</summary>
    Window = 3,

    /// <summary>The target runs, the image is gone, the worker ends. Value: nanoseconds stopped.</summary>
    Released = 4,

    /// <summary>It did not work; the target runs. Failure says why.</summary>
    Failed = 5,

    /// <summary>Precopy: writes are tracked from now on. With a report of what to read live, and descriptors.</summary>
    Tracking = 6,

    /// <summary>Precopy: everything is ready for the stop.</summary>
    Ready = 7,

    /// <summary>The target runs: there is no deadline any more.</summary>
    StopEnds = 8,

    /// <summary>The target is seized, and nobody is stopped: may it be? Answered by GoAhead, or Release.</summary>
    Seized = 9,
}

/// <summary>Which descriptors came with a message, in this order.</summary>
[Flags]
internal enum WorkerDescriptors
{
    None = 0,
    Threads = 1,
    Report = 2,
    PauseCopy = 4,
    Memory = 8,
    Pagemap = 16,
    LiveMemory = 32,
    LivePagemap = 64,
    Window = 128,
}

/// <summary>A reply; fixed layout with room for one sentence.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct WorkerReply
{
    internal WorkerReplyKind Kind;
    internal CaptureFailure Failure;
    internal WorkerDescriptors Descriptors;
    internal int Tid;
    internal long Value;
    private FixedText _text;

    internal string Text
    {
        readonly get => _text.ToString();
        set => _text = new FixedText(value);
    }
}

/// <summary>Messages as bytes.</summary>
internal static class WorkerMessage
{
    internal const int MaxBytes = 1024;

    internal static ReadOnlySpan<byte> ToBytes<T>(ref T message)
        where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(ref message));

    /// <summary>Reads a message; false where the length is not that of the type.</summary>
    internal static bool TryRead<T>(ReadOnlySpan<byte> bytes, out T message)
        where T : unmanaged
    {
        bool fits = bytes.Length == Unsafe.SizeOf<T>();
        message = fits ? MemoryMarshal.Read<T>(bytes) : default;
        return fits;
    }
}
