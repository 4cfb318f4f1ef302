using Spectre.Console;

namespace Corelift.Cli.Output;

/// <summary>Prints tables: fitted to a terminal, at full length into a pipe.</summary>
internal static class Tables
{
    private const int PipeWidth = 100_000;

    /// <summary>A column: its head, and whether it holds numbers.</summary>
    internal readonly record struct Column(string Head, bool IsNumber = false);

    internal static void Print(CliConsole console, Column[] columns, IEnumerable<string[]> rows)
    {
        Table table = new() { Border = TableBorder.None, ShowHeaders = true };
        foreach (Column column in columns)
        {
            Style style = console.UsesColor ? new Style(decoration: Decoration.Bold) : Style.Plain;
            table.AddColumn(new TableColumn(new Text(column.Head, style))
            {
                Alignment = column.IsNumber ? Justify.Right : Justify.Left,
                NoWrap = true,
                Padding = new Padding(0, 0, 2, 0),
            });
        }

        foreach (string[] row in rows)
        {
            table.AddRow(row.Select(cell => new Text(TerminalText.Escape(cell)) { Overflow = Overflow.Ellipsis }));
        }

        using StringWriter rendered = new();
        IAnsiConsole output = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = console.UsesColor ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = console.UsesColor ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(rendered),
        });
        output.Profile.Width = console.IsOutTerminal ? console.Width : PipeWidth;
        output.Write(table);
        foreach (string line in rendered.ToString().TrimEnd().Split('\n'))
        {
            console.Out.WriteLine(line.TrimEnd());
        }
    }

    /// <summary>Prints names and values, values aligned; empty values are left out.</summary>
    internal static void PrintFacts(CliConsole console, params (string Name, string Value)[] facts)
    {
        (string Name, string Value)[] given = [.. facts.Where(fact => fact.Value.Length > 0)];
        int width = given.Length == 0 ? 0 : given.Max(fact => fact.Name.Length);
        foreach ((string name, string value) in given)
        {
            console.Out.WriteLine($"{name.PadRight(width)}  {TerminalText.Escape(value)}");
        }
    }
}
