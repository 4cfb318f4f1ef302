using System.Diagnostics;

namespace Corelift.Sealing.Tests;

/// <summary>The real age and age-keygen, in a folder that is gone when the test is.</summary>
internal sealed class AgeTool : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private readonly string _folder = Directory.CreateTempSubdirectory("corelift-age-").FullName;

    internal string File(string name) => Path.Combine(_folder, name);

    internal string Put(string name, ReadOnlySpan<byte> bytes)
    {
        System.IO.File.WriteAllBytes(File(name), bytes);
        return File(name);
    }

    internal string Put(AgeIdentity identity)
    {
        System.IO.File.WriteAllText(File("key.txt"), identity.ToFileText(DateTimeOffset.UtcNow));
        return File("key.txt");
    }

    /// <summary>What age makes of a file, or null where it refuses.</summary>
    internal byte[]? Decrypt(ReadOnlySpan<byte> file, AgeIdentity identity)
    {
        System.IO.File.Delete(File("plain"));
        (int exitCode, _) = Run("age", "--decrypt", "-i", Put(identity), "-o", File("plain"), Put("file.age", file));

        // age makes its output with the first byte that it writes.
        return exitCode != 0 ? null : System.IO.File.Exists(File("plain")) ? System.IO.File.ReadAllBytes(File("plain")) : [];
    }

    internal byte[] Encrypt(ReadOnlySpan<byte> plain, params AgeIdentity[] identities)
    {
        string[] recipients = [.. identities.SelectMany(identity => (string[])["-r", identity.Recipient.ToString()])];
        (int exitCode, string said) = Run("age", [.. recipients, "-o", File("file.age"), Put("plain", plain)]);
        Assert.True(exitCode == 0, said);
        return System.IO.File.ReadAllBytes(File("file.age"));
    }

    internal static (int ExitCode, string Said) Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(s_patience))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} did not end within {s_patience}");
        }

        return (process.ExitCode, output.GetAwaiter().GetResult() + errors.GetAwaiter().GetResult());
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
