using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Corelift.Cli.Audit;

/// <summary>What was found out about the files of an audit log.</summary>
internal sealed record AuditVerification
{
    /// <summary>The first thing that is wrong: file, line, what. Null where nothing is.</summary>
    internal string? Fault { get; init; }

    /// <summary>What limits the answer.</summary>
    internal IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Records that were read.</summary>
    internal long Records { get; init; }

    /// <summary>Number of the first record.</summary>
    internal long First { get; init; }

    /// <summary>Number of the last record.</summary>
    internal long Last { get; init; }

    /// <summary>SHA-256 of the last record.</summary>
    internal string Hash { get; init; } = string.Empty;

    /// <summary>Operations that have a beginning and no end.</summary>
    internal IReadOnlyCollection<string> Open { get; init; } = [];
}

/// <summary>
/// Checks the chain of an audit log: each line names the SHA-256 of the one before. It shares no code with the agent, which
/// writes it. What a chain cannot show: that whoever can write all of the files wrote them anew, from some line on; and a
/// tail that was cut off together with FILE.head. For both, keep a number and hash elsewhere, and give them as the expected ones.
/// </summary>
internal sealed class AuditVerifier
{
    private static readonly string s_zeros = new('0', 64);

    private readonly List<string> _notes = [];
    private readonly HashSet<string> _open = new(StringComparer.Ordinal);
    private readonly (long Sequence, string Hash)? _expected;
    private bool _isExpectedFound;
    private long _records;
    private long _first;
    private long _last;
    private string _hash = s_zeros;

    private AuditVerifier((long Sequence, string Hash)? expected) => _expected = expected;

    /// <summary>Checks files, in the order of their first records.</summary>
    /// <param name="paths">The files of one log.</param>
    /// <param name="expected">A record that must be in them, by number and hash; null for none.</param>
    /// <exception cref="IOException">One cannot be read.</exception>
    internal static AuditVerification Verify(IReadOnlyList<string> paths, (long Sequence, string Hash)? expected)
    {
        var verifier = new AuditVerifier(expected);
        string? fault = null;
        string[] ordered = [.. paths.OrderBy(FirstSequence)];
        foreach (string path in ordered)
        {
            fault ??= verifier.Read(path);
        }

        fault ??= ordered.Length > 0 ? verifier.CheckEnd(ordered[^1]) : null;
        return new AuditVerification
        {
            Fault = fault,
            Notes = verifier._notes,
            Records = verifier._records,
            First = verifier._first,
            Last = verifier._last,
            Hash = verifier._hash,
            Open = verifier._open,
        };
    }

    private static long FirstSequence(string path)
    {
        string line = File.ReadLines(path).FirstOrDefault() ?? string.Empty;
        try
        {
            using JsonDocument record = JsonDocument.Parse(line);
            return record.RootElement.GetProperty("seq").GetInt64();
        }
        catch (Exception failure) when (failure is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return long.MaxValue;
        }
    }

    private string? Read(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        int start = 0;
        for (int number = 1; start < bytes.Length; number++)
        {
            int end = Array.IndexOf(bytes, (byte)'\n', start);
            if (end < 0)
            {
                return $"{path}: line {number} has no end: its rest was cut off, or the agent was killed while it wrote it and has not been started since";
            }

            if (Check(bytes.AsSpan(start, end - start)) is { } fault)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{path}: line {number}: {fault}");
            }

            start = end + 1;
        }

        return null;
    }

    private string? Check(ReadOnlySpan<byte> line)
    {
        try
        {
            var reader = new Utf8JsonReader(line);
            using JsonDocument document = JsonDocument.ParseValue(ref reader);
            JsonElement record = document.RootElement;
            long sequence = record.GetProperty("seq").GetInt64();
            string before = record.GetProperty("prev").GetString() ?? string.Empty;
            if (CheckPlace(sequence, before) is { } fault)
            {
                return fault;
            }

            if (record.TryGetProperty("missingUpTo", out JsonElement missing))
            {
                return $"the agent noted here that records up to {missing.GetInt64()} had been taken away";
            }

            Note(record);
            _hash = Convert.ToHexStringLower(SHA256.HashData(line));
            _last = sequence;
            _records++;
            bool isExpected = _expected?.Sequence == sequence;
            _isExpectedFound |= isExpected;
            return isExpected && _expected?.Hash != _hash ? $"record {sequence} has hash {_hash}, and {_expected?.Hash} was expected: the log was written anew" : null;
        }
        catch (Exception failure) when (failure is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return "it is no audit record: it was changed";
        }
    }

    private string? CheckPlace(long sequence, string before)
    {
        if (_records == 0)
        {
            _first = sequence;
            if (sequence != 1)
            {
                _notes.Add($"the records before {sequence} are in files that were not given");
                return null;
            }
        }
        else if (_last == long.MaxValue || sequence != _last + 1)
        {
            return $"record {sequence} follows {_last}: a line was taken out, put in, or moved, or a file is missing";
        }

        return before == _hash ? null : $"record {sequence} does not fit the line before it: that line, or this one, was changed";
    }

    private void Note(JsonElement record)
    {
        string operation = record.TryGetProperty("operation", out JsonElement id) ? id.GetString() ?? string.Empty : string.Empty;
        switch (record.GetProperty("event").GetString())
        {
            case "begin":
                _open.Add(operation);
                break;
            case "end":
                _open.Remove(operation);
                break;
        }
    }

    private string? CheckEnd(string path)
    {
        if (_expected is { } expected && !_isExpectedFound)
        {
            return $"record {expected.Sequence}, which was expected, is not there: the log ends at {_last}";
        }

        string head = path + ".head";
        if (!File.Exists(head))
        {
            _notes.Add($"there is no {head}: whether records were cut off at the end cannot be told");
            return null;
        }

        string[] parts = File.ReadAllText(head, Encoding.ASCII).Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length != 2 || !long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out long known))
        {
            return $"{head} does not say which record is the last: it was changed";
        }

        if (known > _last)
        {
            return $"the log ends at record {_last}, and {head} knows of {known}: its tail was cut off";
        }

        if (known < _last)
        {
            _notes.Add($"{head} knows of record {known} only: the machine went down in between, or somebody added what follows");
            return null;
        }

        return parts[1] == _hash ? null : $"{head} knows another record {known}: the log was written anew";
    }
}
