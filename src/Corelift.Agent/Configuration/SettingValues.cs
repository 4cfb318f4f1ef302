using Corelift.Agent.Hosting;

namespace Corelift.Agent.Configuration;

/// <summary>A value that was given, not read yet.</summary>
/// <param name="Texts">The value, or several of a list.</param>
/// <param name="Origin">Where it comes from, for messages: "--nice", "CORELIFT_AGENT_NICE", "/etc/x.json, line 3".</param>
internal sealed record GivenValue(IReadOnlyList<string> Texts, string Origin);

/// <summary>What holds: flags win over the environment, and that over the file. Of a list, too, one place alone counts.</summary>
internal sealed class SettingValues
{
    private readonly Dictionary<string, GivenValue> _given = [];

    /// <param name="sources">By name of the setting; the first source that has it wins.</param>
    /// <exception cref="StartRefusedException">A value is wrong, also one that another source hides.</exception>
    internal SettingValues(params IReadOnlyList<IReadOnlyDictionary<string, GivenValue>> sources)
    {
        foreach (Setting setting in AgentSettings.All)
        {
            foreach (IReadOnlyDictionary<string, GivenValue> source in sources)
            {
                if (source.GetValueOrDefault(setting.Name) is { } value)
                {
                    Check(setting, value);
                    _ = _given.TryAdd(setting.Name, value);
                }
            }
        }
    }

    /// <summary>Where a setting's value comes from; null for the default.</summary>
    internal GivenValue? Find(Setting setting) => _given.GetValueOrDefault(setting.Name);

    /// <summary>The value of a setting, or its default.</summary>
    internal T Get<T>(Setting<T> setting) => Find(setting) is { Texts: [.., var text] } ? setting.Read(text) : setting.Fallback;

    /// <summary>The values of a list; empty where none was given.</summary>
    internal IReadOnlyList<T> GetAll<T>(Setting<T> setting) => [.. (Find(setting)?.Texts ?? []).Select(setting.Read)];

    private static void Check(Setting setting, GivenValue value)
    {
        if (value.Texts.Count != 1 && !setting.IsList)
        {
            throw new StartRefusedException($"{value.Origin}: {setting.Name} takes one value, not {value.Texts.Count}");
        }

        if (value.Texts.Select(setting.FindProblem).FirstOrDefault(problem => problem is not null) is { } problem)
        {
            throw new StartRefusedException($"{value.Origin}: {setting.Name}: {problem}");
        }
    }
}
