using System.Globalization;
using System.Text;
using Corelift.Capture.Worker;
using Corelift.Linux;
using Corelift.Linux.Processes;
using Corelift.Linux.Procfs;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Supervision;

/// <summary>
/// Opens files of targets for a front end that may not: those of <see cref="TargetFile"/>, for reading, of the very process that
/// was meant. It reads none of them but the inode numbers of maps. One thread a socket: a file system that does not answer
/// holds up one of them.
/// </summary>
internal static class TargetFileServer
{
    /// <summary>Serves a socket until its other end goes.</summary>
    /// <param name="socket">Closed at the end.</param>
    /// <param name="breach">Called where the other end is not a front end of ours.</param>
    internal static void Start(MessageSocket socket, Action breach) =>
        new Thread(() => Serve(socket, breach), 256 * 1024) { IsBackground = true, Name = "target-files" }.Start();

    internal static void Serve(MessageSocket socket, Action breach)
    {
        byte[] message = new byte[2 * PathText.Length];
        var descriptors = new List<SafeFileHandle>();
        try
        {
            int length;
            while ((length = socket.Receive(message, descriptors)) > 0)
            {
                if (descriptors.Count > 0 || !WorkerMessage.TryRead(message.AsSpan(0, length), out TargetFileRequest request))
                {
                    breach();
                    break;
                }

                Answer(socket, request);
            }
        }
        catch (Exception failure) when (failure is SyscallException or ObjectDisposedException)
        {
            // The other end has gone.
        }
        finally
        {
            descriptors.ForEach(descriptor => descriptor.Dispose());
            socket.Dispose();
        }
    }

    private static void Answer(MessageSocket socket, in TargetFileRequest request)
    {
        var reply = default(TargetFileReply);
        SafeFileHandle? file = null;
        try
        {
            file = Find(request, ref reply);
        }
        catch (SyscallException failure)
        {
            reply = new TargetFileReply { Errno = (int)failure.Errno };
        }
        catch (ProcfsFormatException)
        {
            reply = new TargetFileReply { Errno = (int)Errno.InputOutput };
        }

        using (file)
        {
            _ = file is null ? socket.TrySend(WorkerMessage.ToBytes(ref reply)) : socket.TrySend(WorkerMessage.ToBytes(ref reply), file);
        }
    }

    private static SafeFileHandle? Find(in TargetFileRequest request, ref TargetFileReply reply)
    {
        if (request.Pid <= 0 || request.Tid <= 0 || request.StartTimeTicks == 0)
        {
            throw Refuse(Errno.InvalidArgument);
        }

        using ProcessDirectory process = ProcessDirectory.Open(request.Pid);
        if (TaskIdentity.Read(process).StartTimeTicks != request.StartTimeTicks)
        {
            throw Refuse(Errno.NoSuchTask);
        }

        using ProcessDirectory? task = request.Tid == request.Pid ? null : process.ForTask(request.Tid);
        ProcessDirectory directory = task ?? process;
        switch (request.File)
        {
            case TargetFile.Maps:
                return directory.OpenForReading("maps");
            case TargetFile.Smaps:
                return directory.OpenForReading("smaps");
            case TargetFile.Executable:
                return Regular(directory.OpenForReading("exe"));
            case TargetFile.DescriptorList:
                return directory.OpenForReading("fdinfo");
            case TargetFile.DescriptorFacts when request.Argument >= 0:
                return directory.OpenForReading(string.Create(CultureInfo.InvariantCulture, $"fdinfo/{request.Argument}"));
            case TargetFile.MappedFile:
                return OpenMapped(directory, PathOf(request));
            case TargetFile.ExecutableLink:
                Put(directory.ReadLinkBytes("exe"), ref reply);
                return null;
            case TargetFile.NamespaceLink when request.Argument >= 0 && request.Argument < ProcessDirectory.Namespaces.Length:
                Put(directory.ReadLinkBytes("ns/" + ProcessDirectory.Namespaces[request.Argument]), ref reply);
                return null;
            case TargetFile.WaitChannel when request.Argument > 0:
                Span<byte> text = stackalloc byte[128];
                Put(text[..directory.ReadStart(string.Create(CultureInfo.InvariantCulture, $"task/{request.Argument}/wchan"), text)], ref reply);
                return null;
            case TargetFile.IsMemoryOpen:
                Put(directory.CanOpenMemory() ? [1] : [0], ref reply);
                return null;
            default:
                throw Refuse(Errno.InvalidArgument);
        }
    }

    /// <summary>An absolute path as the kernel writes it: no empty part, none that leads up, no zero byte.</summary>
    private static string PathOf(in TargetFileRequest request)
    {
        if (request.PathBytes is <= 1 or >= PathText.Length)
        {
            throw Refuse(Errno.InvalidArgument);
        }

        ReadOnlySpan<byte> bytes = request.Path;
        bytes = bytes[..request.PathBytes];
        string path = Encoding.UTF8.GetString(bytes);
        bool isSound = bytes[0] == '/' && !bytes.Contains((byte)0) && !path[1..].Split('/').Any(part => part is "" or "." or "..");
        return isSound ? path : throw Refuse(Errno.InvalidArgument);
    }

    private static SafeFileHandle OpenMapped(ProcessDirectory directory, string path)
    {
        SafeFileHandle file = Regular(directory.OpenMappedFile(path));
        try
        {
            using SafeFileHandle maps = directory.OpenForReading("maps");
            return FileIdentity.Of(file) is { } identity && MappedInodes.Contains(maps, identity.Inode) ? file : throw Refuse(Errno.NotPermitted);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static SafeFileHandle Regular(SafeFileHandle file)
    {
        if (FileKind.IsRegular(file))
        {
            return file;
        }

        file.Dispose();
        throw Refuse(Errno.NotPermitted);
    }

    private static void Put(ReadOnlySpan<byte> text, ref TargetFileReply reply)
    {
        reply.TextBytes = Math.Min(text.Length, PathText.Length);
        text[..reply.TextBytes].CopyTo(reply.Text);
    }

    private static SyscallException Refuse(Errno errno) => new("open", 0, errno);
}
