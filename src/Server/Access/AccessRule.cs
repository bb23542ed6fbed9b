namespace Serving.Server.Access;

/// <summary>Who may call an endpoint when keys are configured. An endpoint that says nothing needs a key.</summary>
internal enum AccessRule
{
    /// <summary>Anybody: probes, the document, the page.</summary>
    Anybody,

    /// <summary>Keys with the scope admin.</summary>
    Admin,
}

/// <summary>Carries a rule on an endpoint.</summary>
internal sealed record AccessRuleMetadata(AccessRule Rule);

/// <summary>Puts an <see cref="AccessRule"/> on endpoints.</summary>
internal static class AccessRules
{
    /// <summary>Opens endpoints to everybody.</summary>
    public static T AllowAnybody<T>(this T endpoints) where T : IEndpointConventionBuilder => endpoints.WithMetadata(new AccessRuleMetadata(AccessRule.Anybody));

    /// <summary>Leaves endpoints to keys with the scope admin.</summary>
    public static T RequireAdmin<T>(this T endpoints) where T : IEndpointConventionBuilder => endpoints.WithMetadata(new AccessRuleMetadata(AccessRule.Admin));
}
