using System.Globalization;

namespace Corelift.Torture;

/// <summary>What became of a worker that was to be killed at a system call.</summary>
/// <param name="Syscalls">How many it had made.</param>
/// <param name="WasKilled">Whether it got as far.</param>
/// <param name="Release">How long threads of the target stayed stopped after the kill.</param>
internal sealed record PointReached(long Syscalls, bool WasKilled, Release Release);

/// <summary>Puts tests/tracees/killpoint.c between an agent's supervisor and its workers; that file says how it is talked to.</summary>
internal sealed class Killpoints
{
    private const UnixFileMode Everybody = (UnixFileMode)0b110_110_110;
    private const UnixFileMode Program = (UnixFileMode)0b111_101_101;
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(20);

    private readonly string _points;
    private readonly string _done;

    /// <summary>Installs it; workers that are started from now on come through it.</summary>
    internal Killpoints(string program)
    {
        (_points, _done) = (program + ".points", program + ".done");
        File.WriteAllText(_points, string.Empty);
        File.SetUnixFileMode(_points, Everybody);
        File.Move(program, program + ".real");
        File.Copy(Artifacts.Tracee("killpoint"), program + ".new");
        File.SetUnixFileMode(program + ".new", Program);
        File.Move(program + ".new", program);
    }

    /// <summary>Says at which system call each of the next workers is killed; 0 for not at all.</summary>
    internal void Arm(int target, params long[] numbers)
    {
        File.Delete(_done);
        File.WriteAllLines(_points, numbers.Select(number => string.Create(CultureInfo.InvariantCulture, $"{number} {target}")));
    }

    /// <summary>Takes back what no worker has taken; how many workers have.</summary>
    internal int Disarm(int armed)
    {
        int left = File.ReadAllLines(_points).Length;
        File.WriteAllText(_points, string.Empty);
        return armed - left;
    }

    /// <summary>What became of so many workers, in the order of their ends.</summary>
    internal async Task<IReadOnlyList<PointReached>> ReachedAsync(int workers)
    {
        string[] lines = [];
        await Wait.UntilAsync(
            () => (lines = File.Exists(_done) ? File.ReadAllLines(_done) : []).Length >= workers, s_bound, "word of the workers that were to be killed");
        return [.. lines.Select(Read)];
    }

    private static PointReached Read(string line)
    {
        string[] words = line.Split(' ');
        long Number(int at) => long.Parse(words[at], CultureInfo.InvariantCulture);
        return words[0] == "killed"
            ? new PointReached(Number(1), true, new Release(TimeSpan.FromMicroseconds(Number(3)), TimeSpan.FromMicroseconds(Number(4))))
            : new PointReached(Number(1), false, default);
    }
}
