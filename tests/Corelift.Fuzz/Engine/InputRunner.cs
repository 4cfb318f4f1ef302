using System.Diagnostics;

namespace Corelift.Fuzz.Engine;

/// <summary>What was found, and the input that shows it.</summary>
internal sealed record Finding(string Kind, string Text, byte[] Input)
{
    /// <summary>The same for inputs that show the same: what was thrown, and where.</summary>
    internal string Key => Kind;
}

/// <summary>Runs inputs, and judges: no exception but the documented ones, an end in time, and no more memory than is allowed.</summary>
internal sealed class InputRunner : IDisposable
{
    private readonly FuzzTarget _target;
    private readonly Action<Finding> _report;
    private readonly TimeSpan _longest;
    private readonly Timer _watch;
    private byte[] _current = [];
    private long _startedAt;
    private long _watchedSince;
    private TimeSpan _usedBefore;

    /// <param name="target">The target.</param>
    /// <param name="longest">
    /// Longest time for one input. Where this process gets no CPU, that is the machine's fault: an input that has used less than half
    /// of it has twelve times as long.
    /// </param>
    /// <param name="report">Told of an input that does not end, from another thread; the input goes on.</param>
    internal InputRunner(FuzzTarget target, TimeSpan longest, Action<Finding> report)
    {
        _target = target;
        _longest = longest;
        _report = report;
        var quarter = TimeSpan.FromTicks(Math.Max(1, longest.Ticks / 4));
        _watch = new Timer(_ => Watch(), null, quarter, quarter);
    }

    /// <summary>Runs an input.</summary>
    /// <returns>What is wrong, or null.</returns>
    internal Finding? Run(byte[] input)
    {
        _current = input;
        Interlocked.Exchange(ref _startedAt, Stopwatch.GetTimestamp());
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            _target.Fuzz(input);
        }
        catch (Exception failure)
        {
            return new Finding($"{failure.GetType().Name} {Place(failure)}", failure.ToString(), input);
        }
        finally
        {
            Interlocked.Exchange(ref _startedAt, 0);
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        return allocated > _target.MostAllocatedBytes
            ? new Finding("memory", $"{allocated} bytes were allocated for an input of {input.Length}; at most {_target.MostAllocatedBytes} may be", input)
            : null;
    }

    public void Dispose() => _watch.Dispose();

    private void Watch()
    {
        const int Starved = 12;
        long startedAt = Interlocked.Read(ref _startedAt);
        TimeSpan used = Environment.CpuUsage.TotalTime;
        if (startedAt == 0 || startedAt != _watchedSince)
        {
            (_watchedSince, _usedBefore) = (startedAt, used);
            return;
        }

        TimeSpan elapsed = Stopwatch.GetElapsedTime(startedAt);
        if (elapsed > _longest * Starved || (elapsed > _longest && used - _usedBefore > _longest / 2))
        {
            _report(new Finding("time", $"no end after {elapsed.TotalSeconds:0} s", _current));
        }
    }

    /// <summary>The innermost methods of the product, or of the target, that the exception passed.</summary>
    private static string Place(Exception failure) => string.Join(
        " < ",
        new StackTrace(failure).GetFrames().Select(frame => frame.GetMethod())
            .Where(method => method?.DeclaringType?.Assembly.GetName().Name?.StartsWith("corelift", StringComparison.OrdinalIgnoreCase) == true)
            .Take(2).Select(method => $"{method!.DeclaringType!.Name}.{method.Name}"));
}
