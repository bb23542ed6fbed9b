using Serving.Glyphs.Embeddings;
using Serving.Inference.Checkpoints;

namespace Serving.Server.Inspection;

/// <summary>What a model reads: kept after its files are closed.</summary>
/// <param name="Table">A row for each token; computed where there is no table.</param>
/// <param name="Source">Where it comes from.</param>
internal sealed record ModelTable(FrozenTable Table, TableSource Source);
