using System.Collections.Immutable;
using System.Globalization;
using Corelift.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Procfs;

/// <summary>
/// The /proc directory of one task, held open. Everything is read below the descriptor, which names the task and not the
/// number: once the task has gone, every read fails, and a process that got the same pid is never mixed in. An execve
/// does not end it.
/// </summary>
public sealed partial class ProcessDirectory : IDisposable
{
    /// <summary>Names of the links in <c>ns</c> (namespaces(7)).</summary>
    public static readonly ImmutableArray<string> Namespaces = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

    private readonly SafeFileHandle _directory;

    private ProcessDirectory(SafeFileHandle directory, int pid, int tid, ulong processStart = 0)
    {
        _directory = directory;
        Pid = pid;
        Tid = tid;
        _processStart = processStart;
    }

    /// <summary>The number it was opened by. A tid that is no pid can be opened, too: compare Tgid in its status.</summary>
    public int Pid { get; }

    /// <summary>The task whose files are read: the leader's, or that of <see cref="ForTask"/>.</summary>
    public int Tid { get; }

    /// <summary>Opens /proc/PID.</summary>
    /// <exception cref="SyscallException">ENOENT where there is no such process.</exception>
    public static ProcessDirectory Open(int pid)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(pid);
        return OpenPath(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}"), pid);
    }

    /// <summary>Opens the directory of this process.</summary>
    public static ProcessDirectory OpenSelf() => OpenPath("/proc/self", Environment.ProcessId);

    /// <summary>
    /// Opens the directory of one of the process's tasks, whose maps and other files outlive an exited leader's.
    /// </summary>
    /// <exception cref="SyscallException">ENOENT where the task has gone.</exception>
    public ProcessDirectory ForTask(int tid)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(tid);
        string path = string.Create(CultureInfo.InvariantCulture, $"task/{tid}");
        int descriptor = LibC.OpenAt(_directory, path, OpenFlags.Path | OpenFlags.Directory | OpenFlags.CloseOnExec);
        return descriptor < 0
            ? throw SyscallException.FromLastError("openat(/proc/PID/task/TID)", tid)
            : new ProcessDirectory(new SafeFileHandle(descriptor, ownsHandle: true), Pid, tid, s_gatedFiles is null ? 0 : ProcessStartTicks);
    }

    /// <summary>Reads a whole file into an array of its own.</summary>
    /// <param name="name">Path below the directory, such as <c>maps</c>.</param>
    /// <param name="limits">Most bytes.</param>
    /// <exception cref="SyscallException">The task has gone (ESRCH, ENOENT), or reading is refused.</exception>
    /// <exception cref="ProcfsFormatException">Longer than <see cref="ProcfsLimits.MaxFileBytes"/>.</exception>
    public byte[] ReadFile(string name, ProcfsLimits? limits = null)
    {
        using var buffer = new ProcfsBuffer();
        return ReadFile(name, buffer, limits).ToArray();
    }

    /// <summary>Reads a whole file; what it returns is valid until the buffer is used again.</summary>
    /// <inheritdoc cref="ReadFile(string, ProcfsLimits?)"/>
    public ReadOnlySpan<byte> ReadFile(string name, ProcfsBuffer buffer, ProcfsLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        int limitBytes = (limits ?? ProcfsLimits.Default).MaxFileBytes;
        int descriptor = OpenFile(name, OpenFlags.ReadOnly);
        try
        {
            // A short read says nothing here: seq_file ends each one at a record's end. Only 0 is the end.
            int length = 0;
            while (true)
            {
                if (length == buffer.Bytes.Length)
                {
                    buffer.Grow();
                }

                int count = ReadOnce(descriptor, buffer.Bytes[length..], name);
                if (count == 0)
                {
                    return buffer.Bytes[..length];
                }

                length += count;
                if (length > limitBytes)
                {
                    throw new ProcfsFormatException($"{name} is longer than {limitBytes} bytes");
                }
            }
        }
        finally
        {
            _ = LibC.Close(descriptor);
        }
    }

    /// <summary>Reads a small file whose text the kernel gives only to a reader who may trace.</summary>
    /// <inheritdoc cref="ReadFile(string, ProcfsBuffer, ProcfsLimits?)"/>
    internal ReadOnlySpan<byte> ReadGatedFile(string name, ProcfsBuffer buffer) =>
        s_gatedFiles?.TryReadText(this, name) is { } text ? text : ReadFile(name, buffer);

    /// <summary>Reads at most <paramref name="destination"/>'s length from the beginning of a file.</summary>
    /// <returns>Bytes read; all of the file where fewer than the length.</returns>
    /// <exception cref="SyscallException">The task has gone (ESRCH, ENOENT), or reading is refused.</exception>
    public int ReadStart(string name, Span<byte> destination)
    {
        int descriptor = OpenFile(name, OpenFlags.ReadOnly);
        try
        {
            int length = 0;
            while (length < destination.Length)
            {
                int count = ReadOnce(descriptor, destination[length..], name);
                if (count == 0)
                {
                    break;
                }

                length += count;
            }

            return length;
        }
        finally
        {
            _ = LibC.Close(descriptor);
        }
    }

    /// <summary>Opens a file below the directory for reading; for files that are not procfs's own, such as those through <c>exe</c>.</summary>
    /// <remarks>O_NONBLOCK, so that a FIFO or device that stands where a file is expected holds nobody up.</remarks>
    /// <exception cref="SyscallException">The task has gone, there is no such file, or reading is refused.</exception>
    public SafeFileHandle OpenForReading(string name) =>
        new(OpenFile(name, OpenFlags.ReadOnly | OpenFlags.NonBlocking), ownsHandle: true);

    /// <summary>Reads where a link points, such as <c>exe</c>. Bytes that are not UTF-8 become U+FFFD.</summary>
    /// <exception cref="SyscallException">
    /// The task has gone, has no such link (ENOENT: a kernel thread's exe), or reading is refused.
    /// </exception>
    public string ReadLink(string name, ProcfsLimits? limits = null) => ProcfsText.Decode(ReadLinkBytes(name, limits));

    /// <summary>The same as the kernel's bytes.</summary>
    /// <inheritdoc cref="ReadLink"/>
    public unsafe byte[] ReadLinkBytes(string name, ProcfsLimits? limits = null)
    {
        if (s_gatedFiles?.TryReadText(this, name) is { } gated)
        {
            return gated;
        }

        Span<byte> text = stackalloc byte[Math.Min((limits ?? ProcfsLimits.Default).MaxLinkBytes, 64 * 1024)];
        fixed (byte* start = text)
        {
            nint length = LibC.ReadLinkAt(_directory, name, start, (nuint)text.Length);
            return length < 0
                ? throw SyscallException.FromLastError($"readlinkat(/proc/PID/{name})", Tid)
                : text[..(int)length].ToArray();
        }
    }

    /// <summary>
    /// Number of tasks, exited ones that nobody has reaped included: the link count of <c>task</c> without the two of any directory
    /// (fs/proc/base.c, proc_task_getattr). The kernel need not print a status for it.
    /// </summary>
    /// <exception cref="SyscallException">ENOENT or ESRCH where the process has gone.</exception>
    public unsafe int ReadThreadCount()
    {
        StatxInfo info;
        return LibC.Statx(_directory, "task", 0, StatxInfo.LinkCountMask, &info) != 0
            ? throw SyscallException.FromLastError("statx", Tid)
            : (int)info.LinkCount - 2;
    }

    /// <summary>Reads who owns a file below the directory.</summary>
    /// <remarks>The owner of a file such as <c>status</c> is root where the process is not dumpable (proc(5)).</remarks>
    /// <exception cref="SyscallException">The task has gone.</exception>
    public unsafe uint ReadOwner(string name)
    {
        StatxInfo info;
        return LibC.Statx(_directory, name, 0, StatxInfo.UidMask, &info) != 0
            ? throw SyscallException.FromLastError($"statx(/proc/PID/{name})", Tid)
            : info.Uid;
    }

    /// <summary>
    /// Whether the kernel calls the process dumpable (PR_GET_DUMPABLE): the files of one that is not are root's. Of root's own
    /// processes they always are, and nothing tells.
    /// </summary>
    /// <param name="uids">Its user ids, from its status just before.</param>
    /// <exception cref="SyscallException">The task has gone.</exception>
    public bool IsDumpable(Credentials uids) => uids.Effective == 0 || ReadOwner("status") == uids.Effective;

    /// <summary>Lists the tasks of the process in ascending order; one that ends or begins meanwhile may be missing.</summary>
    /// <exception cref="SyscallException">The process has gone.</exception>
    public List<int> ListTasks(ProcfsLimits? limits = null)
    {
        using var task = new SafeFileHandle(OpenFile("task", OpenFlags.Directory), ownsHandle: true);
        return NumericEntries.List(task, Tid, limits ?? ProcfsLimits.Default);
    }

    /// <summary>Lists the open descriptors in ascending order, but for 0. Their facts are in <c>fdinfo/N</c>.</summary>
    /// <exception cref="SyscallException">The process has gone, or reading is refused.</exception>
    public List<int> ListDescriptors(ProcfsLimits? limits = null)
    {
        using var descriptors = new SafeFileHandle(OpenFile("fdinfo", OpenFlags.Directory), ownsHandle: true);
        return NumericEntries.List(descriptors, Tid, limits ?? ProcfsLimits.Default);
    }

    /// <inheritdoc/>
    public void Dispose() => _directory.Dispose();

    private static ProcessDirectory OpenPath(string path, int pid)
    {
        int descriptor = LibC.Open(path, OpenFlags.Path | OpenFlags.Directory | OpenFlags.CloseOnExec);
        return descriptor < 0
            ? throw SyscallException.FromLastError("open(/proc/PID)", pid)
            : new ProcessDirectory(new SafeFileHandle(descriptor, ownsHandle: true), pid, pid);
    }

    private int OpenFile(string name, OpenFlags flags)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (s_gatedFiles?.TryOpen(this, name) is { } gated)
        {
            int taken = (int)gated.DangerousGetHandle();
            gated.SetHandleAsInvalid(); // the caller closes it
            return taken;
        }

        int descriptor = LibC.OpenAt(_directory, name, flags | OpenFlags.CloseOnExec);
        return descriptor < 0 ? throw SyscallException.FromLastError($"openat(/proc/PID/{name})", Tid) : descriptor;
    }

    private unsafe int ReadOnce(int descriptor, Span<byte> destination, string name)
    {
        fixed (byte* start = destination)
        {
            while (true)
            {
                nint count = LibC.Read(descriptor, start, (nuint)destination.Length);
                if (count >= 0)
                {
                    return (int)count;
                }

                var failure = SyscallException.FromLastError($"read(/proc/PID/{name})", Tid);
                if (failure.Errno != Errno.Interrupted)
                {
                    throw failure;
                }
            }
        }
    }
}
