namespace Corelift.Benchmarks;

/// <summary>One figure with its bar.</summary>
/// <param name="Name">What was measured.</param>
/// <param name="Ours">What it was.</param>
/// <param name="Beside">What it is compared with.</param>
/// <param name="Bar">The promise, with the ratio that was reached.</param>
/// <param name="Verdict">Whether it was kept; null where it could not be measured.</param>
internal sealed record Figure(string Name, string Ours, string Beside, string Bar, bool? Verdict)
{
    internal string VerdictText => Verdict switch { true => "reached", false => "MISSED", null => "not measured" };
}

/// <summary>One target through one compression.</summary>
internal sealed record CompressionRow(string Target, string Compression, TimeSpan Elapsed, ulong MemoryBytes, ulong WireBytes)
{
    /// <summary>Least time over a link of 1 Gbit/s, where the wire and the rest go on at once.</summary>
    internal TimeSpan OverGigabit => TimeSpan.FromSeconds(Math.Max(Elapsed.TotalSeconds, WireBytes / 125e6));
}

/// <summary>One way to take a snapshot that is sealed, or not.</summary>
internal sealed record SealingRow(string Way, TimeSpan Elapsed, ulong MemoryBytes);
