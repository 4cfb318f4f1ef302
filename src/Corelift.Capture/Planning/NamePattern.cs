namespace Corelift.Capture.Planning;

/// <summary>A pattern in which <c>*</c> stands for any text, an empty one among it, and everything else for itself.</summary>
public static class NamePattern
{
    /// <summary>Whether a name fits. Takes time of the product of both lengths at most.</summary>
    public static bool Fits(ReadOnlySpan<char> pattern, ReadOnlySpan<char> name)
    {
        (int at, int star, int mark) = (0, -1, 0);
        int position = 0;
        while (position < name.Length)
        {
            if (at < pattern.Length && pattern[at] == '*')
            {
                (star, mark) = (at++, position);
            }
            else if (at < pattern.Length && pattern[at] == name[position])
            {
                (at, position) = (at + 1, position + 1);
            }
            else if (star >= 0)
            {
                (at, position) = (star + 1, ++mark);
            }
            else
            {
                return false;
            }
        }

        return pattern[at..].TrimStart('*').IsEmpty;
    }
}
