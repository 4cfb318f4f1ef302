namespace Corelift.Cli.Input;

/// <summary>Finds what somebody meant who mistyped a name.</summary>
internal static class NearestName
{
    private const int LongestName = 40; // longer ones are no slips of the finger

    /// <summary>The name with the fewest letters typed wrongly, at most a third of them; null where none is near.</summary>
    internal static string? Find(string typed, IEnumerable<string> names)
    {
        if (typed.Length > LongestName)
        {
            return null;
        }

        (string? name, int distance) = names.Select(name => (name, Distance(typed, name))).DefaultIfEmpty((null!, int.MaxValue)).MinBy(pair => pair.Item2);
        return distance <= Math.Max(1, typed.TrimStart('-').Length / 3) ? name : null;
    }

    /// <summary>How many letters have to be put in, taken out, replaced, or exchanged with the next (Damerau, optimal alignment).</summary>
    private static int Distance(string a, string b)
    {
        int[,] steps = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    steps[i, j] = i + j;
                    continue;
                }

                int replaced = steps[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                steps[i, j] = Math.Min(replaced, Math.Min(steps[i - 1, j], steps[i, j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    steps[i, j] = Math.Min(steps[i, j], steps[i - 2, j - 2] + 1);
                }
            }
        }

        return steps[a.Length, b.Length];
    }
}
