using System.IO.MemoryMappedFiles;

namespace Corelift.Fuzz.Engine;

/// <summary>The input that runs now, in a mapped file: it outlives a process that an overflown stack or a bad pointer ends.</summary>
internal sealed class CurrentInput : IDisposable
{
    private const int HeadBytes = sizeof(int);

    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;

    internal CurrentInput(string path, int mostBytes)
    {
        _file = MemoryMappedFile.CreateFromFile(path, FileMode.Create, null, HeadBytes + mostBytes);
        _view = _file.CreateViewAccessor();
    }

    /// <summary>The input that ended the process before this one; null where it came to its end.</summary>
    internal static byte[]? Left(string path)
    {
        byte[] bytes = File.Exists(path) ? File.ReadAllBytes(path) : [];
        int length = bytes.Length < HeadBytes ? 0 : BitConverter.ToInt32(bytes);
        return length > 0 && length <= bytes.Length - HeadBytes ? bytes[HeadBytes..(HeadBytes + length)] : null;
    }

    internal void Begin(byte[] input)
    {
        _view.WriteArray(HeadBytes, input, 0, input.Length);
        _view.Write(0, input.Length);
    }

    internal void End() => _view.Write(0, 0);

    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }
}
