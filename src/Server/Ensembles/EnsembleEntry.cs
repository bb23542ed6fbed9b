using Serving.Server.Errors;
using Serving.Server.Models;

namespace Serving.Server.Ensembles;

/// <summary>An ensemble and the models it is made of, loaded or not. Thread-safe.</summary>
/// <param name="ensemble">Its members' names.</param>
/// <param name="members">The models of these names, null where there is none; as many as experts.</param>
/// <param name="param">The field that names it in a request.</param>
internal sealed class EnsembleEntry(Ensemble ensemble, IReadOnlyList<ModelEntry?> members, string param = "model")
{
    public string Id => ensemble.Id;

    public Ensemble Definition => ensemble;

    /// <summary>The members that exist, each once.</summary>
    public IEnumerable<ModelEntry> Members => members.OfType<ModelEntry>().Distinct();

    public ModelState State => Obstacle() switch
    {
        null => ModelState.Ready,
        { Error.Code: ErrorCode.ModelLoading } => ModelState.Loading,
        _ => ModelState.Failed,
    };

    /// <summary>Why it cannot answer now; null when it can. A member is never left out.</summary>
    public ApiFailure? Obstacle() => FirstObstacle()?.About(param);

    /// <summary>Its members in the order of its experts.</summary>
    /// <exception cref="ApiException">It cannot answer now.</exception>
    public IReadOnlyList<ServedModel> Require() => Obstacle() is { } failure
        ? throw new ApiException(failure)
        : [.. members.Select(member => member!.Require())];

    /// <summary>The same for who only looks: null if it cannot answer now.</summary>
    public IReadOnlyList<ServedModel>? MembersIfReady()
    {
        ServedModel[] models = [.. members.Select(member => member?.Model).OfType<ServedModel>()];
        return models.Length == members.Count && Obstacle() is null ? models : null;
    }

    private ApiFailure? FirstObstacle()
    {
        for (int i = 0; i < members.Count; i++)
        {
            if (members[i] is null)
                return ErrorTable.MemberMissing(Id, ensemble.Experts[i].Model);
        }
        // What will not pass comes before what will.
        ApiFailure[] obstacles = [.. Members.Select(member => member.Obstacle()).OfType<ApiFailure>()];
        if (obstacles.Length > 0)
            return obstacles.FirstOrDefault(obstacle => obstacle.Error.Code != ErrorCode.ModelLoading) ?? obstacles[0];
        // A member that leaves meanwhile is found by whoever asks for it.
        ServedModel[] models = [.. Members.Select(member => member.Model).OfType<ServedModel>()];
        return models.FirstOrDefault(other => !AreOfOneVocabulary(models[0], other)) is { } stranger
            ? ErrorTable.IncompatibleExperts(models[0], stranger)
            : null;
    }

    private static bool AreOfOneVocabulary(ServedModel one, ServedModel other) =>
        one.VocabularySize == other.VocabularySize && one.Tokenizer.Fingerprint == other.Tokenizer.Fingerprint;
}
