using System.Text;

namespace Serving.Server.Chat.Jinja;

/// <summary>A statement of a template.</summary>
internal abstract record JinjaNode
{
    public abstract void Render(JinjaScope scope, StringBuilder output);

    protected static void RenderAll(IReadOnlyList<JinjaNode> nodes, JinjaScope scope, StringBuilder output)
    {
        foreach (JinjaNode node in nodes)
            node.Render(scope, output);
    }

    /// <summary>Ends a loop, or one of its turns.</summary>
    internal sealed class LoopExit(bool endsLoop) : Exception
    {
        public bool EndsLoop => endsLoop;
    }

    internal sealed record Text(string Content) : JinjaNode
    {
        public override void Render(JinjaScope scope, StringBuilder output) => output.Append(Content);
    }

    internal sealed record Output(JinjaExpression Value) : JinjaNode
    {
        public override void Render(JinjaScope scope, StringBuilder output) => output.Append(JinjaValue.ToText(Value.Evaluate(scope)));
    }

    internal sealed record If(IReadOnlyList<(JinjaExpression Test, IReadOnlyList<JinjaNode> Body)> Branches, IReadOnlyList<JinjaNode> Else)
        : JinjaNode
    {
        public override void Render(JinjaScope scope, StringBuilder output)
        {
            foreach ((JinjaExpression test, IReadOnlyList<JinjaNode> body) in Branches)
            {
                if (!JinjaValue.IsTrue(test.Evaluate(scope)))
                    continue;
                RenderAll(body, scope, output);
                return;
            }
            RenderAll(Else, scope, output);
        }
    }

    internal sealed record For(
        IReadOnlyList<string> Names, JinjaExpression List, JinjaExpression? Filter, IReadOnlyList<JinjaNode> Body, IReadOnlyList<JinjaNode> Else)
        : JinjaNode
    {
        public override void Render(JinjaScope scope, StringBuilder output)
        {
            List<object?> items = [.. JinjaValue.Items(List.Evaluate(scope)).Where(item => Passes(item, scope))];
            if (items.Count == 0)
                RenderAll(Else, scope, output);
            for (int i = 0; i < items.Count; i++)
            {
                scope.Step();
                JinjaScope inner = Bind(items[i], scope);
                inner["loop"] = Loop(items, i);
                try
                {
                    RenderAll(Body, inner, output);
                }
                catch (LoopExit exit)
                {
                    if (exit.EndsLoop)
                        return;
                }
            }
        }

        private bool Passes(object? item, JinjaScope scope) =>
            Filter is null || JinjaValue.IsTrue(Filter.Evaluate(Bind(item, scope)));

        private JinjaScope Bind(object? item, JinjaScope scope)
        {
            var inner = new JinjaScope(scope);
            List<object?> values = Names.Count == 1 ? [item] : JinjaValue.Items(item);
            if (values.Count != Names.Count)
                throw new JinjaException($"The chat template takes {Names.Count} values out of {values.Count}.");
            for (int i = 0; i < values.Count; i++)
                inner[Names[i]] = values[i];
            return inner;
        }

        private static Dictionary<string, object?> Loop(List<object?> items, int i) => new()
        {
            ["index"] = i + 1L,
            ["index0"] = (long)i,
            ["revindex"] = (long)(items.Count - i),
            ["revindex0"] = (long)(items.Count - i - 1),
            ["first"] = i == 0,
            ["last"] = i == items.Count - 1,
            ["length"] = (long)items.Count,
            ["previtem"] = i > 0 ? items[i - 1] : JinjaScope.Undefined.Value,
            ["nextitem"] = i + 1 < items.Count ? items[i + 1] : JinjaScope.Undefined.Value,
        };
    }

    internal sealed record Set(string Name, string? Field, JinjaExpression Value) : JinjaNode
    {
        public override void Render(JinjaScope scope, StringBuilder output)
        {
            object? value = Value.Evaluate(scope);
            if (Field is null)
                scope[Name] = value;
            else if (scope[Name] is Dictionary<string, object?> space)
                space[Field] = value;
            else
                throw new JinjaException($"The chat template sets '{Name}.{Field}', and '{Name}' is no namespace.");
        }
    }

    internal sealed record Exit(bool EndsLoop) : JinjaNode
    {
        public override void Render(JinjaScope scope, StringBuilder output) => throw new LoopExit(EndsLoop);
    }
}
