using System.Globalization;

namespace Corelift.Testing;

/// <summary>Huge pages of 2 MiB that the machine sets aside for one test, beside those it has.</summary>
public sealed class HugePages : IDisposable
{
    private const string Pool = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";

    private readonly int _before = Read();

    /// <summary>Sets them aside.</summary>
    /// <exception cref="TestingException">The machine has none to give.</exception>
    public HugePages(int count)
    {
        Write(_before + count);
        if (Read() < _before + count)
        {
            Dispose();
            throw new TestingException($"the machine cannot set {count} huge pages aside: its memory is in pieces, or used up");
        }
    }

    /// <summary>Gives them back; the pages in use go with their last user.</summary>
    public void Dispose() => Write(_before);

    private static int Read() => int.Parse(File.ReadAllText(Pool), NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture);

    private static void Write(int count) => File.WriteAllText(Pool, count.ToString(CultureInfo.InvariantCulture));
}
