namespace Serving.Server.Chat.Jinja;

/// <summary>The variables that a part of a template sees: its own, then those around it. Not thread-safe.</summary>
internal sealed class JinjaScope
{
    // A template of a checkpoint is not trusted to end.
    private const int MaxSteps = 1_000_000;

    private readonly Dictionary<string, object?> _variables = new(StringComparer.Ordinal);
    private readonly JinjaScope? _outer;
    private readonly int[] _steps;

    public JinjaScope(IReadOnlyDictionary<string, object?> variables)
    {
        _steps = [0];
        foreach ((string name, object? value) in variables)
            _variables[name] = value;
    }

    /// <summary>The inside of a loop.</summary>
    public JinjaScope(JinjaScope outer) => (_outer, _steps) = (outer, outer._steps);

    /// <summary>A variable; <see cref="Undefined"/> where there is none.</summary>
    public object? this[string name]
    {
        get
        {
            for (JinjaScope? scope = this; scope is not null; scope = scope._outer)
            {
                if (scope._variables.TryGetValue(name, out object? value))
                    return value;
            }
            return Undefined.Value;
        }
        set => _variables[name] = value;
    }

    /// <summary>Counts a step.</summary>
    /// <exception cref="JinjaException">There were too many.</exception>
    public void Step()
    {
        if (++_steps[0] > MaxSteps)
            throw new JinjaException($"The chat template takes more than {MaxSteps} steps.");
    }

    /// <summary>What a name without a variable is worth: empty, false, and nothing can be asked of it.</summary>
    internal sealed class Undefined
    {
        public static Undefined Value { get; } = new();
    }
}
