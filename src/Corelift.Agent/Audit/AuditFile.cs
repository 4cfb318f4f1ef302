using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Agent.Audit;

/// <summary>
/// An append-only file of JSON lines. Each has a sequence number and the SHA-256 of the line before (<c>prev</c>; 64 zeros in
/// the very first), and is on disk when <see cref="Append"/> returns. A file that is full gets the number of its first line as
/// its suffix, and the chain goes on in a new one. Beside it lies FILE.head with number and hash of the last line, by which a
/// tail that was cut off shows. One writer; not safe for several threads.
/// </summary>
internal sealed class AuditFile : IDisposable
{
    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string _path;
    private readonly ArrayBufferWriter<byte> _line = new(4096);
    private readonly HashSet<string> _open = new(StringComparer.Ordinal);
    private SafeFileHandle? _file;
    private SafeFileHandle? _head;
    private SafeFileHandle? _lock;
    private long _lengthBytes;
    private long _firstSequence = 1;
    private bool _hasTornTail;

    private AuditFile(string path) => _path = path;

    /// <summary>Number of the last line; 0 before the first.</summary>
    internal long Sequence { get; private set; }

    /// <summary>SHA-256 of the last line, in lower-case hexadecimal digits.</summary>
    internal string Hash { get; private set; } = new('0', 64);

    /// <summary>Ids of operations that have a beginning and no end.</summary>
    internal IReadOnlyCollection<string> OpenOperations => _open;

    /// <summary>Bytes of a line that a killed agent did not finish, and that were removed.</summary>
    internal long TornBytes { get; private set; }

    /// <summary>Number of the last line that FILE.head knew of, where that line is no longer there; otherwise 0.</summary>
    internal long MissingUpTo { get; private set; }

    /// <summary>Opens or makes a file, and finds out where it stands.</summary>
    /// <exception cref="IOException">It cannot be opened, is none of these files, or another agent writes it.</exception>
    internal static AuditFile Open(string path, DateTimeOffset time)
    {
        var file = new AuditFile(Path.GetFullPath(path));
        try
        {
            file._lock = OpenOrCreate(file._path + ".lock", FileShare.None);
            file.OpenFiles();
            file.Recover(time);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Appends a line, and waits until it is on disk.</summary>
    /// <param name="record">Writes the members of the object, but for <c>seq</c>, <c>time</c> and <c>prev</c>.</param>
    /// <param name="time">Time of the record.</param>
    /// <param name="mostBytes">Length from which on a new file is begun.</param>
    /// <exception cref="IOException">It is not on disk; the file is as it was.</exception>
    internal void Append(IAuditRecord record, DateTimeOffset time, long mostBytes)
    {
        if (_lengthBytes >= mostBytes)
        {
            Rotate(time);
        }

        Write(record, time);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _file?.Dispose();
        _head?.Dispose();
        _lock?.Dispose();
    }

    private void Write(IAuditRecord record, DateTimeOffset time)
    {
        ReadOnlySpan<byte> line = Format(record, time);
        if (_hasTornTail)
        {
            RandomAccess.SetLength(_file!, _lengthBytes);
            _hasTornTail = false;
        }

        try
        {
            RandomAccess.Write(_file!, line, _lengthBytes);
            RandomAccess.FlushToDisk(_file!);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            _hasTornTail = true; // how much of it there is nobody knows
            throw new IOException(failure.Message, failure);
        }

        _lengthBytes += line.Length;
        Sequence++;
        Hash = Convert.ToHexStringLower(SHA256.HashData(line[..^1]));
        record.Note(_open);
        WriteHead();
    }

    private ReadOnlySpan<byte> Format(IAuditRecord record, DateTimeOffset time)
    {
        _line.ResetWrittenCount();
        using (var json = new Utf8JsonWriter(_line))
        {
            json.WriteStartObject();
            json.WriteNumber("seq"u8, Sequence + 1);
            json.WriteString("time"u8, time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture));
            record.Write(json);
            json.WriteString("prev"u8, Hash);
            json.WriteEndObject();
        }

        _line.Write("\n"u8);
        return _line.WrittenSpan;
    }

    private void Rotate(DateTimeOffset time)
    {
        string old = string.Create(CultureInfo.InvariantCulture, $"{_path}.{_firstSequence:d12}");
        File.Move(_path, old, overwrite: false);
        _file!.Dispose();
        _file = null;
        _firstSequence = Sequence + 1;
        OpenFiles();
        _lengthBytes = 0;
        Write(new AuditContinued(Path.GetFileName(old), _open), time);
    }

    private void OpenFiles()
    {
        _file = OpenOrCreate(_path, FileShare.ReadWrite);
        _head ??= OpenOrCreate(_path + ".head", FileShare.ReadWrite);
        SyncDirectory();
    }

    private static SafeFileHandle OpenOrCreate(string path, FileShare share)
    {
        if (!File.Exists(path))
        {
            new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = Mode }).Dispose();
        }

        return File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, share);
    }

    /// <summary>A new name is on disk only once its directory is.</summary>
    private void SyncDirectory()
    {
        using SafeFileHandle directory = Linux.Processes.DirectoryHandle.Open(Path.GetDirectoryName(_path)!);
        RandomAccess.FlushToDisk(directory);
    }

    private void WriteHead()
    {
        try
        {
            // As many bytes each time, so that none of an older one is left.
            byte[] text = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Sequence:d20} {Hash}\n"));
            RandomAccess.Write(_head!, text, 0);
        }
        catch (IOException)
        {
            // The line itself is on disk. A head that is behind says less, and nothing false.
        }
    }

    /// <summary>Reads what is there: the last line, and which operations are open. A line without an end was never acted upon.</summary>
    private void Recover(DateTimeOffset time)
    {
        _lengthBytes = ReadLines(_path);
        TornBytes = RandomAccess.GetLength(_file!) - _lengthBytes;
        _hasTornTail = TornBytes > 0;
        string? before = Sequence > 0 ? null : FindLastClosed();
        if (before is not null)
        {
            // Killed between two files: the chain goes on from the one that was closed.
            _ = ReadLines(before);
            _firstSequence = Sequence + 1;
        }

        long known = ReadHead();
        MissingUpTo = known > Sequence ? known : 0;
        if (before is not null)
        {
            Write(new AuditContinued(Path.GetFileName(before), _open), time);
        }
    }

    /// <returns>Position behind the last line.</returns>
    private long ReadLines(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var lines = new AuditLines(stream);
        for (int number = 1; lines.Read() is { } line; number++)
        {
            try
            {
                AuditLine read = AuditLine.Parse(line.Span);
                _firstSequence = number == 1 ? read.Sequence : _firstSequence;
                Sequence = read.Sequence;
                read.Note(_open);
            }
            catch (Exception failure) when (failure is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
            {
                throw new IOException($"line {number} of {path} is no audit record: keep that file elsewhere, or name another one");
            }

            Hash = Convert.ToHexStringLower(SHA256.HashData(line.Span));
        }

        return lines.Position;
    }

    private string? FindLastClosed() => Directory
        .EnumerateFiles(Path.GetDirectoryName(_path)!, Path.GetFileName(_path) + ".*")
        .Where(name => name.Length == _path.Length + 13 && name[^12..].All(char.IsAsciiDigit))
        .Max(StringComparer.Ordinal);

    private long ReadHead()
    {
        Span<byte> text = stackalloc byte[20];
        int length = RandomAccess.Read(_head!, text, 0);
        return long.TryParse(Encoding.ASCII.GetString(text[..length]), NumberStyles.None, CultureInfo.InvariantCulture, out long known) ? known : 0;
    }
}
