import test from "node:test";
import assert from "node:assert/strict";
import { createServing, ServingError } from "../dist/index.js";

const serving = createServing(process.env.CONFORMANCE_BASE_URL ?? "http://127.0.0.1:8080", process.env.CONFORMANCE_API_KEY || undefined);
const greedy = { model: process.env.CONFORMANCE_MODEL ?? "glyph-en", prompt: "The old house", max_tokens: 12, temperature: 0 };

test("a completion, whole and streamed, is one text", async () => {
  const { data } = await serving.POST("/v1/completions", { body: greedy });
  let text = "";
  for await (const chunk of serving.streamCompletion(greedy)) text += chunk.choices[0]?.text ?? "";
  assert.equal(text, data.choices[0].text);
});

test("a chat streams", async () => {
  const { model } = greedy;
  let pieces = 0;
  for await (const chunk of serving.streamChat({ model, messages: [{ role: "user", content: "Hi" }], max_tokens: 4 })) pieces += chunk.choices.length;
  assert.ok(pieces > 1);
});

test("errors are typed", async () => {
  const { error, response } = await serving.POST("/v1/completions", { body: { ...greedy, temperature: 9 } });
  assert.equal(response.status, 400);
  assert.equal(error.error.param, "temperature");
  await assert.rejects(serving.streamCompletion({ ...greedy, top_p: 0 })[Symbol.asyncIterator]().next(), (fault) => {
    assert.ok(fault instanceof ServingError);
    return fault.status === 400 && fault.param === "top_p" && fault.code === "invalid_value";
  });
});

test("every route is there by its path", async () => {
  const { data: models } = await serving.GET("/v1/models");
  assert.ok(models.data.some((model) => model.id === greedy.model));
  const { data: tokens } = await serving.POST("/tokenize", { body: { model: greedy.model, prompt: "house" } });
  assert.equal(tokens.count, tokens.tokens.length);
});
