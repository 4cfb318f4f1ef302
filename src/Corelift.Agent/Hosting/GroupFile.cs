using System.Globalization;

namespace Corelift.Agent.Hosting;

/// <summary>Groups by name, from /etc/group. Groups of other sources (LDAP and the like) are named by their number.</summary>
internal static class GroupFile
{
    /// <summary>The number of a group.</summary>
    /// <exception cref="StartRefusedException">No such group.</exception>
    internal static uint Find(string group) => Find(group, ReadLines());

    internal static uint Find(string group, IEnumerable<string> lines)
    {
        if (uint.TryParse(group, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) && number != uint.MaxValue)
        {
            return number;
        }

        foreach (string line in lines)
        {
            // group(5): name:password:GID:members
            string[] parts = line.Split(':');
            if (parts.Length >= 3 && parts[0] == group && uint.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out number))
            {
                return number;
            }
        }

        throw new StartRefusedException($"there is no group '{group}' in /etc/group: create it, or name it by its number");
    }

    private static string[] ReadLines()
    {
        try
        {
            return File.ReadAllLines("/etc/group");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
