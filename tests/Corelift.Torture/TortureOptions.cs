using System.Globalization;
using Corelift.Torture.Targets;

namespace Corelift.Torture;

/// <summary>What <c>./run torture</c> was asked for.</summary>
internal sealed record TortureOptions
{
    internal const string Usage =
        """
        usage: ./run torture [--seed N] [--minutes M] [--cases N] [--only NAME[,NAME ...]] [--moment N] [--every-syscall]

          --seed N         draws the cases (default: from the clock; it is printed)
          --minutes M      how long (default: 5)
          --cases N        how many at most
          --only NAMES     only these targets, sessions (stop, direct, fork, precopy) and faults
          --moment N       the moment of each fault: number of the system call, or microseconds since the worker was there
          --every-syscall  instead of drawn cases: the worker killed after each of its system calls, one case each, in every
                           session that --only leaves, with the targets that it names (default: canary)
        """;

    internal int Seed { get; init; }

    internal TimeSpan Duration { get; init; } = TimeSpan.FromMinutes(5);

    internal int MaxCases { get; init; } = int.MaxValue;

    internal IReadOnlyList<string> Only { get; init; } = [];

    internal long? Moment { get; init; }

    internal bool EverySyscall { get; init; }

    /// <summary>Reads a command line; null, and why, where it is not understood.</summary>
    internal static TortureOptions? Parse(IReadOnlyList<string> words, out string problem)
    {
        TortureOptions options = new() { Seed = Environment.TickCount };
        for (int i = 0; i < words.Count; i++)
        {
            if (words[i] == "--every-syscall")
            {
                options = options with { EverySyscall = true };
                continue;
            }

            if (i + 1 == words.Count || With(options, words[i], words[i + 1]) is not { } changed)
            {
                problem = $"'{words[i]}' is not understood";
                return null;
            }

            (options, i) = (changed, i + 1);
        }

        string[] known = [.. TargetList.All.Select(target => target.Name), .. Enum.GetNames<Session>(), .. Faults.All.Select(Faults.Name)];
        string? unknown = options.Only.FirstOrDefault(name => !known.Contains(name, StringComparer.OrdinalIgnoreCase));
        problem = unknown is null ? string.Empty : $"'{unknown}' is none of {string.Join(' ', known).ToLowerInvariant()}";
        return unknown is null ? options : null;
    }

    private static TortureOptions? With(TortureOptions options, string name, string value)
    {
        bool isNumber = long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number);
        return name switch
        {
            "--only" => options with { Only = value.Split(',', StringSplitOptions.RemoveEmptyEntries) },
            "--seed" when isNumber && number is >= int.MinValue and <= int.MaxValue => options with { Seed = (int)number },
            "--minutes" when double.TryParse(value, CultureInfo.InvariantCulture, out double minutes) && minutes > 0 => options with { Duration = TimeSpan.FromMinutes(minutes) },
            "--cases" when isNumber && number is > 0 and <= int.MaxValue => options with { MaxCases = (int)number },
            "--moment" when isNumber && number >= 0 => options with { Moment = number },
            _ => null,
        };
    }
}
