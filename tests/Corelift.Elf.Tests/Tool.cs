using System.Diagnostics;

namespace Corelift.Elf.Tests;

/// <summary>Runs another program to its end and gives back what it printed.</summary>
internal static class Tool
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    internal static string Run(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["LC_ALL"] = "C";
        start.Environment["DEBUGINFOD_URLS"] = "";
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(s_patience))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} did not end within {s_patience}");
        }

        string all = output.GetAwaiter().GetResult() + errors.GetAwaiter().GetResult();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: exit code {process.ExitCode}\n{all}");
        return all;
    }

    /// <summary>Compiles a C source of a few lines.</summary>
    internal static string Compile(TempFolder folder, string name, string source, params string[] options)
    {
        string file = folder.Path(name + ".c");
        File.WriteAllText(file, source);
        string program = folder.Path(name);
        Run("gcc", ["-g", "-O0", .. options, "-o", program, file]);
        return program;
    }

    /// <summary>Bytes that a file really takes on disk.</summary>
    internal static long AllocatedBytes(string file) =>
        long.Parse(Run("stat", "-c", "%b", file).Trim(), System.Globalization.CultureInfo.InvariantCulture) * 512;
}

/// <summary>A folder that is gone when the test is.</summary>
internal sealed class TempFolder : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("corelift-elf-").FullName;

    internal string Path(string name) => System.IO.Path.Combine(_path, name);

    public void Dispose() => Directory.Delete(_path, recursive: true);
}

/// <summary>A destination that cannot seek, and that can be made to fail like a full disk.</summary>
internal sealed class PipeStream(Stream? sink = null, long failAfterBytes = long.MaxValue) : Stream
{
    private long _written;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        _written += buffer.Length;
        if (_written > failAfterBytes)
        {
            throw new IOException("No space left on device");
        }

        sink?.Write(buffer);
    }
}
