using System.Text;
using System.Xml.Linq;
using Corelift.Benchmarks.Page;

namespace Corelift.Benchmarks.Tests;

public sealed class PageTests
{
    [Fact]
    public void The_plot_is_well_formed_and_has_a_bar_for_each_measured_row()
    {
        TargetShape shape = new(1024, 10, 0);
        string svg = PausePlot.ToSvg([BarsTests.Row(shape, "precopy", 0.8), BarsTests.Row(shape, "a < b & c", 3600), new Row(shape, "CRIU")]);

        XElement root = XDocument.Parse(svg).Root!;
        XElement[] bars = [.. root.Elements().Where(element => element.Name.LocalName == "rect").Skip(1)];
        Assert.Equal(2, bars.Length);
        Assert.True((double)bars[0].Attribute("width")! < (double)bars[1].Attribute("width")!);
    }

    [Fact]
    public void A_plot_of_nothing_is_a_plot() => Assert.NotNull(XDocument.Parse(PausePlot.ToSvg([])).Root);

    [Fact]
    public void Ten_times_the_pause_is_always_the_same_step()
    {
        Assert.Equal(PausePlot.Length(10, 1000) - PausePlot.Length(1, 1000), PausePlot.Length(1000, 1000) - PausePlot.Length(100, 1000), 6);
        Assert.Equal(0, PausePlot.Length(0, 1000));
    }

    [Fact]
    public void A_bar_in_a_cell_does_not_end_it()
    {
        StringBuilder text = new();
        MarkdownTable.Append(text, ["one", "two"], [["a|b", "c"]]);
        Assert.Equal("| one  | two |\n|------|-----|\n| a\\|b | c   |\n", text.ToString());
    }
}
