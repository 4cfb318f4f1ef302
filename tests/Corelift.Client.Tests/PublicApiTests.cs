using PublicApiGenerator;

namespace Corelift.Client.Tests;

/// <summary>
/// What programs are compiled against changes on purpose alone: the approved text is reviewed with the change. A run that
/// finds another leaves it beside the test assembly; CONTRIBUTING.md says how to accept it.
/// </summary>
public sealed class PublicApiTests
{
    private static readonly string s_approved = Path.Combine(AppContext.BaseDirectory, "PublicApi.approved.txt");
    private static readonly string s_received = Path.Combine(AppContext.BaseDirectory, "PublicApi.received.txt");

    private static readonly ApiGeneratorOptions s_options = new()
    {
        IncludeAssemblyAttributes = false,
        ExcludeAttributes = ["System.Runtime.CompilerServices.AsyncIteratorStateMachineAttribute"], // names the compiler made
    };

    [Fact]
    public async Task The_public_API_is_the_approved_one()
    {
        string received = typeof(CoreliftClient).Assembly.GeneratePublicApi(s_options).ReplaceLineEndings("\n").TrimEnd() + "\n";
        string approved = (await File.ReadAllTextAsync(s_approved)).ReplaceLineEndings("\n");
        if (received != approved)
        {
            await File.WriteAllTextAsync(s_received, received);
            string[] had = approved.Split('\n'), has = received.Split('\n');
            Assert.Fail($"not approved: {s_received}\n- {string.Join("\n- ", had.Except(has))}\n+ {string.Join("\n+ ", has.Except(had))}");
        }
    }
}
