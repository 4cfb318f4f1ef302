using System.Net.Sockets;
using Corelift.Linux;
using Corelift.Linux.Processes;

namespace Corelift.Agent.Hosting;

/// <summary>
/// Makes the agent's listening Unix socket. Its mode and group are set before it listens, so that nobody can connect to it
/// while it is still more open, or less, than asked.
/// </summary>
internal static class UnixSocketFactory
{
    private const UnixFileMode DirectoryMode =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute;

    private const UnixFileMode OwnerMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode GroupMode = OwnerMode | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;

    /// <summary>Makes a socket bound to a path, replacing one that nobody serves any more.</summary>
    /// <param name="path">Absolute path; its directory is made if it is missing, for the owner and the group.</param>
    /// <param name="group">Group that may connect; null for nobody but the owner.</param>
    /// <param name="mode">Its permissions; null for owner and group alone.</param>
    /// <exception cref="StartRefusedException">Somebody serves there already, or the file system refuses.</exception>
    internal static Socket Bind(string path, uint? group, UnixFileMode? mode = null)
    {
        Socket? socket = null;
        try
        {
            MakeDirectory(Path.GetDirectoryName(path)!, group);
            RemoveStale(path);
            socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Bind(new UnixDomainSocketEndPoint(path));
            GiveToGroup(path, group);
            File.SetUnixFileMode(path, mode ?? (group is null ? OwnerMode : GroupMode));
            return socket;
        }
        catch (Exception failure) when (failure is SocketException or IOException or UnauthorizedAccessException)
        {
            socket?.Dispose();
            throw new StartRefusedException(
                $"cannot make the socket {path}: {failure.Message}. Make its directory beforehand and give it to the agent's user "
                + "(systemd: RuntimeDirectory=corelift), or name another path with --listen unix:PATH");
        }
        catch
        {
            socket?.Dispose();
            throw;
        }
    }

    private static void MakeDirectory(string directory, uint? group)
    {
        if (Directory.Exists(directory))
        {
            return;
        }

        // One level alone: what lies above is the host's to make.
        Directory.CreateDirectory(directory, DirectoryMode);
        GiveToGroup(directory, group);
        File.SetUnixFileMode(directory, DirectoryMode); // the umask took the group's bits
    }

    private static void GiveToGroup(string path, uint? group)
    {
        if (group is not uint gid || gid == SelfControl.EffectiveGid)
        {
            return;
        }

        try
        {
            SelfControl.ChangeGroup(path, gid);
        }
        catch (SyscallException failure) when (failure.IsDenied)
        {
            throw new StartRefusedException(
                $"cannot give {path} to group {gid}: the agent is not in that group. Put its user into the group "
                + "(systemd: SupplementaryGroups=), or leave --socket-group out");
        }
    }

    private static void RemoveStale(string path)
    {
        if (!Path.Exists(path))
        {
            return;
        }

        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException failure) when (failure.SocketErrorCode == SocketError.ConnectionRefused)
        {
            // A socket that nobody listens on, or no socket at all: connect(2) says the same of both.
            if (FileKind.IsSocket(path))
            {
                File.Delete(path);
                return;
            }

            throw new StartRefusedException($"{path} exists and is no socket: remove it, or name another path with --listen unix:PATH");
        }

        throw new StartRefusedException($"somebody serves on {path} already: stop that agent first, or name another path with --listen unix:PATH");
    }
}
