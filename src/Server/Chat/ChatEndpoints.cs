using Microsoft.Extensions.Options;
using Serving.Server.Completions;
using Serving.Server.Ensembles;
using Serving.Server.Errors;
using Serving.Server.Hosting;
using Serving.Server.Logging;
using Serving.Server.OpenApi;
using Serving.Server.Telemetry;

namespace Serving.Server.Chat;

/// <summary><c>POST /v1/chat/completions</c>.</summary>
internal static class ChatEndpoints
{
    public static void MapChat(this IEndpointRouteBuilder v1) => v1.MapPost("/chat/completions", CompleteAsync)
        .WithName("createChatCompletion").WithTags("Chat").WithMetadata(new GenerativeOperation("chat"))
        .WithSummary("Answers a conversation.")
        .WithDescription("The messages become a prompt by the model's own chat template (chat_template in its tokenizer_config.json, or "
            + "chat_template.jinja; GET /tokenizer_info shows it). A model without one gets the plain template: the system text and an empty "
            + "line, then a line 'User: …' or 'Assistant: …' for each message, then 'Assistant:'; the answer ends before a line that "
            + "begins with 'User:'. With stream: true the answer is a stream of chunks, then [DONE]. Tools, images and audio are refused.")
        .WithExample("""
            {"model": "glyph-en", "messages": [{"role": "user", "content": "Where is the old house?"}], "max_tokens": 32, "temperature": 0.7}
            """, """
            {"id": "chatcmpl-01a1fc7690e87b01a5553463936e6fba", "object": "chat.completion", "created": 1795236991, "model": "glyph-en",
             "system_fingerprint": "fp_cbdd9b2d5a44", "choices": [{"index": 0, "message": {"content": " It stands by the river.",
             "role": "assistant", "refusal": null}, "logprobs": null, "finish_reason": "stop"}],
             "usage": {"prompt_tokens": 14, "completion_tokens": 7, "total_tokens": 21, "prompt_tokens_details": {"cached_tokens": 0}}}
            """)
        .Produces<ChatCompletion>()
        .ProducesEvents<ChatChunk>()
        .ProducesErrors(ErrorResponses.OfGeneration);

    private static async Task CompleteAsync(
        ChatRequest request, HttpContext http, EnsembleEngines engines, Drain drain, IOptions<ServingOptions> options)
    {
        using RentedModel rented = await engines.RentAsync(request.Model, request.Ensemble);
        RequestFacts.Of(http).Model = rented.Model.Id;
        rented.Model.Engine.ThrowIfFull(); // before the prompt is cut into tokens
        CompletionPlan plan = new ChatValidator(rented.Model, options.Value.MaxChoices).Validate(request, Caller.Of(http));
        await new ChatAnswer(http, plan, options.Value, drain.Forced).WriteAsync();
    }
}
