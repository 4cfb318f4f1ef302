using System.Text;
using Corelift.Linux.Processes;
using Corelift.Linux.Procfs;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Tests.Procfs;

public sealed class MappedInodesTests
{
    private const string Text =
        "7f0000000000-7f0000001000 r-xp 00000000 08:01 12345                      /usr/lib/a 777 888\n"
        + "7f0000001000-7f0000002000 rw-p 00000000 00:00 0 \n"
        + "7f0000002000-7f0000003000 r--p 00002000 00:2d 42                         /x\n";

    [Theory]
    [InlineData(12345, true)]
    [InlineData(42, true)]
    [InlineData(777, false)]
    [InlineData(888, false)]
    [InlineData(1, false)]
    [InlineData(1234, false)]
    [InlineData(2000, false)]
    public void The_inode_column_alone_counts_wherever_the_text_is_cut(ulong inode, bool isThere)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(Text);
        foreach (int piece in (int[])[1, 7, 64, bytes.Length])
        {
            var line = new MappedInodes.LineState { Wanted = inode };
            bool found = false;
            for (int at = 0; at < bytes.Length && !found; at += piece)
            {
                found = line.TakesAny(bytes.AsSpan(at, Math.Min(piece, bytes.Length - at)));
            }

            Assert.Equal(isThere, found);
        }
    }

    [Fact]
    public void A_process_maps_its_own_libraries_and_not_the_file_of_users()
    {
        using ProcessDirectory self = ProcessDirectory.OpenSelf();
        Vma vma = self.ReadMaps().First(v => v.IsFileBacked && !v.IsDeleted && v.Name.StartsWith('/'));
        Assert.True(Ask(self, vma.Inode));
        Assert.False(Ask(self, 0));
        using SafeFileHandle users = File.OpenHandle("/etc/passwd");
        Assert.False(Ask(self, FileIdentity.Of(users)!.Value.Inode));
    }

    [Fact]
    public void A_mapped_file_is_opened_below_the_root_and_by_no_link()
    {
        using ProcessDirectory self = ProcessDirectory.OpenSelf();
        Vma vma = self.ReadMaps().First(v => v.IsFileBacked && !v.IsDeleted && v.Name.StartsWith('/'));
        using (SafeFileHandle file = self.OpenMappedFile(vma.Name))
        {
            Assert.Equal(vma.Inode, FileIdentity.Of(file)!.Value.Inode);
        }

        string link = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        File.CreateSymbolicLink(link, vma.Name);
        try
        {
            Assert.Throws<SyscallException>(() => self.OpenMappedFile(link));
        }
        finally
        {
            File.Delete(link);
        }
    }

    private static bool Ask(ProcessDirectory directory, ulong inode)
    {
        using SafeFileHandle maps = directory.OpenForReading("maps");
        return MappedInodes.Contains(maps, inode);
    }
}
