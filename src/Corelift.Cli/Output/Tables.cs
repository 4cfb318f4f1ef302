using Spectre.Console;

namespace Corelift.Cli;

/// <summary>Plain tables that survive a pipe, a grep and a narrow terminal.</summary>
internal static class Tables
{
    private const int WidthWhenPiped = 400;

    internal static Table Create(params string[] columns)
    {
        Table table = new Table().NoBorder();
        foreach (string column in columns)
        {
            table.AddColumn(new TableColumn(Markup.Escape(column)).NoWrap().PadLeft(0).PadRight(2));
        }

        return table;
    }

    internal static void AddRow(Table table, params string[] cells) =>
        table.AddRow([.. cells.Select(cell => new Text(TerminalText.Escape(cell)))]);

    internal static void Print(Table table)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Out) });
        if (Console.IsOutputRedirected)
        {
            console.Profile.Width = WidthWhenPiped;
        }

        console.Write(table);
    }
}
