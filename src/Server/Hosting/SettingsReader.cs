using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;

namespace Serving.Server.Hosting;

/// <summary>
/// Binds a section of the configuration to options and tells everything that is wrong with it: keys that do not exist, values of
/// a wrong type, values out of range. The framework's binder would stop at the first, without the range.
/// </summary>
internal static class SettingsReader
{
    /// <returns>One sentence a problem; empty when all is well.</returns>
    public static IReadOnlyList<string> Bind(IConfigurationSection section, object options)
    {
        var problems = new List<string>();
        foreach (IConfigurationSection child in section.GetChildren())
            BindKey(child, options, problems);
        return problems;
    }

    private static void BindKey(IConfigurationSection setting, object options, List<string> problems)
    {
        PropertyInfo[] known = [.. options.GetType().GetProperties().Where(each => each.CanWrite)];
        PropertyInfo? property = Array.Find(known, each => each.Name.Equals(setting.Key, StringComparison.OrdinalIgnoreCase));
        if (property is null)
            problems.Add($"{setting.Path} is not a setting. Settings there: {string.Join(", ", known.Select(each => each.Name))}.");
        else if (property.GetValue(options) is IList list)
            BindItems(setting, list, property.PropertyType.GenericTypeArguments[0], problems);
        else if (IsGroup(property))
            problems.AddRange(Bind(setting, property.GetValue(options)!));
        else if (Parse(setting.Value, property) is { } value)
            property.SetValue(options, value);
        else
            problems.Add($"{setting.Path} must be {Expected(property)}; '{setting.Value}' was given.");
    }

    private static void BindItems(IConfigurationSection setting, IList items, Type type, List<string> problems)
    {
        foreach (IConfigurationSection child in setting.GetChildren())
        {
            object item = Activator.CreateInstance(type)!;
            problems.AddRange(Bind(child, item));
            foreach (PropertyInfo missing in type.GetProperties().Where(property => IsMissing(property, item)))
                problems.Add($"{child.Path}:{missing.Name} is missing: it must be {Expected(missing)}.");
            items.Add(item);
        }
    }

    private static bool IsMissing(PropertyInfo property, object item) =>
        property.IsDefined(typeof(RequiredAttribute)) && property.GetValue(item) is null;

    private static bool IsGroup(PropertyInfo property) => property.PropertyType is { IsClass: true } type && type != typeof(string);

    private static object? Parse(string? text, PropertyInfo property)
    {
        if (property.PropertyType == typeof(string))
            return property.GetCustomAttribute<RegularExpressionAttribute>()?.IsValid(text) is false ? null : text;
        if (property.PropertyType == typeof(bool))
            return bool.TryParse(text, out bool flag) ? flag : null;
        bool isInside = int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number)
            && (property.GetCustomAttribute<RangeAttribute>()?.IsValid(number) ?? true);
        return isInside ? number : null;
    }

    private static string Expected(PropertyInfo property)
    {
        if (property.PropertyType == typeof(string))
            return property.GetCustomAttribute<RegularExpressionAttribute>()?.ErrorMessage ?? "a text";
        if (property.PropertyType == typeof(bool))
            return "true or false";
        return property.GetCustomAttribute<RangeAttribute>() is { } range
            ? $"a whole number from {range.Minimum} to {range.Maximum}"
            : "a whole number";
    }
}
