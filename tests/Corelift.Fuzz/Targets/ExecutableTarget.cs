using Corelift.Fuzz.Engine;
using Corelift.Linux.Procfs;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Fuzz.Targets;

/// <summary>Header, program headers and notes of a target's executable.</summary>
internal sealed class ExecutableTarget : IFuzzTarget
{
    private static readonly Lazy<SafeFileHandle> s_file = new(() => File.OpenHandle(
        Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, FileOptions.DeleteOnClose));

    public static string Name => "executable";

    public static IReadOnlyList<string> Words => ["\u007fELF", "GNU\0", "Go\0\0", "\u0004\0\0\0"];

    public static IEnumerable<byte[]> Seeds => [Elf(wide: true), Elf(wide: false)];

    public static void Fuzz(ReadOnlySpan<byte> input)
    {
        RandomAccess.SetLength(s_file.Value, input.Length);
        RandomAccess.Write(s_file.Value, input, 0);
        try
        {
            _ = ExecutableFile.Read(s_file.Value);
        }
        catch (IOException)
        {
            // What is documented.
        }
    }

    /// <summary>One note segment, with a build-id and Go's note.</summary>
    private static byte[] Elf(bool wide)
    {
        (int header, int entry) = wide ? (64, 56) : (52, 32);
        byte[] notes = [4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, .. "GNU\0"u8, .. new byte[20], 4, 0, 0, 0, 8, 0, 0, 0, 4, 0, 0, 0, .. "Go\0\0"u8, .. new byte[8]];
        byte[] file = [.. new byte[header + entry], .. notes];
        "\u007fELF"u8.CopyTo(file);
        (file[4], file[5], file[18]) = (wide ? (byte)2 : (byte)1, 1, 62);
        file[wide ? 32 : 28] = (byte)header;
        file[wide ? 54 : 42] = (byte)entry;
        file[wide ? 56 : 44] = 1;
        file[header] = 4; // PT_NOTE
        file[header + (wide ? 8 : 4)] = (byte)(header + entry);
        file[header + (wide ? 32 : 16)] = (byte)notes.Length;
        return file;
    }
}
