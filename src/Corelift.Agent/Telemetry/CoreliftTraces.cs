using System.Diagnostics;

namespace Corelift.Agent.Telemetry;

/// <summary>The agent's spans: their source, and the names of attributes that no convention has.</summary>
internal static class CoreliftTraces
{
    /// <summary>Name of the source.</summary>
    internal const string SourceName = "Corelift.Agent";

    internal const string Strategy = "corelift.strategy";
    internal const string Content = "corelift.content";
    internal const string Outcome = "corelift.outcome";
    internal const string Cause = "corelift.cause";
    internal const string Reason = "corelift.reason";
    internal const string Threads = "corelift.threads";
    internal const string MemoryBytes = "corelift.memory.bytes";
    internal const string Pause = "corelift.pause_s";
    internal const string Skew = "corelift.skew_s";
    internal const string Round = "corelift.round";

    /// <summary>Where they come from. Without a listener it makes none.</summary>
    internal static ActivitySource Source { get; } = new(SourceName, AgentVersion.Text);

    /// <summary>Makes a span of something that has ended already.</summary>
    /// <returns>The span's own context, for spans within it.</returns>
    internal static ActivityContext Add(
        ActivityContext parent, string name, DateTimeOffset start, TimeSpan duration, params ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        using Activity? span = Source.StartActivity(name, ActivityKind.Internal, parent, tags: null, links: null, start);
        if (span is null)
        {
            return parent;
        }

        foreach (KeyValuePair<string, object?> tag in tags)
        {
            span.SetTag(tag.Key, tag.Value);
        }

        // SetEndTime takes 0 for "now", and a phase may be shorter than a tick.
        DateTime end = (start + duration).UtcDateTime;
        span.SetEndTime(end > span.StartTimeUtc ? end : span.StartTimeUtc.AddTicks(1));
        return span.Context;
    }
}
