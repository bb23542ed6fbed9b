namespace Serving.Server.Chat.Jinja;

/// <summary>An expression of a template.</summary>
internal abstract record JinjaExpression
{
    public abstract object? Evaluate(JinjaScope scope);

    internal sealed record Literal(object? Value) : JinjaExpression
    {
        public override object? Evaluate(JinjaScope scope) => Value;
    }

    internal sealed record Variable(string Name) : JinjaExpression
    {
        public override object? Evaluate(JinjaScope scope) => scope[Name];
    }

    internal sealed record ListOf(IReadOnlyList<JinjaExpression> Items) : JinjaExpression
    {
        public override object? Evaluate(JinjaScope scope) => Items.Select(item => item.Evaluate(scope)).ToList();
    }

    internal sealed record DictionaryOf(IReadOnlyList<(JinjaExpression Key, JinjaExpression Value)> Items) : JinjaExpression
    {
        public override object? Evaluate(JinjaScope scope)
        {
            var dictionary = new Dictionary<string, object?>();
            foreach ((JinjaExpression key, JinjaExpression value) in Items)
                dictionary[JinjaValue.ToText(key.Evaluate(scope))] = value.Evaluate(scope);
            return dictionary;
        }
    }

    /// <summary><c>a.b</c> and <c>a[b]</c>.</summary>
    internal sealed record Member(JinjaExpression Owner, JinjaExpression Key) : JinjaExpression
    {
        public override object? Evaluate(JinjaScope scope) => (Owner.Evaluate(scope), Key.Evaluate(scope)) switch
        {
            (Dictionary<string, object?> dictionary, string key) => dictionary.TryGetValue(key, out object? value)
                ? value : JinjaScope.Undefined.Value,
            (List<object?> list, long index) => At(list, index),
            (string text, long index) => At(JinjaValue.Items(text), index),
            (JinjaScope.Undefined or null, var key) => throw new JinjaException($"The chat template asks for '{JinjaValue.ToText(key)}' of nothing."),
            _ => JinjaScope.Undefined.Value,
        };

        private static object? At(List<object?> list, long index)
        {
            long place = index < 0 ? index + list.Count : index;
            return place >= 0 && place < list.Count ? list[(int)place] : JinjaScope.Undefined.Value;
        }
    }

    /// <summary><c>a[from:to:step]</c>.</summary>
    internal sealed record Slice(JinjaExpression Owner, JinjaExpression? From, JinjaExpression? To, JinjaExpression? Step) : JinjaExpression
    {
        public override object? Evaluate(JinjaScope scope)
        {
            object? owner = Owner.Evaluate(scope);
            List<object?> items = JinjaValue.Items(owner);
            long step = Step?.Evaluate(scope) is long given ? given : 1;
            if (step == 0)
                throw new JinjaException("The chat template slices with step 0.");
            (long from, long to) = step > 0
                ? (Place(From, 0, items.Count), Place(To, items.Count, items.Count))
                : (Math.Min(Place(From, items.Count - 1, items.Count), items.Count - 1), To is null ? -1 : Place(To, -1, items.Count));
            List<object?> slice = [];
            for (long i = from; step > 0 ? i < to : i > to; i += step)
                slice.Add(items[(int)i]);
            return owner is string ? string.Concat(slice) : slice;

            long Place(JinjaExpression? bound, long absent, int count)
            {
                if (bound?.Evaluate(scope) is not long index)
                    return absent;
                return Math.Clamp(index < 0 ? index + count : index, 0, count);
            }
        }
    }

    internal sealed record Not(JinjaExpression Value) : JinjaExpression
    {
        public override object? Evaluate(JinjaScope scope) => !JinjaValue.IsTrue(Value.Evaluate(scope));
    }

    internal sealed record Negative(JinjaExpression Value) : JinjaExpression
    {
        public override object? Evaluate(JinjaScope scope) => Value.Evaluate(scope) switch
        {
            long number => (object)-number,
            var other => -JinjaValue.Number(other),
        };
    }

    internal sealed record Conditional(JinjaExpression Then, JinjaExpression Test, JinjaExpression? Else) : JinjaExpression
    {
        public override object? Evaluate(JinjaScope scope) => JinjaValue.IsTrue(Test.Evaluate(scope))
            ? Then.Evaluate(scope)
            : Else is null ? JinjaScope.Undefined.Value : Else.Evaluate(scope);
    }

    internal sealed record Binary(string Operation, JinjaExpression Left, JinjaExpression Right) : JinjaExpression
    {
        public override object? Evaluate(JinjaScope scope)
        {
            object? left = Left.Evaluate(scope);
            return Operation switch
            {
                "and" => JinjaValue.IsTrue(left) ? Right.Evaluate(scope) : left,
                "or" => JinjaValue.IsTrue(left) ? left : Right.Evaluate(scope),
                _ => Apply(left, Right.Evaluate(scope)),
            };
        }

