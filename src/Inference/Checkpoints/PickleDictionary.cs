namespace Serving.Inference.Checkpoints;

/// <summary>A dictionary of a pickle, its keys in the order of the file.</summary>
/// <param name="isOrderedDict">Whether it is a <c>collections.OrderedDict</c>, which alone may have attributes.</param>
internal sealed class PickleDictionary(bool isOrderedDict)
{
    private readonly OrderedDictionary<string, object?> _items = new(StringComparer.Ordinal);

    public bool IsOrderedDict { get; } = isOrderedDict;

    public IReadOnlyCollection<KeyValuePair<string, object?>> Items => _items;

    /// <summary>Adds an item; false if the key is there.</summary>
    public bool TryAdd(string key, object? value) => _items.TryAdd(key, value);
}
