using Corelift.V1;

namespace Corelift.Client.Receiving;

/// <summary>The words of the vendor note for the wire's enumerations.</summary>
internal static class WireNames
{
    private const int LongestText = 4096;

    internal static string Of(Strategy strategy) => strategy switch
    {
        Strategy.Direct => "direct",
        Strategy.Fork => "fork",
        Strategy.Precopy => "precopy",
        _ => "unknown",
    };

    internal static string Of(Content content) => content switch
    {
        Content.Unspecified or Content.Default => "default",
        Content.Full => "full",
        Content.Stacks => "stacks",
        _ => "unknown",
    };

    internal static string Of(HoleReason reason) => reason switch
    {
        HoleReason.NotInContent => "not-in-content",
        HoleReason.Unreadable => "unreadable",
        HoleReason.DontDump => "dont-dump",
        HoleReason.NotForked => "not-forked",
        HoleReason.WipedOnFork => "wiped-on-fork",
        HoleReason.PresenceUnknown => "presence-unknown",
        HoleReason.Userfault => "userfault",
        HoleReason.Device => "device",
        HoleReason.Dropped => "dropped",
        HoleReason.Secret => "secret",
        _ => "unknown",
    };

    /// <summary>Why bytes are not of the instant; null where they are, or where there are none.</summary>
    internal static (string Name, string Why)? Inconsistency(Consistency consistency) => consistency switch
    {
        Consistency.Unspecified or Consistency.Instant => null,
        Consistency.File => ("file", "pages of the mapped file are as the file was when it was read"),
        Consistency.Live => ("live", "shared memory, read after the target ran again"),
        Consistency.Shared => ("shared", "copied while the target was stopped, but other processes could write to it"),
        Consistency.SharedLive => (
            "shared-live", "shared memory, read while the target ran; what other processes wrote is as it was when it was read"),
        _ => ("unknown", "the agent names a consistency that this client does not know"),
    };

    /// <summary>A text of the agent's in a bounded length.</summary>
    internal static string Cut(string text) => text.Length <= LongestText ? text : text[..LongestText];
}
