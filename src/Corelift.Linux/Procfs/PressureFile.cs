using System.Globalization;
using System.Text;

namespace Corelift.Linux.Procfs;

/// <summary>
/// One file of pressure stall information (Documentation/accounting/psi.rst): /proc/pressure/* or a cgroup's *.pressure. Asked
/// twice, it tells for how much of the time between some task waited.
/// </summary>
public sealed class PressureFile
{
    private const string Field = "total=";

    private readonly string _path;
    private long _total = -1;
    private long _at;

    /// <summary>A file that may or may not be there.</summary>
    public PressureFile(string path) => _path = path;

    /// <summary>Part of the time since the last call in which at least one task waited, 0 to 1; 0 at the first call and without PSI.</summary>
    /// <param name="nowMicroseconds">A monotonic clock.</param>
    public double TakeShare(long nowMicroseconds)
    {
        long total = Read();
        double share = total < 0 || _total < 0 || nowMicroseconds <= _at ? 0 : (double)(total - _total) / (nowMicroseconds - _at);
        (_total, _at) = (total, nowMicroseconds);
        return Math.Clamp(share, 0, 1);
    }

    /// <summary>"some avg10=0.00 avg60=0.00 avg300=0.00 total=N", N in microseconds.</summary>
    /// <returns>N, or -1.</returns>
    internal static long ParseTotal(string? line)
    {
        int at = line is null ? -1 : line.IndexOf(Field, StringComparison.Ordinal);
        return at >= 0 && line!.StartsWith("some ", StringComparison.Ordinal)
            && long.TryParse(line.AsSpan(at + Field.Length), NumberStyles.None, CultureInfo.InvariantCulture, out long total) ? total : -1;
    }

    private long Read()
    {
        try
        {
            return ParseTotal(File.ReadLines(_path, Encoding.ASCII).FirstOrDefault());
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return -1;
        }
    }
}
