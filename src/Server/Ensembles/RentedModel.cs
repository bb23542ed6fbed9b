using Serving.Server.Models;

namespace Serving.Server.Ensembles;

/// <summary>A version of a model or an ensemble that stays at work while a request uses it, whatever is loaded meanwhile. Dispose it
/// once, when the answer is written.</summary>
/// <param name="model">Who answers; the request was counted among its users.</param>
internal sealed class RentedModel(ServedModel model) : IDisposable
{
    public ServedModel Model => model;

    public void Dispose() => model.Users.Leave();
}
