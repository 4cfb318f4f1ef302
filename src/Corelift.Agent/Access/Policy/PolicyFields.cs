using System.Globalization;
using System.Text.Json;
using Corelift.Agent.Configuration;
using Corelift.Agent.Hosting;

namespace Corelift.Agent.Access.Policy;

/// <summary>The members of an object of a policy file, by name. What is wrong is noted with its line, and reading goes on.</summary>
internal sealed class PolicyFields
{
    private const int MostText = 1024;
    private const int MostItems = 1000;

    private readonly List<PolicyProblem> _problems;
    private readonly Dictionary<string, JsonText> _members = new(StringComparer.Ordinal);
    private readonly JsonText _object;

    /// <summary>Reads an object.</summary>
    /// <param name="value">The value; anything but an object is noted.</param>
    /// <param name="what">What it is, for messages: "a rule".</param>
    /// <param name="problems">Receives what is wrong.</param>
    /// <param name="known">Names that it may have.</param>
    internal PolicyFields(JsonText value, string what, List<PolicyProblem> problems, params string[] known)
    {
        _object = value;
        _problems = problems;
        if (value.Kind != JsonTokenType.StartObject)
        {
            Note(value.Line, $"{what} is {value.Describe()}: write an object with {string.Join(", ", known)}");
        }

        foreach ((string name, int line, JsonText member) in value.Members)
        {
            if (!known.Contains(name))
            {
                string meant = SettingNames.Meant(name, known);
                Note(line, $"{what} has no \"{name}\"{(meant.Length > 0 ? meant : $": it may have {string.Join(", ", known)}")}");
            }
            else if (member.Kind == JsonTokenType.Null)
            {
                Note(line, $"\"{name}\" is null: leave it out");
            }
            else
            {
                _members.Add(name, member);
            }
        }
    }

    internal int Line => _object.Line;

    internal bool Has(string name) => _members.ContainsKey(name);

    internal JsonText? Get(string name) => _members.GetValueOrDefault(name);

    internal void Note(int line, string message) => _problems.Add(new PolicyProblem(line, message));

    /// <summary>A member that must be there.</summary>
    internal JsonText? Require(string name, string remedy)
    {
        if (!_members.TryGetValue(name, out JsonText? value))
        {
            Note(Line, $"\"{name}\" is missing: {remedy}");
        }

        return value;
    }

    internal string? Text(string name) => _members.TryGetValue(name, out JsonText? value) ? TextOf(value, name) : null;

    /// <summary>A text, or a list of texts.</summary>
    internal IReadOnlyList<string> Texts(string name) => Many(name).Select(item => TextOf(item, name)).OfType<string>().ToArray();

    internal IReadOnlyList<uint> Ids(string name) => Many(name).Select(item => IdOf(item, name)).OfType<uint>().ToArray();

    internal uint? Id(string name) => _members.TryGetValue(name, out JsonText? value) ? IdOf(value, name) : null;

    internal bool? Flag(string name)
    {
        if (!_members.TryGetValue(name, out JsonText? value))
        {
            return null;
        }

        if (value.Kind is not (JsonTokenType.True or JsonTokenType.False))
        {
            Note(value.Line, $"\"{name}\" is {value.Describe()}: write true or false");
        }

        return value.Kind == JsonTokenType.True;
    }

    internal int? Count(string name)
    {
        if (!_members.TryGetValue(name, out JsonText? value))
        {
            return null;
        }

        bool fits = int.TryParse(value.Text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number <= 1_000_000;
        if (value.Kind != JsonTokenType.Number || !fits)
        {
            Note(value.Line, $"\"{name}\" is {value.Describe()}: write a whole number from 0 to 1000000");
        }

        return number;
    }

    internal TimeSpan? Time(string name)
    {
        if (Text(name) is not { } text)
        {
            return null;
        }

        if (!Quantities.TryParseTime(text, out TimeSpan time))
        {
            Note(_members[name].Line, $"\"{name}\" is \"{text}\": write a time such as \"500ms\", \"2s\" or \"1m\", at most \"24h\"");
        }

        return time;
    }

    internal long? Size(string name)
    {
        if (Text(name) is not { } text)
        {
            return null;
        }

        if (!Quantities.TryParseSize(text, out long bytes))
        {
            Note(_members[name].Line, $"\"{name}\" is \"{text}\": write a size such as \"64MiB\" or \"2GiB\"");
        }

        return bytes;
    }

    /// <summary>An object of texts.</summary>
    internal IReadOnlyDictionary<string, string> Map(string name)
    {
        var map = new Dictionary<string, string>(StringComparer.Ordinal);
        if (_members.TryGetValue(name, out JsonText? value))
        {
            if (value.Kind != JsonTokenType.StartObject || value.Members.Count == 0)
            {
                Note(value.Line, $"\"{name}\" is {value.Describe()}: write an object of names and texts that is not empty");
            }

            foreach ((string key, _, JsonText item) in value.Members)
            {
                if (TextOf(item, key) is { } text)
                {
                    map[key] = text;
                }
            }
        }

        return map;
    }

    /// <summary>The items of a list.</summary>
    internal IReadOnlyList<JsonText> List(string name, string remedy)
    {
        if (!_members.TryGetValue(name, out JsonText? value))
        {
            return [];
        }

        if (value.Kind != JsonTokenType.StartArray || value.Items.Count == 0 || value.Items.Count > MostItems)
        {
            Note(value.Line, $"\"{name}\" is {(value.Items.Count == 0 && value.Kind == JsonTokenType.StartArray ? "an empty list" : value.Describe())}: {remedy}");
        }

        return value.Items;
    }

    private List<JsonText> Many(string name)
    {
        if (!_members.TryGetValue(name, out JsonText? value))
        {
            return [];
        }

        if (value.Kind == JsonTokenType.StartArray && value.Items.Count is 0 or > MostItems)
        {
            Note(value.Line, $"\"{name}\" is an empty list, or has more than {MostItems} items: leave it out where it is to fit everything");
        }

        return value.Kind == JsonTokenType.StartArray ? value.Items : [value];
    }

    private string? TextOf(JsonText value, string name)
    {
        if (value.Kind == JsonTokenType.String && value.Text.Length is > 0 and <= MostText && !value.Text.Any(char.IsControl))
        {
            return value.Text;
        }

        Note(value.Line, $"\"{name}\" is {value.Describe()}: write a text of 1 to {MostText} letters in quotes");
        return null;
    }

    private uint? IdOf(JsonText value, string name)
    {
        if (value.Kind == JsonTokenType.Number && uint.TryParse(value.Text, NumberStyles.None, CultureInfo.InvariantCulture, out uint id) && id != uint.MaxValue)
        {
            return id;
        }

        Note(value.Line, $"\"{name}\" is {value.Describe()}: write a number, as id(1) shows it");
        return null;
    }
}
