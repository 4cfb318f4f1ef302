using System.Globalization;
using System.Runtime.InteropServices;

namespace Corelift.Linux;

/// <summary>A system call failed: which call, on which task, with which errno.</summary>
public sealed class SyscallException : IOException
{
    /// <summary>Describes a failed call.</summary>
    /// <param name="call">The call as a reader of its man page knows it, such as <c>ptrace(PTRACE_SEIZE)</c>.</param>
    /// <param name="tid">The task it was about; 0 where it was about none.</param>
    /// <param name="errno">What the kernel answered.</param>
    public SyscallException(string call, int tid, Errno errno)
        : base(Describe(call, tid, errno))
    {
        Call = call;
        Tid = tid;
        Errno = errno;
    }

    /// <summary>The call as a reader of its man page knows it.</summary>
    public string Call { get; }

    /// <summary>The task it was about; 0 where it was about none.</summary>
    public int Tid { get; }

    /// <summary>What the kernel answered.</summary>
    public Errno Errno { get; }

    /// <summary>
    /// Whether this is how /proc and ptrace say that a task has gone: ESRCH, or ENOENT below its directory. ENOENT may
    /// also mean a file that this kernel does not have.
    /// </summary>
    public bool IsTaskGone => Errno is Errno.NoSuchTask or Errno.NoSuchFile;

    /// <summary>Whether a missing privilege is the reason: EPERM or EACCES.</summary>
    public bool IsDenied => Errno is Errno.NotPermitted or Errno.AccessDenied;

    /// <summary>Must be the very next statement after the failed call: anything else may overwrite errno.</summary>
    internal static SyscallException FromLastError(string call, int tid) =>
        new(call, tid, (Errno)Marshal.GetLastPInvokeError());

    private static string Describe(string call, int tid, Errno errno)
    {
        string reason = Marshal.GetPInvokeErrorMessage((int)errno);
        return tid == 0
            ? string.Create(CultureInfo.InvariantCulture, $"{call}: {reason} (errno {(int)errno})")
            : string.Create(CultureInfo.InvariantCulture, $"{call} on task {tid}: {reason} (errno {(int)errno})");
    }
}
