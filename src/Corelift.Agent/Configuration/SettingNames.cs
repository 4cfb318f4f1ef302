namespace Corelift.Agent.Configuration;

/// <summary>Settings by name, and what somebody meant who mistyped one.</summary>
internal static class SettingNames
{
    private const int LongestName = 60; // longer ones are no slips of the finger

    /// <summary>The setting of this name, or null.</summary>
    internal static Setting? Find(string name) => AgentSettings.All.FirstOrDefault(setting => setting.Name == name);

    /// <summary>"; did you mean 'x'?", or nothing where no name is near.</summary>
    internal static string Meant(string typed, IEnumerable<string> names)
    {
        (string? name, int distance) = typed.Length > LongestName
            ? (null, int.MaxValue)
            : names.Select(name => (name, Distance(typed, name))).DefaultIfEmpty((null!, int.MaxValue)).MinBy(pair => pair.Item2);
        return name is not null && distance <= Math.Max(1, typed.Length / 3) ? $"; did you mean '{name}'?" : string.Empty;
    }

    /// <summary>How many letters have to be put in, taken out or replaced (Levenshtein).</summary>
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[b.Length];
    }
}
