namespace Corelift.Benchmarks;

/// <summary>What the groups of one run share: where cores go, what was found, and whether somebody interrupted.</summary>
internal sealed class BenchmarkRun : IDisposable
{
    private readonly DirectoryInfo _folder;

    internal BenchmarkRun(CancellationToken cancellation)
    {
        Cancellation = cancellation;
        // Beside the build's output: /tmp may be memory, and every core goes to the same local disk.
        _folder = Directory.CreateDirectory(Path.Combine(Artifacts.Root, "artifacts", $"bench-{Environment.ProcessId}"));
    }

    internal CancellationToken Cancellation { get; }

    internal List<Figure> Figures { get; } = [];

    internal List<CompressionRow> Compression { get; } = [];

    /// <summary>File system under the cores.</summary>
    internal string Disk => new DriveInfo(_folder.FullName).DriveFormat;

    internal string CorePath(string name) => Path.Combine(_folder.FullName, name);

    /// <summary>Removes all cores and lets the disk finish, so that no run pays for the one before it.</summary>
    internal async Task ClearDiskAsync()
    {
        foreach (FileInfo file in _folder.GetFiles())
        {
            file.Delete();
        }

        (await Command.RunAsync("sync", [], cancellation: Cancellation)).Checked();
    }

    internal void Say(string what)
    {
        Cancellation.ThrowIfCancellationRequested();
        Console.Error.WriteLine("== " + what);
    }

    /// <inheritdoc/>
    public void Dispose() => _folder.Delete(recursive: true);
}
