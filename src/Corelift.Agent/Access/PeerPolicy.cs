namespace Corelift.Agent.Access;

/// <summary>Who may call over a Unix socket: root, the agent's own user, and one group.</summary>
/// <param name="OwnUid">The agent's uid.</param>
/// <param name="Group">The group, or null for none.</param>
/// <param name="IdsAreWhole">
/// Whether the agent's user namespace maps all ids. Where it does not, the kernel shows peers from outside as
/// <see cref="Nobody"/>, and that number says nothing of who they are.
/// </param>
internal sealed record PeerPolicy(uint OwnUid, uint? Group, bool IdsAreWhole)
{
    /// <summary>The number that stands for ids without a mapping, and for "nobody" and "nogroup" (overflowuid).</summary>
    internal const uint Nobody = 65534;

    /// <summary>Whether a peer may call.</summary>
    internal bool Allows(PeerIdentity peer) =>
        (peer.Uid == 0)
        || (peer.Uid == OwnUid && Means(peer.Uid))
        || (Group is uint group && Means(group) && (peer.Gid == group || peer.Groups.Contains(group)));

    /// <summary>Whether this process's user namespace maps every id onto itself or another.</summary>
    internal static bool ReadIdsAreWhole() => IsWhole("/proc/self/uid_map") && IsWhole("/proc/self/gid_map");

    private bool Means(uint id) => IdsAreWhole || id != Nobody;

    private static bool IsWhole(string path)
    {
        try
        {
            // "0 0 4294967295" in the first user namespace.
            string[] parts = File.ReadAllText(path).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            return parts is ["0", _, "4294967295"];
        }
        catch (IOException)
        {
            return false;
        }
    }
}
