namespace Corelift.Linux.Ptrace;

/// <summary>A call in a target or its image did not come back as it should. Ending the tracer leaves the target unharmed.</summary>
public sealed class RemoteCallException : Exception
{
    /// <summary>Describes the step that failed.</summary>
    public RemoteCallException(string step, int tid, Errno errno)
        : base($"{step} on task {tid} in the middle of a remote system call: {errno}")
    {
        Tid = tid;
        Errno = errno;
    }

    /// <summary>The task.</summary>
    public int Tid { get; }

    /// <summary>What went wrong: NoSuchTask where it ended, TimedOut where the deadline passed.</summary>
    public Errno Errno { get; }

    internal static void ThrowIfFailed(Errno errno, string step, int tid)
    {
        if (errno != Errno.None)
        {
            throw new RemoteCallException(step, tid, errno);
        }
    }
}
