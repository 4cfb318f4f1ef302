using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Corelift.Capture.Worker;

/// <summary>A <see cref="SecretMemory"/> in a message of fixed layout.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SecretMemoryText
{
    private const char Separator = '\n';

    private int _isIncluded;
    private int _bytes;
    private NameBuffer _names;

    /// <exception cref="ArgumentException">The names are longer than <see cref="SecretMemory.MostNameBytes"/>.</exception>
    internal static SecretMemoryText Of(SecretMemory memory)
    {
        var text = new SecretMemoryText { _isIncluded = memory.IsIncluded ? 1 : 0 };
        text._bytes = Encoding.UTF8.GetBytes(string.Join(Separator, memory.Names), text._names);
        return text;
    }

    internal readonly SecretMemory ToSecretMemory()
    {
        ReadOnlySpan<byte> names = _names;
        string text = Encoding.UTF8.GetString(names[..Math.Clamp(_bytes, 0, names.Length)]);
        return new SecretMemory { IsIncluded = _isIncluded != 0, Names = text.Split(Separator, StringSplitOptions.RemoveEmptyEntries) };
    }

    [InlineArray(SecretMemory.MostNameBytes)]
    private struct NameBuffer
    {
        private byte _first;
    }
}
