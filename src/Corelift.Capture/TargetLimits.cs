using System.Globalization;
using Corelift.Linux.Procfs;

namespace Corelift.Capture;

/// <summary>
/// The largest target that an agent takes on. A process decides how many threads and mappings it has: what is above is refused
/// before anything is allocated for it, and before anybody is stopped.
/// </summary>
public sealed record TargetLimits
{
    /// <summary>Most threads.</summary>
    public int MaxThreads { get; init; } = 100_000;

    /// <summary>Most mappings.</summary>
    public int MaxVmas { get; init; } = 262_144;

    /// <summary>Most bytes that a capture may be planned to read.</summary>
    public ulong MaxBytes { get; init; } = ulong.MaxValue;

    internal ProcfsLimits Procfs => ProcfsLimits.Default with { MaxVmas = MaxVmas };

    /// <exception cref="CaptureException">The target has more threads (TargetTooLarge).</exception>
    internal void RequireThreads(int pid, int count)
    {
        if (count > MaxThreads)
        {
            throw TooLarge(string.Create(
                CultureInfo.InvariantCulture, $"process {pid} has {count} threads, and this agent takes on processes of at most {MaxThreads}: raise its --max-threads"));
        }
    }

    /// <exception cref="CaptureException">The plan reads more (TargetTooLarge).</exception>
    internal void RequireBytes(ulong planned)
    {
        if (planned > MaxBytes)
        {
            throw TooLarge(string.Create(
                CultureInfo.InvariantCulture, $"the capture would read {planned} bytes, and this agent reads at most {MaxBytes}: ask for less content, or raise its --max-capture-bytes"));
        }
    }

    internal CaptureException TooManyVmas(int pid) => TooLarge(string.Create(
        CultureInfo.InvariantCulture, $"process {pid} has more than {MaxVmas} memory mappings, the most that this agent takes on: raise its --max-vmas"));

    private static CaptureException TooLarge(string message) => new(CaptureFailure.TargetTooLarge, message);
}
