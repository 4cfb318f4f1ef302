using System.Text.Json;

namespace Corelift.Elf;

/// <summary>
/// Makes a record fit the room of the vendor note. What is cut is always the end of the list that takes most room, a
/// quarter of it at a time, so that a hundred thousand holes do not push out the two warnings.
/// </summary>
internal static class RecordFitter
{
    private const int ListCount = 7;

    internal static byte[] Fit(SnapshotRecord record, int maxBytes)
    {
        record = Coalesce(record);
        byte[] json = Serialize(record);
        if (json.Length <= maxBytes)
        {
            return json;
        }

        int[] counts = Counts(record);
        int[] kept = [.. counts];
        long[] sizes = Sizes(record);
        long estimate = json.Length;
        while (json.Length > maxBytes)
        {
            // Estimates go by the mean size of an entry; the JSON itself has the last word.
            do
            {
                int largest = Largest(kept, counts, sizes);
                if (largest < 0)
                {
                    throw new CoreFormatException($"the vendor note takes more than {maxBytes} bytes even without its lists");
                }

                int next = kept[largest] * 3 / 4;
                estimate -= (long)((double)sizes[largest] / counts[largest] * (kept[largest] - next));
                kept[largest] = next;
            }
            while (estimate > maxBytes);
            json = Serialize(Cut(record, counts, kept));
            estimate = json.Length;
        }

        return json;
    }

    private static byte[] Serialize(SnapshotRecord record) =>
        JsonSerializer.SerializeToUtf8Bytes(record, RecordJson.Default.SnapshotRecord);

    private static int Largest(int[] kept, int[] counts, long[] sizes)
    {
        int largest = -1;
        double most = 0;
        for (int list = 0; list < ListCount; list++)
        {
            double size = kept[list] == 0 ? 0 : (double)sizes[list] / counts[list] * kept[list];
            if (size > most)
            {
                (largest, most) = (list, size);
            }
        }

        return largest;
    }

    private static int[] Counts(SnapshotRecord r) =>
        [r.Reasons.Count, r.Phases.Count, r.ThreadStops.Count, r.NotOfTheInstant.Count, r.Holes.Count, r.Warnings.Count, r.Rounds.Count];

    private static long[] Sizes(SnapshotRecord r)
    {
        SnapshotRecord none = new();
        return
        [
            Serialize(none with { Reasons = r.Reasons }).Length,
            Serialize(none with { Phases = r.Phases }).Length,
            Serialize(none with { ThreadStops = r.ThreadStops }).Length,
            Serialize(none with { NotOfTheInstant = r.NotOfTheInstant }).Length,
            Serialize(none with { Holes = r.Holes }).Length,
            Serialize(none with { Warnings = r.Warnings }).Length,
            Serialize(none with { Rounds = r.Rounds }).Length,
        ];
    }

    private static SnapshotRecord Cut(SnapshotRecord r, int[] counts, int[] kept) => r with
    {
        Reasons = [.. r.Reasons.Take(kept[0])],
        Phases = [.. r.Phases.Take(kept[1])],
        ThreadStops = [.. r.ThreadStops.Take(kept[2])],
        NotOfTheInstant = [.. r.NotOfTheInstant.Take(kept[3])],
        Holes = [.. r.Holes.Take(kept[4])],
        Warnings = [.. r.Warnings.Take(kept[5])],
        Rounds = [.. r.Rounds.Take(kept[6])],
        Omitted = new RecordOmissions
        {
            Reasons = counts[0] - kept[0],
            Phases = counts[1] - kept[1],
            ThreadStops = counts[2] - kept[2],
            NotOfTheInstant = counts[3] - kept[3],
            Holes = counts[4] - kept[4],
            Warnings = counts[5] - kept[5],
            Rounds = counts[6] - kept[6],
        },
    };

    private static SnapshotRecord Coalesce(SnapshotRecord r)
    {
        List<RecordHole> holes = [];
        foreach (RecordHole hole in r.Holes)
        {
            if (holes.Count > 0 && holes[^1] is var last && last == hole with { Start = last.Start, End = last.End }
                && last.End == hole.Start)
            {
                holes[^1] = last with { End = hole.End };
            }
            else
            {
                holes.Add(hole);
            }
        }

        List<RecordInconsistency> inconsistencies = [];
        foreach (RecordInconsistency range in r.NotOfTheInstant)
        {
            if (inconsistencies.Count > 0 && inconsistencies[^1] is var last
                && last == range with { Start = last.Start, End = last.End } && last.End == range.Start)
            {
                inconsistencies[^1] = last with { End = range.End };
            }
            else
            {
                inconsistencies.Add(range);
            }
        }

        return r with { Holes = holes, NotOfTheInstant = inconsistencies };
    }
}
