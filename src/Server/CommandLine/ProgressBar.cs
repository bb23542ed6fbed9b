namespace Serving.Server.CommandLine;

/// <summary>A line on standard error that shows how much is done: on a terminal only, and gone at the end.</summary>
/// <param name="what">What is being done.</param>
internal sealed class ProgressBar(string what) : IProgress<(long Done, long Total)>, IDisposable
{
    private const int Cells = 30;
    private readonly Lock _lock = new();
    private int _shown = -1;

    public void Report((long Done, long Total) value)
    {
        int percent = value.Total == 0 ? 100 : (int)(100 * value.Done / value.Total);
        lock (_lock)
        {
            if (Console.IsErrorRedirected || percent <= _shown)
                return;
            _shown = percent;
            int filled = Cells * percent / 100;
            Console.Error.Write($"\r{what} [{new string('#', filled)}{new string('.', Cells - filled)}] {percent,3} %");
        }
    }

    public void Dispose()
    {
        if (_shown >= 0)
            Console.Error.Write($"\r{new string(' ', what.Length + Cells + 9)}\r");
    }
}
