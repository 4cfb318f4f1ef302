namespace Corelift.Fuzz.Engine;

/// <summary>Chooses the few inputs, the shortest first, that show all that all of them show together.</summary>
internal static class Distillation
{
    private const int MostFiles = 60;
    private const int MostBytes = 96 * 1024;

    /// <summary>Adds to the corpus what the queue has that it does not show yet; what is there stays: it may be of a finding.</summary>
    /// <returns>Number of files added.</returns>
    internal static int Run(FuzzTarget target, Folders folders)
    {
        CoverageMap map = new();
        using InputRunner runner = new(target, TimeSpan.FromSeconds(30), finding => throw new InvalidOperationException(finding.Text));
        (string Name, byte[] Input)[] corpus = [.. folders.ReadCorpus()];
        int files = corpus.Length;
        int bytes = corpus.Sum(file => file.Input.Length);
        foreach ((_, byte[] input) in corpus)
        {
            _ = New(runner, map, input);
        }

        int added = 0;
        foreach ((_, byte[] input) in folders.ReadQueue().Concat(target.Seeds().Select(seed => ("", seed))).OrderBy(file => file.Item2.Length).ToArray())
        {
            if (New(runner, map, input) > 0 && files < MostFiles && bytes + input.Length <= MostBytes)
            {
                Folders.Write(folders.Corpus, input);
                (files, bytes, added) = (files + 1, bytes + input.Length, added + 1);
            }
        }

        return added;
    }

    private static int New(InputRunner runner, CoverageMap map, byte[] input)
    {
        _ = runner.Run(input); // once for what happens only once
        CoverageMap.Begin();
        return runner.Run(input) is null ? map.Take() : 0;
    }
}
