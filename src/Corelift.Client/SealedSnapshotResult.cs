namespace Corelift.Client;

/// <summary>
/// A sealed snapshot that was received as it is. What it holds, and whether it is whole, shows when it is opened
/// (<see cref="SealedSnapshot.OpenAsync"/>).
/// </summary>
public sealed record SealedSnapshotResult
{
    /// <summary>Full path of the sealed file; null where it went to a stream.</summary>
    public required string? Path { get; init; }

    /// <summary>Length of the sealed file in bytes.</summary>
    public required long FileLengthBytes { get; init; }

    /// <summary>Time from the request until the file was there.</summary>
    public required TimeSpan Elapsed { get; init; }
}
