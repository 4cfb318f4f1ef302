using Corelift.Fuzz.Engine;

namespace Corelift.Fuzz.Tests;

/// <summary>The engine finds what there is to find.</summary>
public sealed class EngineTests : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("corelift-fuzz-");

    [Fact]
    public void A_planted_fault_is_found_and_written_down()
    {
        FuzzTarget target = Target(static input => _ = input.IndexOf("{key"u8) > 2 ? throw new InvalidCastException("planted") : 0);
        Folders folders = new(_root.FullName, target.Name);

        FuzzResult result = Run(target, folders, 200_000);

        Finding finding = Assert.Single(result.Findings);
        Assert.StartsWith(nameof(InvalidCastException), finding.Kind, StringComparison.Ordinal);
        string text = Assert.Single(Directory.GetFiles(folders.Findings, "*.txt"));
        Assert.Contains("planted", File.ReadAllText(text), StringComparison.Ordinal);
        Assert.Equal(finding.Input, File.ReadAllBytes(text[..^4]));
    }

    [Fact]
    public void A_run_without_a_finding_says_so() => Assert.Empty(Run(Target(static _ => { }), new Folders(_root.FullName, "planted"), 1000).Findings);

    [Fact]
    public void Memory_beyond_the_bound_is_a_finding()
    {
        using InputRunner runner = new(Target(static input => GC.KeepAlive(new byte[input.Length * 1000])), TimeSpan.FromMinutes(1), Fail);

        Assert.Null(runner.Run(new byte[10]));
        Assert.Equal("memory", runner.Run(new byte[2000])?.Kind);
    }

    [Fact]
    public void An_input_that_does_not_end_is_reported_while_it_runs()
    {
        using ManualResetEventSlim reported = new();
        Finding? finding = null;
        FuzzTarget target = Target(_ => Assert.True(reported.Wait(TimeSpan.FromMinutes(1))));
        using InputRunner runner = new(target, TimeSpan.FromMilliseconds(50), late =>
        {
            finding = late;
            reported.Set();
        });

        Assert.Null(runner.Run([1, 2, 3]));

        Assert.Equal("time", finding?.Kind);
        Assert.Equal([1, 2, 3], finding!.Input);
    }

    [Fact]
    public void An_input_that_ends_the_process_is_known_to_the_next_run()
    {
        FuzzTarget target = Target(static _ => { });
        Folders folders = new(_root.FullName, target.Name);
        folders.Create();
        using (CurrentInput current = new(folders.Current, 100))
        {
            current.Begin([7, 8]); // and no end
        }

        Finding finding = Assert.Single(Run(target, folders, 1).Findings);
        Assert.Equal(("crash", "7,8"), (finding.Kind, string.Join(',', finding.Input)));
        Assert.Empty(Run(target, folders, 1).Findings);
    }

    [Fact]
    public void The_same_seed_makes_the_same_inputs_and_another_one_others()
    {
        FuzzTarget target = Target(static _ => { });
        byte[] input = [.. Enumerable.Range(0, 100).Select(value => (byte)value)];
        byte[] Make(int seed)
        {
            Mutator mutator = new(target, new Random(seed));
            byte[] result = input;
            for (int i = 0; i < 500; i++)
            {
                result = mutator.Next(result, input);
                Assert.InRange(result.Length, 0, target.MostBytes);
            }

            return result;
        }

        Assert.Equal(Make(1), Make(1));
        Assert.NotEqual(Make(1), Make(2));
    }

    public void Dispose() => _root.Delete(recursive: true);

    private static void Fail(Finding finding) => throw new InvalidOperationException(finding.Text);

    private static FuzzTarget Target(FuzzAction fuzz) => new("planted", fuzz, static () => ["abc"u8.ToArray()], ["{key"], static (_, _) => null, 200, 1 << 20);

    private static FuzzResult Run(FuzzTarget target, Folders folders, long runs)
    {
        using FuzzRun run = new(target, folders, new FuzzOptions { Runs = runs, Seed = 1 }, static _ => { });
        return run.Run();
    }
}
