using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Testing;

/// <summary>A note of a core.</summary>
public sealed record CoreNote(string Name, uint Type, byte[] Content);

/// <summary>
/// A second, small reader of ELF cores (64 bits, little-endian), by elf(5) alone: what Corelift.Elf writes is not judged
/// by Corelift.Elf.
/// </summary>
public sealed class CoreImage : IDisposable
{
    private const int HeaderSize = 64, ProgramHeaderSize = 56;
    private const uint Load = 1, Note = 4;

    private readonly SafeFileHandle _file;
    private readonly List<(ulong Start, ulong End, ulong FileEnd, long Offset)> _loads = [];
    private readonly List<CoreNote> _notes = [];
    private readonly Lazy<Dictionary<int, byte[]>> _prStatus;

    /// <summary>Reads the headers and notes.</summary>
    public CoreImage(string path)
    {
        _file = File.OpenHandle(path);
        _prStatus = new(() => _notes.Where(note => note is { Name: "CORE", Type: 1 })
            .ToDictionary(note => BinaryPrimitives.ReadInt32LittleEndian(note.Content.AsSpan(32)), note => note.Content));
        byte[] header = Bytes(0, HeaderSize);
        long table = BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(32));
        long count = BinaryPrimitives.ReadUInt16LittleEndian(header.AsSpan(56));
        if (count == 0xffff) // PN_XNUM: sh_info of the first section header
        {
            long sections = BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(40));
            count = BinaryPrimitives.ReadUInt32LittleEndian(Bytes(sections, HeaderSize).AsSpan(44));
        }

        byte[] headers = Bytes(table, checked((int)count * ProgramHeaderSize));
        for (int i = 0; i < count; i++)
        {
            Add(headers.AsSpan(i * ProgramHeaderSize, ProgramHeaderSize));
        }

        _loads.Sort();
    }

    /// <summary>Number of PT_LOAD headers.</summary>
    public int LoadCount => _loads.Count;

    /// <summary>All notes in order.</summary>
    public IReadOnlyList<CoreNote> Notes => _notes;

    /// <summary>Tids of the NT_PRSTATUS notes (pr_pid, at offset 32), in order.</summary>
    public IReadOnlyList<int> Threads =>
        [.. _notes.Where(note => note is { Name: "CORE", Type: 1 }).Select(note => BinaryPrimitives.ReadInt32LittleEndian(note.Content.AsSpan(32)))];

    /// <summary>A thread's stack pointer: the 20th of the registers in its NT_PRSTATUS, which begin at offset 112.</summary>
    public ulong StackPointer(int tid) =>
        BinaryPrimitives.ReadUInt64LittleEndian(_prStatus.Value[tid].AsSpan(112 + (19 * 8)));

    /// <summary>Whether a PT_LOAD has bytes in the file for the whole range.</summary>
    public bool Holds(AddressSpan range) => Pieces(range, (_, _, _) => { });

    /// <summary>Reads memory; null where not all of it is in the file.</summary>
    public byte[]? TryRead(ulong address, int length)
    {
        byte[] bytes = new byte[length];
        return Pieces(new AddressSpan(address, address + (ulong)length), (at, count, offset) =>
            ReadExactly(bytes.AsSpan(checked((int)(at - address)), count), offset)) ? bytes : null;
    }

    /// <summary>Reads memory.</summary>
    public byte[] Read(ulong address, int length) =>
        TryRead(address, length) ?? throw new TestingException($"the core has no {length} bytes at {address:x}");

    /// <summary>Reads one word.</summary>
    public ulong ReadWord(ulong address) => BinaryPrimitives.ReadUInt64LittleEndian(Read(address, sizeof(ulong)));

    /// <summary>Fails at the first byte of the range that is not what the tracee's function says.</summary>
    public void AssertHolds(AddressSpan range, ulong epoch = 0, Func<long, ulong>? epochOfPage = null)
    {
        int step = epochOfPage is null ? 1 << 20 : TraceeMemory.PageSize;
        for (ulong at = range.Start; at < range.End; at += (ulong)step)
        {
            int length = (int)Math.Min((ulong)step, range.End - at);
            ulong pageEpoch = epochOfPage?.Invoke((long)(at - range.Start) / TraceeMemory.PageSize) ?? epoch;
            int difference = TraceeMemory.FirstDifference(Read(at, length), at, pageEpoch);
            if (difference >= 0)
            {
                throw new TestingException($"the core's byte at {at + (ulong)difference:x} (range {range.Start:x}-{range.End:x}) is not the target's");
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private void Add(ReadOnlySpan<byte> header)
    {
        uint type = BinaryPrimitives.ReadUInt32LittleEndian(header);
        long offset = BinaryPrimitives.ReadInt64LittleEndian(header[8..]);
        ulong address = BinaryPrimitives.ReadUInt64LittleEndian(header[16..]);
        ulong fileSize = BinaryPrimitives.ReadUInt64LittleEndian(header[32..]);
        ulong memorySize = BinaryPrimitives.ReadUInt64LittleEndian(header[40..]);
        if (type == Load)
        {
            _loads.Add((address, address + memorySize, address + fileSize, offset));
        }
        else if (type == Note)
        {
            AddNotes(Bytes(offset, checked((int)fileSize)));
        }
    }

    private void AddNotes(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= 12)
        {
            int nameLength = BinaryPrimitives.ReadInt32LittleEndian(bytes);
            int length = BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]);
            uint type = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
            int content = 12 + ((nameLength + 3) & ~3);
            string name = System.Text.Encoding.ASCII.GetString(bytes.Slice(12, nameLength)).TrimEnd('\0');
            _notes.Add(new CoreNote(name, type, bytes.Slice(content, length).ToArray()));
            bytes = bytes[Math.Min(bytes.Length, content + ((length + 3) & ~3))..];
        }
    }

    private bool Pieces(AddressSpan range, Action<ulong, int, long> piece)
    {
        ulong at = range.Start;
        while (at < range.End)
        {
            int index = FindLoad(at);
            if (index < 0 || at >= _loads[index].FileEnd)
            {
                return false;
            }

            ulong end = Math.Min(range.End, _loads[index].FileEnd);
            piece(at, checked((int)(end - at)), _loads[index].Offset + (long)(at - _loads[index].Start));
            at = end;
        }

        return true;
    }

    private int FindLoad(ulong address)
    {
        int low = 0, high = _loads.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (address < _loads[middle].Start)
            {
                high = middle - 1;
            }
            else if (address >= _loads[middle].End)
            {
                low = middle + 1;
            }
            else
            {
                return middle;
            }
        }

        return -1;
    }

    private byte[] Bytes(long offset, int length)
    {
        byte[] bytes = new byte[length];
        ReadExactly(bytes, offset);
        return bytes;
    }

    private void ReadExactly(Span<byte> into, long offset)
    {
        while (into.Length > 0)
        {
            int count = RandomAccess.Read(_file, into, offset);
            if (count == 0)
            {
                throw new TestingException($"the core ends before offset {offset + into.Length}");
            }

            into = into[count..];
            offset += count;
        }
    }
}
