using System.Globalization;
using System.Text;
using Corelift.Cli.Input;

namespace Corelift.Cli.Output;

/// <summary>Prints memory in lines of 16 bytes; equal lines after the first as one '*', as hexdump(1) does.</summary>
internal sealed class HexDump(TextWriter output, ulong start)
{
    private const int LineBytes = 16;

    private readonly byte[] _line = new byte[LineBytes];
    private readonly byte[] _previous = new byte[LineBytes];
    private ulong _lineStart = start;
    private int _filled;
    private bool _hasPrevious;
    private bool _isStarred;

    internal void Add(MemoryPiece piece)
    {
        if (piece.Missing is { } reason)
        {
            Flush();
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{piece.Start:x16}  cannot be read up to {piece.End:x16}: {reason}"));
            _lineStart = piece.End;
            _hasPrevious = false;
            return;
        }

        foreach (byte value in piece.Bytes.Span)
        {
            _line[_filled++] = value;
            if (_filled == LineBytes)
            {
                FullLine();
            }
        }
    }

    /// <summary>Prints what is left, and the end address.</summary>
    internal void Finish()
    {
        Flush();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{_lineStart:x16}"));
    }

    private void FullLine()
    {
        if (_hasPrevious && _line.AsSpan().SequenceEqual(_previous))
        {
            if (!_isStarred)
            {
                output.WriteLine("*");
                _isStarred = true;
            }

            _lineStart = unchecked(_lineStart + LineBytes);
            _filled = 0;
            return;
        }

        _line.CopyTo(_previous, 0);
        _hasPrevious = true;
        Flush();
    }

    private void Flush()
    {
        _isStarred = false;
        if (_filled == 0)
        {
            return;
        }

        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"{_lineStart:x16} ");
        for (int index = 0; index < LineBytes; index++)
        {
            text.Append(index == LineBytes / 2 ? "  " : " ");
            text.Append(index < _filled ? _line[index].ToString("x2", CultureInfo.InvariantCulture) : "  ");
        }

        text.Append("  |");
        foreach (byte value in _line.AsSpan(0, _filled))
        {
            text.Append(value is >= 0x20 and < 0x7F ? (char)value : '.');
        }

        output.WriteLine(text.Append('|').ToString());
        _lineStart = unchecked(_lineStart + (ulong)_filled);
        _filled = 0;
    }
}
