using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Corelift.Capture.Worker;

/// <summary>Text in a message, at most 400 bytes of UTF-8; the rest is cut.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FixedText
{
    private readonly int _lengthBytes;
    private readonly Buffer _bytes;

    internal FixedText(string text) => Encoding.UTF8.GetEncoder().Convert(text, _bytes, flush: true, out _, out _lengthBytes, out _);

    /// <inheritdoc/>
    public override readonly string ToString()
    {
        ReadOnlySpan<byte> bytes = _bytes;
        return Encoding.UTF8.GetString(bytes[..Math.Clamp(_lengthBytes, 0, bytes.Length)]);
    }

    [InlineArray(400)]
    private struct Buffer
    {
        private byte _first;
    }
}
