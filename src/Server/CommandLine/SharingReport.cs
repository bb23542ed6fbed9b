using System.Collections.Concurrent;
using System.Text.Json.Serialization;
using Serving.Inference.Checkpoints;

namespace Serving.Server.CommandLine;

/// <summary>Which weights models have in common, by content and whatever they are called: a server holds these once.</summary>
/// <param name="Bytes">Of all models, each by itself: weights as stored, tables as float32.</param>
/// <param name="DistinctBytes">Of all different weights.</param>
/// <param name="Models">The models.</param>
/// <param name="Shared">What is in more than one, the largest first.</param>
internal sealed record SharingReport(
    long Bytes, long DistinctBytes, IReadOnlyList<SharingReport.ModelFacts> Models, IReadOnlyList<SharingReport.Group> Shared)
{
    /// <param name="Id">Its folder's name.</param>
    /// <param name="Bytes">Of its weights and table.</param>
    /// <param name="SharedBytes">Of those that another of the models has, too.</param>
    internal sealed record ModelFacts(string Id, long Bytes, long SharedBytes);

    /// <param name="Bytes">Of the weights that these models have in common, and no other.</param>
    /// <param name="Tensors">Their names in the first of the models.</param>
    /// <param name="Models">Who has them.</param>
    internal sealed record Group(long Bytes, IReadOnlyList<string> Tensors, IReadOnlyList<string> Models)
    {
        /// <summary>The blocks that they belong to; -1 = none.</summary>
        [JsonIgnore]
        public IEnumerable<int> Blocks => Tensors.Select(TensorBlock.Of).Distinct().Order();
    }

    private readonly record struct Piece(string Model, string Name, long Bytes, string Content);

    /// <summary>Reads and compares models.</summary>
    /// <exception cref="CheckpointException">One cannot be read.</exception>
    public static SharingReport Of(IReadOnlyList<string> folders, IProgress<(long Done, long Total)> progress)
    {
        LoadedModel[] models = [.. folders.Select(ModelFolders.Load)];
        try
        {
            Piece[] pieces = Read(models, progress);
            Dictionary<string, string[]> owners = pieces.GroupBy(piece => piece.Content).ToDictionary(
                same => same.Key, same => same.Select(piece => piece.Model).Distinct().ToArray());
            IEnumerable<Piece> shared = pieces.DistinctBy(piece => piece.Content).Where(piece => owners[piece.Content].Length > 1);
            return new SharingReport(
                pieces.Sum(piece => piece.Bytes),
                pieces.DistinctBy(piece => piece.Content).Sum(piece => piece.Bytes),
                [.. models.Select(model => FactsOf(model.Id, pieces, owners))],
                [.. from piece in shared
                    group piece by string.Join('\n', owners[piece.Content]) into same
                    let bytes = same.Sum(piece => piece.Bytes)
                    orderby bytes descending
                    select new Group(bytes, [.. same.Select(piece => piece.Name)], owners[same.First().Content])]);
        }
        finally
        {
            foreach (LoadedModel model in models)
                model.Dispose();
        }
    }

    private static ModelFacts FactsOf(string id, Piece[] pieces, Dictionary<string, string[]> owners)
    {
        Piece[] own = [.. pieces.Where(piece => piece.Model == id)];
        return new ModelFacts(id, own.Sum(piece => piece.Bytes), own.Where(piece => owners[piece.Content].Length > 1).Sum(piece => piece.Bytes));
    }

    // A model that has one content twice is held once, too.
    private static Piece[] Read(LoadedModel[] models, IProgress<(long Done, long Total)> progress)
    {
        (LoadedModel Model, Tensor Tensor)[] tensors =
            [.. models.SelectMany(model => model.Experts.SelectMany(expert => expert.Tensors()).Distinct().Select(tensor => (model, tensor)))];
        long total = tensors.Sum(item => item.Tensor.Bytes), done = 0;
        var pieces = new ConcurrentBag<(int Order, Piece Piece)>();
        Parallel.For(0, tensors.Length, i =>
        {
            (LoadedModel model, Tensor tensor) = tensors[i];
            pieces.Add((i, new Piece(model.Id, tensor.Name, tensor.Bytes, TensorContent.FingerprintOf(tensor))));
            progress.Report((Interlocked.Add(ref done, tensor.Bytes), total));
        });
        IEnumerable<Piece> tables =
            from model in models
            from expert in model.Experts
            where expert.TableSource != TableSource.TokenBits
            select new Piece(model.Id, "table", expert.Table.Bytes, expert.Table.Fingerprint);
        return [.. tables.Concat(pieces.OrderBy(item => item.Order).Select(item => item.Piece)).DistinctBy(piece => (piece.Model, piece.Content))];
    }
}
