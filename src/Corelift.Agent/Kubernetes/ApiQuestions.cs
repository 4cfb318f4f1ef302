using System.Globalization;
using Corelift.Agent.Access;

namespace Corelift.Agent.Kubernetes;

/// <summary>
/// Questions about callers: few at once, and each answered within a bound, or the call that it is about is refused.
/// </summary>
internal sealed class ApiQuestions : IDisposable
{
    private const int MostAtOnce = 8;

    private readonly SemaphoreSlim _room = new(MostAtOnce);

    /// <summary>Longest time for an answer, waiting for room included.</summary>
    internal static TimeSpan Patience { get; } = TimeSpan.FromSeconds(2);

    /// <summary>Asks.</summary>
    /// <param name="what">What is to be found out, for the message: "whose the token is".</param>
    /// <param name="ask">Asks.</param>
    /// <exception cref="AccessUnavailableException">No answer in time, or none that can be understood.</exception>
    internal async Task<T> AskAsync<T>(string what, Func<CancellationToken, Task<T>> ask)
    {
        using var patience = new CancellationTokenSource(Patience);
        bool hasRoom = false;
        try
        {
            await _room.WaitAsync(patience.Token).ConfigureAwait(false);
            hasRoom = true;
            return await ask(patience.Token).ConfigureAwait(false);
        }
        catch (ApiException failure)
        {
            throw new AccessUnavailableException($"{what} cannot be found out: {failure.Message}", failure);
        }
        catch (OperationCanceledException failure)
        {
            throw new AccessUnavailableException(
                string.Create(CultureInfo.InvariantCulture, $"{what} cannot be found out: the API server does not answer within {Patience.TotalSeconds:F0} s"), failure);
        }
        finally
        {
            if (hasRoom)
            {
                _room.Release();
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _room.Dispose();
}
