namespace Corelift.Testing;

/// <summary>A folder of one test, removed with everything in it.</summary>
public sealed class ScratchFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("corelift-test-");

    /// <summary>Its path.</summary>
    public string Path => _folder.FullName;

    /// <summary>Path of a file in it.</summary>
    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Names of what lies in it.</summary>
    public string[] Names => [.. _folder.GetFileSystemInfos().Select(info => info.Name)];

    /// <summary>Hands the folder to another user, open to all.</summary>
    public void GiveTo(uint uid, uint gid)
    {
        if (Native.ChangeOwner(Path, uid, gid) != 0)
        {
            throw new TestingException($"chown {Path}: run the tests as root");
        }

        System.IO.File.SetUnixFileMode(Path, (UnixFileMode)0b111_101_101);
    }

    /// <summary>A copy of a program that every user can execute, wherever the repository lies.</summary>
    public string CopyProgram(string program)
    {
        string copy = File(System.IO.Path.GetFileName(program));
        System.IO.File.Copy(program, copy, overwrite: true);
        System.IO.File.SetUnixFileMode(copy, (UnixFileMode)0b111_101_101);
        return copy;
    }

    /// <inheritdoc/>
    public void Dispose() => _folder.Delete(recursive: true);
}
