using Corelift.Fuzz.Engine;
using Corelift.Fuzz.Targets;

namespace Corelift.Fuzz.Tests;

/// <summary>What was found once is not found again: every input of the corpus, and every good one, shows nothing.</summary>
public sealed class CorpusTests
{
    private static readonly string s_root = Folders.FindRoot();

    public static TheoryData<string> Names => [.. FuzzTargets.All.Select(target => target.Name)];

    [Theory, MemberData(nameof(Names))]
    public void Nothing_is_found_in_the_corpus(string name)
    {
        FuzzTarget target = FuzzTargets.All.Single(each => each.Name == name);
        (string Name, byte[] Input)[] corpus = [.. new Folders(s_root, name).ReadCorpus()];
        Assert.NotEmpty(corpus);
        List<Finding> late = [];
        using InputRunner runner = new(target, TimeSpan.FromSeconds(20), late.Add);
        Assert.All(corpus.Concat(target.Seeds().Select((seed, index) => ($"seed {index}", seed))), file =>
        {
            _ = runner.Run(file.Item2); // what is made only once
            Assert.Null(runner.Run(file.Item2)?.Text);
        });
        Assert.Empty(late);
    }

    [Fact]
    public void Every_folder_of_the_corpus_has_a_target() => Assert.Equal(
        FuzzTargets.All.Select(target => target.Name).Order(),
        Directory.GetDirectories(Path.Combine(s_root, "tests", "Corelift.Fuzz", "corpus")).Select(Path.GetFileName).Order());
}
