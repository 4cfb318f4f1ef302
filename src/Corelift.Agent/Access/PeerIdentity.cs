using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Corelift.Agent.Access;

/// <summary>
/// Who stands at the other end of a Unix socket, as the kernel noted when it connected (SO_PEERCRED, SO_PEERGROUPS): nothing
/// that happens to the process later changes it. Ids are those of the agent's user namespace.
/// </summary>
/// <param name="Pid">Its pid; 0 where it lies outside the agent's pid namespace. For logs alone.</param>
/// <param name="Uid">Effective uid.</param>
/// <param name="Gid">Effective gid.</param>
/// <param name="Groups">Supplementary groups.</param>
internal sealed record PeerIdentity(int Pid, uint Uid, uint Gid, IReadOnlyList<uint> Groups)
{
    private const int SocketLevel = 1; // SOL_SOCKET
    private const int PeerCredentials = 17; // SO_PEERCRED
    private const int PeerGroups = 59; // SO_PEERGROUPS
    private const int UsualGroups = 64;
    private const int MaxGroups = 65536; // NGROUPS_MAX

    /// <summary>Reads the peer of a connected Unix socket.</summary>
    /// <exception cref="SocketException">The kernel does not say.</exception>
    internal static PeerIdentity Read(Socket socket)
    {
        Span<byte> credentials = stackalloc byte[12]; // struct ucred
        socket.GetRawSocketOption(SocketLevel, PeerCredentials, credentials);
        return new PeerIdentity(
            BinaryPrimitives.ReadInt32LittleEndian(credentials),
            BinaryPrimitives.ReadUInt32LittleEndian(credentials[4..]),
            BinaryPrimitives.ReadUInt32LittleEndian(credentials[8..]),
            ReadGroups(socket));
    }

    /// <inheritdoc/>
    public override string ToString() => $"uid {Uid}, gid {Gid}, pid {Pid}";

    private static uint[] ReadGroups(Socket socket)
    {
        foreach (int room in (int[])[UsualGroups, MaxGroups])
        {
            try
            {
                byte[] groups = new byte[room * sizeof(uint)];
                int length = socket.GetRawSocketOption(SocketLevel, PeerGroups, groups);
                return MemoryMarshal.Cast<byte, uint>(groups.AsSpan(0, length)).ToArray();
            }
            catch (SocketException)
            {
                // ERANGE: more groups than room. ENOPROTOOPT (before Linux 4.13): none are known, and none count.
            }
        }

        return [];
    }
}
