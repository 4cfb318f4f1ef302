using System.Globalization;
using Corelift.Torture.Targets;

namespace Corelift.Torture;

/// <summary>How a target is held or captured.</summary>
internal enum Session
{
    /// <summary>Stop, and resume.</summary>
    Stop,

    /// <summary>A capture by strategy direct.</summary>
    Direct,

    /// <summary>A capture by strategy fork.</summary>
    Fork,

    /// <summary>A capture by strategy precopy.</summary>
    Precopy,
}

/// <summary>One case: what is done to whom, and when.</summary>
/// <param name="Seed">From which all that is not named here is drawn.</param>
/// <param name="Target">The target.</param>
/// <param name="Session">How it is captured.</param>
/// <param name="Fault">What happens meanwhile.</param>
/// <param name="Fraction">The moment, as a part of a session's length; 0 to 1.</param>
/// <param name="Moment">The moment as it was given: a number of system calls, or microseconds since the worker was there.</param>
internal sealed record TortureCase(int Seed, TargetKind Target, Session Session, Fault Fault, double Fraction, long? Moment)
{
    /// <summary>Whether the target is quiesced before its stop.</summary>
    internal bool Quiesces => (Seed & 1) != 0 && Session != Session.Stop;

    /// <summary>Its name in reports.</summary>
    internal string Name => $"{Target.Name},{SessionName},{Fault.Name()}";

    private string SessionName => Session.ToString().ToLowerInvariant();

    /// <summary>The command that does the same again.</summary>
    /// <param name="moment">The moment that was meant in the end; null where none was.</param>
    internal string Repeat(long? moment) => string.Create(
        CultureInfo.InvariantCulture, $"./run torture --seed {Seed} --only {Name}{(moment is { } at ? $" --moment {at}" : "")} --cases 1");
}

/// <summary>Draws cases: the n-th of a seed is always the same one.</summary>
/// <param name="options">Seed, and what to choose from.</param>
internal sealed class CaseChooser(TortureOptions options)
{
    private readonly Fault[] _faults = Chosen(Faults.All, Faults.Name, options.Only);
    private readonly Session[] _sessions = Chosen(Enum.GetValues<Session>(), session => session.ToString(), options.Only);
    private readonly TargetKind[] _targets = Chosen(TargetList.All, target => target.Name, options.Only);

    /// <summary>The case with this number, from 0 on; number 0 has the run's own seed.</summary>
    internal TortureCase Choose(int number)
    {
        int seed = unchecked(options.Seed + (number * 7919));
        // One source for each choice, so that a case stays what it is when the other choices are given.
        Fault fault = Weighted(_faults, Faults.Weight, Source(seed, 1));
        Session session = _sessions[Source(seed, 2).Next(_sessions.Length)];
        session = fault == Fault.ReaperSyscall && _sessions.Contains(Session.Fork) ? Session.Fork : session; // others leave no image
        TargetKind target = Weighted(_targets, kind => kind.Weight, Source(seed, 3));
        return new TortureCase(seed, target, session, fault, Source(seed, 4).NextDouble(), options.Moment);
    }

    /// <summary>A source of numbers for one purpose.</summary>
    internal static Random Source(int seed, int purpose)
    {
        // Mixed (the finalizer of MurmurHash3), as the first numbers of neighbouring seeds are neighbours, too.
        unchecked
        {
            uint mixed = (uint)seed + ((uint)purpose * 0x9e3779b9);
            mixed = (mixed ^ (mixed >> 16)) * 0x85ebca6b;
            mixed = (mixed ^ (mixed >> 13)) * 0xc2b2ae35;
            return new Random((int)(mixed ^ (mixed >> 16)));
        }
    }

    private static T[] Chosen<T>(IEnumerable<T> all, Func<T, string> name, IReadOnlyList<string> only)
    {
        T[] named = [.. all.Where(one => only.Contains(name(one), StringComparer.OrdinalIgnoreCase))];
        return named.Length > 0 ? named : [.. all];
    }

    private static T Weighted<T>(T[] from, Func<T, int> weight, Random source)
    {
        int left = source.Next(from.Sum(weight));
        return from.First(one => (left -= weight(one)) < 0);
    }
}
