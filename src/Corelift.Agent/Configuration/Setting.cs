namespace Corelift.Agent.Configuration;

/// <summary>What a setting's value is, as the schema and the file see it.</summary>
internal enum SettingKind
{
    /// <summary>Any text, such as a name or a path.</summary>
    Text,

    /// <summary>One of a few words.</summary>
    Choice,

    /// <summary>A time: 500ms, 2s, 1m.</summary>
    Time,

    /// <summary>Bytes: 64MiB, 2GiB, or a number.</summary>
    Size,

    /// <summary>A whole number within bounds.</summary>
    Number,

    /// <summary>On or off.</summary>
    Switch,
}

/// <summary>
/// One thing that can be set: by the flag <c>--NAME</c>, the environment variable <c>CORELIFT_AGENT_NAME</c>, or the key NAME
/// of the configuration file. All of them, the schema and the reference come from this one description.
/// </summary>
/// <param name="name">Lower-case words with hyphens.</param>
/// <param name="kind">What its value is.</param>
/// <param name="meaning">One line for help, schema and reference.</param>
internal abstract class Setting(string name, SettingKind kind, string meaning)
{
    /// <summary>What the names of its variables begin with.</summary>
    internal const string VariablePrefix = "CORELIFT_AGENT_";

    internal string Name { get; } = name;

    internal SettingKind Kind { get; } = kind;

    internal string Meaning { get; } = meaning;

    /// <summary>What stands for the value in help: FILE, TIME.</summary>
    internal string? Placeholder { get; init; }

    /// <summary>The value where none is given, as one would write it; null where there is none, or where it depends.</summary>
    internal string? DefaultText { get; init; }

    /// <summary>What holds where none is given and <see cref="DefaultText"/> is null, in words.</summary>
    internal string DefaultWords { get; init; } = "none";

    /// <summary>Whether it may be given several times.</summary>
    internal bool IsList { get; init; }

    /// <summary>Whether its value is never shown.</summary>
    internal bool IsSecret { get; init; }

    /// <summary>Of a choice: the words.</summary>
    internal IReadOnlyList<string> Choices { get; init; } = [];

    /// <summary>Of a number: the bounds, both included.</summary>
    internal (int Least, int Most) Bounds { get; init; }

    /// <summary>As the command line writes it.</summary>
    internal string Flag => "--" + Name;

    /// <summary>As the environment writes it.</summary>
    internal string Variable => VariablePrefix + Name.ToUpperInvariant().Replace('-', '_');

    /// <summary>What is wrong with a value and what would be right, or null.</summary>
    internal abstract string? FindProblem(string text);
}

/// <summary>Reads a value.</summary>
/// <returns>What is wrong with the text, or null.</returns>
internal delegate string? SettingReader<T>(string text, out T value);

/// <summary>A setting whose value is a <typeparamref name="T"/>.</summary>
internal sealed class Setting<T>(string name, SettingKind kind, string meaning, T fallback, SettingReader<T> read) : Setting(name, kind, meaning)
{
    /// <summary>The value where none is given.</summary>
    internal T Fallback { get; } = fallback;

    /// <inheritdoc/>
    internal override string? FindProblem(string text) => read(text, out _);

    /// <summary>The value of a text that has no problem.</summary>
    internal T Read(string text) => read(text, out T value) is { } problem ? throw new FormatException(problem) : value;
}
