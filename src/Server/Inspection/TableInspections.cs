using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Serving.Glyphs.Embeddings;
using Serving.Server.Errors;
using Serving.Server.Models;

namespace Serving.Server.Inspection;

/// <summary>The inspections of all tables; one goes when the last model on its table does. Thread-safe.</summary>
internal sealed class TableInspections(ModelCatalog catalog)
{
    private readonly ConditionalWeakTable<FrozenTable, ConcurrentDictionary<(string Tokenizer, bool IsStored), TableInspection>> _byTable = [];

    /// <summary>The model that an id names, and what it reads.</summary>
    /// <exception cref="ApiException">400: an ensemble; 404: no such model; 503: it is not loaded.</exception>
    public (ServedModel Model, TableInspection Table) Find(string id)
    {
        if (catalog.FindEnsemble(id) is { } ensemble) throw new ApiException(ErrorTable.NotAModel(ensemble));
        ServedModel model = catalog.Find(id).Require();
        FrozenTable table = model.Table ?? throw new ApiException(ErrorTable.NothingToInspect(id));
        return (model, _byTable.GetOrCreateValue(table)
            .GetOrAdd((model.Tokenizer.Fingerprint, IsStored(model)), _ => new TableInspection(table, model.Tokenizer, model.TableOrigin)));
    }

    /// <summary>The other models that stand on the same table, in memory once.</summary>
    public IEnumerable<string> SharersOf(ServedModel model) =>
        from entry in catalog.Entries
        where entry.Id != model.Id && entry.Model is { } other && other.Table == model.Table && IsStored(other) == IsStored(model)
        select entry.Id;

    /// <summary>Digits of ids that a model computes may equal the codes that another has stored; they are no table for all that.</summary>
    private static bool IsStored(ServedModel model) => model.Facts.EmbeddingFingerprint is not null;
}
