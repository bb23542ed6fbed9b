using Serving.Server.Models;

namespace Serving.Server.Ensembles;

/// <summary>A model or an ensemble that stays at work while a request uses it. Dispose it once, when the answer is written.</summary>
internal sealed class RentedModel : IDisposable
{
    private readonly UserCount? _users;

    /// <param name="model">Who answers.</param>
    /// <param name="users">Counts this one; null = the model stays anyway.</param>
    public RentedModel(ServedModel model, UserCount? users)
    {
        (Model, _users) = (model, users);
        users?.Enter();
    }

    public ServedModel Model { get; }

    public void Dispose() => _users?.Leave();
}
