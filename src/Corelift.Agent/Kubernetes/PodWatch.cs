using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Text.Json;

namespace Corelift.Agent.Kubernetes;

/// <summary>A watch under way: JSON objects, one a line, for as long as both sides like.</summary>
internal sealed class PodWatch(HttpResponseMessage response, Stream body) : IAsyncDisposable
{
    private const int MaxLineBytes = 8 << 20; // etcd keeps no object above 1.5 MiB

    private readonly PipeReader _lines = PipeReader.Create(body, new StreamPipeReaderOptions(leaveOpen: true));

    /// <summary>The next event, or null where the server ended the watch.</summary>
    /// <exception cref="ApiException">It broke off, an event is none, or the server sent an error; 410 where the list has to be read again.</exception>
    internal async Task<PodEvent?> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                ReadResult read = await _lines.ReadAsync(cancellationToken).ConfigureAwait(false);
                ReadOnlySequence<byte> buffer = read.Buffer;
                if (buffer.PositionOf((byte)'\n') is { } end)
                {
                    PodEvent? found = Parse(buffer.Slice(0, end));
                    _lines.AdvanceTo(buffer.GetPosition(1, end));
                    if (found is not null)
                    {
                        return found;
                    }
                }
                else if (buffer.Length > MaxLineBytes)
                {
                    throw new ApiException($"the API server sent an event of more than {MaxLineBytes} bytes");
                }
                else
                {
                    _lines.AdvanceTo(buffer.Start, buffer.End);
                    if (read.IsCompleted)
                    {
                        return null;
                    }
                }
            }
        }
        catch (JsonException failure)
        {
            throw new ApiException($"the API server sent an event that is none: {failure.Message}", cause: failure);
        }
        catch (Exception failure) when (failure is IOException or HttpRequestException)
        {
            throw new ApiException($"the watch of the API server broke off: {failure.Message}", cause: failure);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _lines.CompleteAsync().ConfigureAwait(false);
        await body.DisposeAsync().ConfigureAwait(false);
        response.Dispose();
    }

    /// <summary>An event of a type that is known, or null for another.</summary>
    private static PodEvent? Parse(ReadOnlySequence<byte> line)
    {
        var reader = new Utf8JsonReader(line);
        string? type = JsonSerializer.Deserialize(ref reader, ApiJson.Default.EventType)?.Type;
        reader = new Utf8JsonReader(line);
        switch (type)
        {
            case "ADDED" or "MODIFIED" or "DELETED" or "BOOKMARK":
                return JsonSerializer.Deserialize(ref reader, ApiJson.Default.PodEvent);
            case "ERROR":
                ApiStatus? status = JsonSerializer.Deserialize(ref reader, ApiJson.Default.ErrorEvent)?.Object;
                throw new ApiException($"the API server ended the watch: {status?.Code} {status?.Message}", (HttpStatusCode?)status?.Code);
            default:
                return null;
        }
    }
}
