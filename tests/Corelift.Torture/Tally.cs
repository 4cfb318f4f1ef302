using System.Text;

namespace Corelift.Torture;

/// <summary>Counts, fault by fault.</summary>
internal sealed class Tally
{
    private readonly SortedDictionary<Fault, Row> _rows = [];

    /// <summary>Cases so far.</summary>
    internal int Cases => _rows.Values.Sum(row => row.Cases);

    /// <summary>Cases of them in which something was wrong.</summary>
    internal int Failures => _rows.Values.Sum(row => row.Failures);

    /// <summary>Kills that came before the session's end.</summary>
    internal int Kills => _rows.Where(row => row.Key.IsAKill() || row.Key.CountsSyscalls()).Sum(row => row.Value.InTime);

    private sealed class Row
    {
        internal int Cases { get; set; }

        internal int InTime { get; set; }

        internal int Failures { get; set; }

        internal List<double> ReleaseMilliseconds { get; } = [];

        internal SortedDictionary<string, int> Ends { get; } = new(StringComparer.Ordinal);
    }

    internal void Add(CaseReport report)
    {
        if (!_rows.TryGetValue(report.Case.Fault, out Row? row))
        {
            row = _rows[report.Case.Fault] = new Row();
        }

        row.Cases++;
        row.Failures += report.Failure is null ? 0 : 1;
        row.InTime += report.Inflicted?.WasInTime == true ? 1 : 0;
        if (report.Inflicted is { } inflicted)
        {
            row.Ends[inflicted.Outcome.Name] = row.Ends.GetValueOrDefault(inflicted.Outcome.Name) + 1;
            if (inflicted.Release is { } release && (report.Case.Fault.IsAKill() || report.Case.Fault.CountsSyscalls()))
            {
                row.ReleaseMilliseconds.Add(release.AllRan.TotalMilliseconds);
            }
        }
    }

    /// <summary>A line for each fault that occurred.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        foreach ((Fault fault, Row row) in _rows)
        {
            row.ReleaseMilliseconds.Sort();
            string release = row.ReleaseMilliseconds is { Count: > 0 } all
                ? $"; every thread ran after {all[all.Count / 2]:0.00} ms (median), {all[all.Count * 99 / 100]:0.00} (99 of 100), {all[^1]:0.00} (longest)"
                : string.Empty;
            text.AppendLine($"{fault.Name(),-16} {row.Cases,6} cases, {row.InTime,6} before the session's end, {row.Failures,3} failed{release}");
            text.AppendLine($"{string.Empty,-16} ended as {string.Join(", ", row.Ends.Select(end => $"{end.Key} {end.Value}"))}");
        }

        return text.ToString();
    }
}
