using System.Diagnostics;
using Corelift.Linux.Procfs;

namespace Corelift.Linux.Tests.Procfs;

public sealed class ExecutableFileTests
{
    [Fact]
    public async Task The_build_id_is_the_one_that_readelf_prints()
    {
        using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle("/bin/sh");
        ExecutableFile shell = ExecutableFile.Read(file);
        using Process readelf = Process.Start(new ProcessStartInfo("readelf", "-n /bin/sh") { RedirectStandardOutput = true })!;
        string text = await readelf.StandardOutput.ReadToEndAsync();
        Assert.Matches("^[0-9a-f]{40}$", shell.BuildId);
        Assert.Contains("Build ID: " + shell.BuildId, text, StringComparison.Ordinal);
        Assert.Equal((62, false), (shell.Machine, shell.IsGo));
    }

    [Fact]
    public void Files_that_are_no_elf_or_were_tampered_with_give_no_error()
    {
        byte[] shell = File.ReadAllBytes("/bin/sh")[..4096];
        var random = new Random(1);
        string path = Path.GetTempFileName();
        try
        {
            for (int round = 0; round < 300; round++)
            {
                byte[] copy = shell[..(round < 100 ? round : shell.Length)];
                for (int i = 0; round >= 100 && i < 20; i++)
                {
                    copy[4 + random.Next(800)] = (byte)random.Next(256);
                }

                File.WriteAllBytes(path, copy);
                using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(path);
                ExecutableFile read = ExecutableFile.Read(file);
                Assert.True(read.BuildId.Length <= 128);
            }
        }
        finally
        {
            File.Delete(path);
        }
    }
}
