using System.Diagnostics;
using Corelift.Benchmarks.Page;

namespace Corelift.Benchmarks;

/// <summary>What the groups of one run share: where cores go, what was found, and whether somebody interrupted.</summary>
internal sealed class BenchmarkRun : IDisposable
{
    private static readonly TimeSpan s_timeForRepeats = TimeSpan.FromMinutes(25);

    private readonly DirectoryInfo _scratch;
    private readonly long _start = Stopwatch.GetTimestamp();

    internal BenchmarkRun(bool quick, DirectoryInfo pageFolder, CancellationToken cancellation)
    {
        Quick = quick;
        PageFolder = pageFolder;
        Cancellation = cancellation;
        // Beside the build's output: /tmp may be memory, and every core goes to the same local disk.
        _scratch = Directory.CreateDirectory(Path.Combine(Artifacts.Root, "artifacts", $"bench-{Environment.ProcessId}"));
    }

    /// <summary>Whether small targets and few repeats do: to try the benchmark itself.</summary>
    internal bool Quick { get; }

    /// <summary>Where RESULTS.md and its plot go.</summary>
    internal DirectoryInfo PageFolder { get; }

    internal CancellationToken Cancellation { get; }

    internal IReadOnlyList<string> Facts { get; set; } = [];

    internal List<Row> Rows { get; } = [];

    internal List<RedisRow> Redis { get; } = [];

    internal List<Figure> MemoryFigures { get; } = [];

    internal List<Figure> SteadyFigures { get; } = [];

    internal List<Figure> StreamingFigures { get; } = [];

    internal List<Figure> RedisFigures { get; } = [];

    internal List<Figure> LoadFigures { get; } = [];

    internal List<CompressionRow> Compression { get; } = [];

    internal List<SealingRow> Sealing { get; } = [];

    /// <summary>What went wrong outside of a row: one sentence each.</summary>
    internal List<string> Failures { get; } = [];

    /// <summary>File system under the cores.</summary>
    internal string Disk => new DriveInfo(_scratch.FullName).DriveFormat;

    /// <summary>Whether repeats beyond the first are affordable: a whole run is to end within half an hour.</summary>
    internal bool HasTime => Elapsed < s_timeForRepeats;

    internal TimeSpan Elapsed => Stopwatch.GetElapsedTime(_start);

    internal bool AnythingFailed => Failures.Count > 0 || Rows.Any(row => row.Failed) || Redis.Any(row => row.Failed);

    /// <summary>All that is promised, of what was measured so far.</summary>
    internal IReadOnlyList<Figure> Figures() =>
        [.. new CaptureBars(Rows).All(), .. SteadyFigures, .. StreamingFigures, .. RedisFigures, .. MemoryFigures, .. LoadFigures];

    internal string ScratchPath(string name) => Path.Combine(_scratch.FullName, name);

    /// <summary>Removes all cores and lets the disk finish, so that no run pays for the one before it.</summary>
    internal async Task ClearScratchAsync()
    {
        foreach (FileSystemInfo entry in _scratch.GetFileSystemInfos())
        {
            if (entry is DirectoryInfo folder)
            {
                folder.Delete(recursive: true);
            }
            else
            {
                entry.Delete();
            }
        }

        (await Command.RunAsync("sync", [], cancellation: Cancellation)).Checked();
    }

    internal void Say(string what)
    {
        Cancellation.ThrowIfCancellationRequested();
        Console.Error.WriteLine($"{Elapsed:mm\\:ss} {what}");
    }

    /// <summary>Writes what there is so far: a run that is cut off leaves its page.</summary>
    internal void WritePage() => ResultsPage.Write(this);

    /// <inheritdoc/>
    public void Dispose() => _scratch.Delete(recursive: true);
}
