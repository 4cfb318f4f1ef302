#pragma warning disable CA2000 // Sockets go back to the pool or are closed.
using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Corelift.Capture.Worker;
using Corelift.Linux;
using Corelift.Linux.Processes;
using Corelift.Linux.Procfs;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Supervision;

/// <summary>
/// Asks the supervisor for what /proc gates by the right to trace. A question at a time on a socket, several sockets: one file
/// system that does not answer holds up one of them.
/// </summary>
internal sealed class TargetFileClient(SupervisorConnection supervisor) : IGatedFiles, IDisposable
{
    private const int MostAtOnce = 16;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private readonly ConcurrentBag<MessageSocket> _idle = [];
    private readonly SemaphoreSlim _atOnce = new(MostAtOnce, MostAtOnce);

    public SafeFileHandle? TryOpen(ProcessDirectory directory, string name)
    {
        const string Root = "root";
        const string DescriptorFacts = "fdinfo/";
        TargetFile file = name switch
        {
            "maps" => TargetFile.Maps,
            "smaps" => TargetFile.Smaps,
            "exe" => TargetFile.Executable,
            "fdinfo" => TargetFile.DescriptorList,
            _ when name.StartsWith(DescriptorFacts, StringComparison.Ordinal) => TargetFile.DescriptorFacts,
            _ when name.StartsWith(Root + "/", StringComparison.Ordinal) => TargetFile.MappedFile,
            _ => default,
        };
        if (file == default)
        {
            return null;
        }

        int argument = file == TargetFile.DescriptorFacts ? int.Parse(name.AsSpan(DescriptorFacts.Length), CultureInfo.InvariantCulture) : 0;
        string path = file == TargetFile.MappedFile ? name[Root.Length..] : string.Empty;
        (_, SafeFileHandle? handle) = Ask(directory, name, file, argument, path);
        return handle ?? throw new SyscallException($"open(/proc/PID/{name})", directory.Tid, Errno.InputOutput);
    }

    public byte[]? TryReadText(ProcessDirectory directory, string name)
    {
        const string Task = "task/";
        const string WaitChannel = "/wchan";
        const string Namespace = "ns/";
        if (name == "exe")
        {
            return Ask(directory, name, TargetFile.ExecutableLink).Text;
        }

        if (name.StartsWith(Namespace, StringComparison.Ordinal))
        {
            int place = ProcessDirectory.Namespaces.IndexOf(name[Namespace.Length..]);
            return place < 0 ? null : Ask(directory, name, TargetFile.NamespaceLink, place).Text;
        }

        return name.StartsWith(Task, StringComparison.Ordinal) && name.EndsWith(WaitChannel, StringComparison.Ordinal)
            && int.TryParse(name.AsSpan(Task.Length..^WaitChannel.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int tid)
            ? Ask(directory, name, TargetFile.WaitChannel, tid).Text
            : null;
    }

    public void Dispose() => _atOnce.Dispose();

    public bool CanOpenMemory(ProcessDirectory directory) => Ask(directory, "mem", TargetFile.IsMemoryOpen).Text is [1];

    private (byte[] Text, SafeFileHandle? File) Ask(ProcessDirectory directory, string name, TargetFile file, int argument = 0, string path = "")
    {
        var request = new TargetFileRequest
        {
            File = file,
            Pid = directory.Pid,
            Tid = directory.Tid,
            StartTimeTicks = directory.ProcessStartTicks,
            Argument = argument,
        };
        if (Encoding.UTF8.GetByteCount(path) >= PathText.Length)
        {
            throw new SyscallException($"open(/proc/PID/{name})", directory.Tid, Errno.InvalidArgument);
        }

        request.PathBytes = Encoding.UTF8.GetBytes(path, request.Path);
        var descriptors = new List<SafeFileHandle>(1);
        TargetFileReply reply = Exchange(ref request, descriptors, name, directory.Tid);
        if (reply.Errno != 0)
        {
            throw new SyscallException($"open(/proc/PID/{name})", directory.Tid, (Errno)reply.Errno);
        }

        ReadOnlySpan<byte> text = reply.Text;
        return (text[..Math.Clamp(reply.TextBytes, 0, text.Length)].ToArray(), descriptors.Count > 0 ? descriptors[0] : null);
    }

    private TargetFileReply Exchange(ref TargetFileRequest request, List<SafeFileHandle> descriptors, string name, int tid)
    {
        if (!_atOnce.Wait(s_patience))
        {
            throw new SyscallException($"open(/proc/PID/{name})", tid, Errno.TimedOut);
        }

        MessageSocket? socket = null;
        try
        {
            socket = _idle.TryTake(out MessageSocket? idle) ? idle : supervisor.OpenFiles();
            Span<byte> bytes = stackalloc byte[2 * PathText.Length];
            if (socket is not null && socket.TrySend(WorkerMessage.ToBytes(ref request)) && socket.WaitReadable((int)s_patience.TotalMilliseconds)
                && WorkerMessage.TryRead(bytes[..socket.Receive(bytes, descriptors)], out TargetFileReply reply))
            {
                _idle.Add(socket);
                socket = null;
                return reply;
            }

            throw new SyscallException($"open(/proc/PID/{name})", tid, Errno.TimedOut);
        }
        finally
        {
            socket?.Dispose(); // it has gone, or its other end is held up by a file system
            _ = _atOnce.Release();
        }
    }
}
