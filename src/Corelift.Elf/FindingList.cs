namespace Corelift.Elf;

/// <summary>Collects findings; a file with 65,000 faults of one kind makes ten findings of it and a count.</summary>
internal sealed class FindingList(int maxPerKind)
{
    private readonly List<CoreFinding> _findings = [];
    private readonly Dictionary<string, (int Count, CoreFindingSeverity Worst)> _kinds = [];

    internal void Error(string kind, string message) => Add(CoreFindingSeverity.Error, kind, message);

    internal void Warning(string kind, string message) => Add(CoreFindingSeverity.Warning, kind, message);

    internal void Add(CoreFindingSeverity severity, string kind, string message)
    {
        (int count, CoreFindingSeverity worst) = _kinds.GetValueOrDefault(kind);
        _kinds[kind] = (count + 1, severity > worst ? severity : worst);
        if (count < maxPerKind)
        {
            _findings.Add(new CoreFinding(severity, kind, message));
        }
    }

    /// <summary>The findings, with a last one for each kind that had more than fit.</summary>
    internal List<CoreFinding> Finish()
    {
        foreach ((string kind, (int count, CoreFindingSeverity worst)) in _kinds)
        {
            if (count > maxPerKind)
            {
                _findings.Add(new CoreFinding(worst, kind, $"and {count - maxPerKind} more of this kind"));
            }
        }

        return _findings;
    }
}
