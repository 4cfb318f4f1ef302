using System.Globalization;
using System.Net.Sockets;
using Corelift.Agent.Hosting;

namespace Corelift.Agent.Checking;

/// <summary>Whether the agent can listen, remember and spool where it was told to.</summary>
internal static class PlaceChecks
{
    private const double GibiByte = 1L << 30;

    internal static CheckLine Listen(ListenAddress address)
    {
        string name = $"address {address}";
        try
        {
            if (Answers(address))
            {
                return CheckLine.Ok(name, "somebody listens there already: this agent, if it runs");
            }

            if (address.Path is not { } path)
            {
                using var listener = new TcpListener(address.EndPoint!);
                listener.Start();
                return CheckLine.Ok(name, "free");
            }

            string directory = Path.GetDirectoryName(path)!;
            string probe = Path.Combine(ExistingPart(directory), "." + Path.GetRandomFileName());
            File.Create(probe, 1, FileOptions.DeleteOnClose).Dispose();
            return CheckLine.Ok(name, Directory.Exists(directory) ? "its directory is there, and can be written to" : "its directory will be made");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or SocketException)
        {
            return CheckLine.Failed(name, failure is SocketException ? failure.Message : "its directory cannot be made or written to", "make a directory that the agent's user can write to (RuntimeDirectory= of systemd), or name another address with --listen");
        }
    }

    /// <param name="directory">As configured; null for none.</param>
    /// <param name="listen">The agent makes the directories of its sockets, so that one of them need not be there yet.</param>
    internal static CheckLine State(string? directory, IEnumerable<ListenAddress> listen)
    {
        const string Name = "state directory", Loss = "without it, what a killed agent leaves in a target stays until the target ends";
        if (directory is null)
        {
            return CheckLine.Limited(Name, "none", $"name one with --state-directory: {Loss}");
        }

        bool isMade = !Directory.Exists(directory) && listen.Any(address => address.Path is not null && Path.GetDirectoryName(address.Path) == directory);
        return isMade ? CheckLine.Ok(Name, $"{directory}, made with the socket")
            : CanWrite(directory, out string problem) ? CheckLine.Ok(Name, directory)
            : CheckLine.Limited(Name, problem, $"make {AgentLog.Escape(directory)} a directory that the agent's user can write to: {Loss}");
    }

    internal static CheckLine SpoolDirectory(string? directory)
    {
        const string Name = "spool directory";
        return directory is null
            ? CheckLine.Ok(Name, "none: spools are in memory alone")
            : CanWrite(directory, out string problem)
                ? CheckLine.Ok(Name, string.Create(CultureInfo.InvariantCulture, $"{directory}, {new DriveInfo(directory).AvailableFreeSpace / GibiByte:F1} GiB free"))
                : CheckLine.Limited(Name, problem, $"make {AgentLog.Escape(directory)} a directory that the agent's user can write to");
    }

    /// <param name="spoolBytes">As configured; 0 for a quarter of what is available.</param>
    /// <param name="availableBytes">Memory that the host has available.</param>
    /// <param name="limitBytes">Limit of the agent's own memory cgroup, to which its spools are charged; null without one.</param>
    internal static CheckLine Spool(long spoolBytes, long availableBytes, long? limitBytes)
    {
        const string Name = "memory for spools";
        long spool = spoolBytes > 0 ? spoolBytes : availableBytes / 4;
        string found = string.Create(CultureInfo.InvariantCulture, $"up to {spool / GibiByte:F1} GiB of {availableBytes / GibiByte:F1} GiB available");
        return spool > availableBytes
            ? CheckLine.Limited(Name, found, "give a smaller --spool-bytes, or a --spool-directory: a spool that is larger than memory drives others out of it")
            : spool > limitBytes
                ? CheckLine.Limited(
                    Name, string.Create(CultureInfo.InvariantCulture, $"{found}, but the agent's cgroup allows {limitBytes / GibiByte:F1} GiB"),
                    "give a --spool-bytes below that limit, or raise it: the kernel would kill the agent in the middle of a capture")
                : CheckLine.Ok(Name, found);
    }

    private static bool Answers(ListenAddress address)
    {
        try
        {
            using var socket = address.Path is null
                ? new Socket(address.EndPoint!.AddressFamily, SocketType.Stream, ProtocolType.Tcp)
                : new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Connect(address.Path is null ? address.EndPoint! : new UnixDomainSocketEndPoint(address.Path));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static string ExistingPart(string directory)
    {
        while (!Directory.Exists(directory) && Path.GetDirectoryName(directory) is { } parent)
        {
            directory = parent;
        }

        return directory;
    }

    /// <summary>Whether files can be made in a directory, or why not: its name, and the rest of a sentence.</summary>
    internal static bool CanWrite(string directory, out string problem)
    {
        try
        {
            File.Create(Path.Combine(directory, "." + Path.GetRandomFileName()), 1, FileOptions.DeleteOnClose).Dispose();
            problem = string.Empty;
            return true;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            problem = $"{directory} {(Directory.Exists(directory) ? $"cannot be written to ({failure.GetType().Name})" : "is not there")}";
            return false;
        }
    }
}
