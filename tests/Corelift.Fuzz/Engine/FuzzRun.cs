using System.Diagnostics;

namespace Corelift.Fuzz.Engine;

/// <summary>How long to run, and from which numbers.</summary>
internal sealed record FuzzOptions
{
    internal TimeSpan Time { get; init; } = TimeSpan.MaxValue;

    internal long Runs { get; init; } = long.MaxValue;

    internal int Seed { get; init; }

    /// <summary>Longest time for one input.</summary>
    internal TimeSpan LongestInput { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>What a run came to.</summary>
internal sealed record FuzzResult(long Runs, int Inputs, int Branches, TimeSpan Time, IReadOnlyCollection<Finding> Findings);

/// <summary>Runs changed inputs for a time, and keeps those that show something new.</summary>
internal sealed class FuzzRun : IDisposable
{
    private const int ReportSeconds = 15;
    private const long MostMemoryBytes = 2L << 30;

    private readonly FuzzTarget _target;
    private readonly Folders _folders;
    private readonly FuzzOptions _options;
    private readonly Action<string> _say;
    private readonly Random _random;
    private readonly Mutator _mutator;
    private readonly CoverageMap _map = new();
    private readonly InputRunner _runner;
    private readonly CurrentInput _current;
    private readonly List<byte[]> _inputs = [];
    private readonly Dictionary<string, Finding> _findings = [];
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private long _runs;

    internal FuzzRun(FuzzTarget target, Folders folders, FuzzOptions options, Action<string> say)
    {
        _target = target;
        _folders = folders;
        _options = options;
        _say = say;
        _random = new Random(options.Seed);
        _mutator = new Mutator(target, _random);
        _folders.Create();
        if (CurrentInput.Left(folders.Current) is { } left)
        {
            Note(new Finding("crash", "the process ended while this input ran", left));
        }

        _current = new CurrentInput(folders.Current, Math.Max(target.MostBytes, 1 << 20));
        _runner = new InputRunner(target, options.LongestInput, EndForTime);
        AppDomain.CurrentDomain.ProcessExit += ForgetCurrent; // whoever is told to end has not crashed
    }

    /// <summary>Runs until the time is up.</summary>
    internal FuzzResult Run()
    {
        foreach (byte[] input in _target.Seeds().Concat(_folders.ReadCorpus().Select(file => file.Input)).Concat(_folders.ReadQueue().Select(file => file.Input)))
        {
            _ = Try(input); // once for what happens only once
            _ = Try(input);
            _inputs.Add(input);
        }

        _say($"{_target.Name}: {_inputs.Count} inputs to begin with, {_map.Branches} branches, seed {_options.Seed}");
        TimeSpan nextReport = TimeSpan.FromSeconds(ReportSeconds);
        while (_clock.Elapsed < _options.Time && _runs < _options.Runs)
        {
            byte[] input = _mutator.Next(Choose(), Choose());
            if (Try(input) > 0)
            {
                _inputs.Add(input);
                Folders.Write(_folders.Queue, input);
            }

            if (_clock.Elapsed > nextReport)
            {
                Report();
                nextReport = _clock.Elapsed + TimeSpan.FromSeconds(ReportSeconds);
            }
        }

        Report();
        return new FuzzResult(_runs, _inputs.Count, _map.Branches, _clock.Elapsed, _findings.Values);
    }

    public void Dispose()
    {
        AppDomain.CurrentDomain.ProcessExit -= ForgetCurrent;
        _runner.Dispose();
        _current.Dispose();
    }

    private void ForgetCurrent(object? sender, EventArgs e) => _current.End();

    /// <returns>How much the input showed that was new.</returns>
    private int Try(byte[] input)
    {
        _runs++;
        CoverageMap.Begin();
        _current.Begin(input);
        Finding? finding = _runner.Run(input);
        _current.End();
        int found = _map.Take();
        if (finding is not null)
        {
            Note(finding);
            return 0;
        }

        return found;
    }

    private byte[] Choose()
    {
        if (_inputs.Count == 0)
        {
            return [];
        }

        // What was found last leads on; what is old must not be forgotten.
        int first = _random.Next(2) == 0 ? _inputs.Count - Math.Max(1, _inputs.Count / 8) : 0;
        return _inputs[_random.Next(first, _inputs.Count)];
    }

    private void Report()
    {
        long memory = Environment.WorkingSet;
        _say($"{_target.Name}: {_clock.Elapsed:hh\\:mm\\:ss} {_runs} runs, {_runs / Math.Max(1, _clock.Elapsed.TotalSeconds):F0} a second, "
            + $"{_inputs.Count} inputs, {_map.Branches} branches, {memory >> 20} MiB, {_findings.Count} findings");
        if (memory > MostMemoryBytes)
        {
            Note(new Finding("growth", $"the process has grown to {memory} bytes", []));
        }
    }

    private void Note(Finding finding)
    {
        if (_findings.TryAdd(finding.Key, finding))
        {
            _say($"{_target.Name}: FOUND {finding.Kind}: {_folders.Write(finding)}");
        }
    }

    /// <summary>An input that does not end cannot be taken back: its thread is ours.</summary>
    private void EndForTime(Finding finding)
    {
        Note(finding);
        Environment.Exit(1);
    }
}
