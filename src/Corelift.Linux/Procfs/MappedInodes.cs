using Corelift.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Procfs;

/// <summary>
/// Asks whether a process maps a file, by inode number. Of each line of maps only the kernel's own first five fields are looked
/// at, through a small buffer: how many mappings there are, and what they are called, is for the process to say.
/// </summary>
public static unsafe class MappedInodes
{
    private const int BufferBytes = 16 * 1024;
    private const int InodeField = 4;

    /// <summary>Whether a mapping has this inode number.</summary>
    /// <param name="maps">A maps file, open at its beginning.</param>
    /// <param name="inode">Not 0, which anonymous memory has.</param>
    /// <exception cref="SyscallException">Reading failed.</exception>
    public static bool Contains(SafeFileHandle maps, ulong inode)
    {
        ArgumentNullException.ThrowIfNull(maps);
        Span<byte> buffer = stackalloc byte[BufferBytes];
        var line = new LineState { Wanted = inode };
        while (inode != 0)
        {
            nint count;
            fixed (byte* start = buffer)
            {
                count = LibC.Read((int)maps.DangerousGetHandle(), start, BufferBytes);
            }

            if (count < 0)
            {
                throw SyscallException.FromLastError("read(/proc/PID/maps)", 0);
            }

            if (count == 0 || line.TakesAny(buffer[..(int)count]))
            {
                return count != 0;
            }
        }

        return false;
    }

    /// <summary>Where in a line the last piece of text ended.</summary>
    internal struct LineState
    {
        private int _field;
        private ulong _number;
        private bool _isNumber;
        private bool _wasBlank;

        internal ulong Wanted { get; init; }

        /// <summary>Goes on with a piece of the text; whether a line in it has the wanted number.</summary>
        internal bool TakesAny(scoped ReadOnlySpan<byte> text)
        {
            foreach (byte letter in text)
            {
                if (letter is (byte)' ' or (byte)'\n')
                {
                    if (_field == InodeField && _isNumber && _number == Wanted)
                    {
                        return true;
                    }

                    // Names begin after the inode; blanks in them count no more.
                    _field = letter == (byte)'\n' ? 0 : _wasBlank || _field > InodeField ? _field : _field + 1;
                    (_number, _isNumber, _wasBlank) = (0, false, letter == (byte)' ');
                    continue;
                }

                _wasBlank = false;
                if (_field == InodeField)
                {
                    _isNumber = letter is >= (byte)'0' and <= (byte)'9' && (_isNumber || _number == 0);
                    _number = _isNumber ? unchecked((_number * 10) + (ulong)(letter - '0')) : 1;
                }
            }

            return false;
        }
    }
}
