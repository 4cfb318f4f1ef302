namespace Corelift.Testing.Oracles;

/// <summary>A key of the real age, in a file.</summary>
public sealed record AgeKey(string Path, string Recipient);

/// <summary>The real age: makes keys and opens what the agent sealed.</summary>
public static class Age
{
    /// <summary>Makes a key by age-keygen.</summary>
    public static async Task<AgeKey> KeyAsync(string path)
    {
        (await Command.RunAsync("age-keygen", ["-o", path])).Checked();
        return new AgeKey(path, (await Command.RunAsync("age-keygen", ["-y", path])).Checked().Output.Trim());
    }

    /// <summary>Decrypts a file; the result says whether age would.</summary>
    public static Task<CommandResult> DecryptAsync(AgeKey key, string file, string plain) =>
        Command.RunAsync("age", ["--decrypt", "-i", key.Path, "-o", plain, file]);
}
