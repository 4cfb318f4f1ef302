namespace Corelift.Sealing;

/// <summary>Lines of files with keys, as age reads them.</summary>
internal static class KeyLines
{
    private const int LongestLine = 1024; // letters; a key has 74 at most
    private const int MostLines = 10_000;

    /// <summary>Lines with something in them, and their numbers from 1.</summary>
    internal static IEnumerable<(int Number, string Line)> Read(TextReader list)
    {
        int number = 0;
        while (list.ReadLine() is { } line)
        {
            number++;
            if (number > MostLines || line.Length > LongestLine)
            {
                throw new AgeException($"line {number} is too long, or one too many: this is no list of keys");
            }

            line = line.Trim();
            if (line.Length > 0 && !line.StartsWith('#'))
            {
                yield return (number, line);
            }
        }
    }
}