        private object? Apply(object? left, object? right) => Operation switch
        {
            "==" => JinjaValue.AreEqual(left, right),
            "!=" => !JinjaValue.AreEqual(left, right),
            "<" => JinjaValue.Compare(left, right) < 0,
            "<=" => JinjaValue.Compare(left, right) <= 0,
            ">" => JinjaValue.Compare(left, right) > 0,
            ">=" => JinjaValue.Compare(left, right) >= 0,
            "in" => JinjaValue.Contains(right, left),
            "not in" => !JinjaValue.Contains(right, left),
            "~" => JinjaValue.ToText(left) + JinjaValue.ToText(right),
            "+" when left is string a && right is string b => a + b,
            "+" when left is List<object?> a && right is List<object?> b => (List<object?>)[.. a, .. b],
            "/" => JinjaValue.Number(left) / JinjaValue.Number(right),
            _ when left is long a && right is long b => Integers(a, b),
            _ => Numbers(JinjaValue.Number(left), JinjaValue.Number(right)),
        };

        // As in Python, the remainder has the sign of the divisor.
        private long Integers(long a, long b) => Operation switch
        {
            "+" => a + b,
            "-" => a - b,
            "*" => a * b,
            _ when b == 0 => throw new JinjaException("The chat template divides by 0."),
            "//" => (long)Math.Floor((double)a / b),
            _ => ((a % b) + b) % b,
        };

        private double Numbers(double a, double b) => Operation switch
        {
            "+" => a + b,
            "-" => a - b,
            "*" => a * b,
            "//" => Math.Floor(a / b),
            _ => a - (b * Math.Floor(a / b)),
        };
    }

    /// <summary><c>value is test</c>.</summary>
    internal sealed record Is(JinjaExpression Value, string Name, JinjaExpression? Argument) : JinjaExpression
    {
        public override object? Evaluate(JinjaScope scope)
        {
            object? value = Value.Evaluate(scope);
            return Name switch
            {
                "defined" => value is not JinjaScope.Undefined,
                "undefined" => value is JinjaScope.Undefined,
                "none" => value is null,
                "string" => value is string,
                "mapping" => value is Dictionary<string, object?>,
                "sequence" or "iterable" => value is string or List<object?> or Dictionary<string, object?>,
                "number" => value is long or double,
                "integer" => value is long,
                "boolean" => value is bool,
                "true" => value is true,
                "false" => value is false,
                "even" => JinjaValue.Number(value) % 2 == 0,
                "odd" => JinjaValue.Number(value) % 2 != 0,
                "equalto" or "eq" => JinjaValue.AreEqual(value, Argument?.Evaluate(scope)),
                "in" => JinjaValue.Contains(Argument?.Evaluate(scope), value),
                _ => throw new JinjaException($"The chat template tests 'is {Name}', which is not supported."),
            };
        }
    }

    /// <summary><c>value | filter(…)</c>, <c>value.method(…)</c> and <c>function(…)</c>.</summary>
    /// <param name="Kind">Which of the three.</param>
    /// <param name="Name">The name.</param>
    /// <param name="Value">What it is applied to; null for a function.</param>
    /// <param name="Arguments">By place.</param>
    /// <param name="Named">By name.</param>
    internal sealed record Call(
        CallKind Kind, string Name, JinjaExpression? Value, IReadOnlyList<JinjaExpression> Arguments,
        IReadOnlyDictionary<string, JinjaExpression> Named) : JinjaExpression
    {
        public override object? Evaluate(JinjaScope scope)
        {
            scope.Step();
            var arguments = new JinjaArguments(
                Kind, Name, [.. Arguments.Select(argument => argument.Evaluate(scope))],
                Named.ToDictionary(pair => pair.Key, pair => pair.Value.Evaluate(scope)));
            return Kind switch
            {
                CallKind.Filter => JinjaFilters.Apply(Value!.Evaluate(scope), arguments),
                CallKind.Method => JinjaMethods.Apply(Value!.Evaluate(scope), arguments),
                _ => JinjaFunctions.Apply(arguments),
            };
        }
    }

    internal enum CallKind
    {
        Filter,
        Method,
        Function,
    }
}

/// <summary>What a call was given.</summary>
internal sealed record JinjaArguments(
    JinjaExpression.CallKind Kind, string Name, IReadOnlyList<object?> Placed, IReadOnlyDictionary<string, object?> Named)
{
    /// <summary>An argument by its place, else by its name; null where there is none.</summary>
    public object? Get(int place, string name) => place < Placed.Count ? Placed[place] : Named.GetValueOrDefault(name);

    public string Text(int place, string name, string absent = "") => Get(place, name) is { } value ? JinjaValue.ToText(value) : absent;

    public JinjaException NotSupported() => new($"The chat template uses the {Kind.ToString().ToLowerInvariant()} '{Name}', which is not supported here.");
}
