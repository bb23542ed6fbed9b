import test from "node:test";
import assert from "node:assert/strict";
import { createServing, ServingError } from "serving-client";

const serving = createServing(process.env["CONFORMANCE_BASE_URL"] ?? "http://127.0.0.1:8080", process.env["CONFORMANCE_API_KEY"] || undefined);
const model = process.env["CONFORMANCE_MODEL"] ?? "glyph-en";
const greedy = { model, prompt: "The old house", max_tokens: 12, temperature: 0 };

/** The result of a call, which must be one. */
async function ok<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call;
  assert.ok(response.ok, JSON.stringify(error));
  return data as T;
}

test("a completion, whole and streamed, is one text", async () => {
  const whole = await ok(serving.POST("/v1/completions", { body: greedy }));
  let text = "";
  for await (const chunk of serving.streamCompletion(greedy)) text += chunk.choices[0]?.text ?? "";
  assert.equal(text, whole.choices[0]?.text);
});

test("a chat streams", async () => {
  let pieces = 0;
  for await (const chunk of serving.streamChat({ model, messages: [{ role: "user", content: "Hi" }], max_tokens: 4 })) pieces += chunk.choices.length;
  assert.ok(pieces > 1);
});

test("errors are typed", async () => {
  const { error, response } = await serving.POST("/v1/completions", { body: { ...greedy, temperature: 9 } });
  assert.equal(response.status, 400);
  assert.equal(error?.error.param, "temperature");
  await assert.rejects(serving.streamCompletion({ ...greedy, top_p: 0 })[Symbol.asyncIterator]().next(), (fault) => {
    assert.ok(fault instanceof ServingError);
    return fault.status === 400 && fault.param === "top_p" && fault.code === "invalid_value";
  });
});

test("every route is there by its path", async () => {
  const models = await ok(serving.GET("/v1/models"));
  assert.ok(models.data.some((entry) => entry.id === model));
  const tokens = await ok(serving.POST("/tokenize", { body: { model, prompt: "house" } }));
  assert.equal(tokens.count, tokens.tokens.length);
});

test("one model compared with itself never parts", async () => {
  const { prompt, max_tokens, temperature } = greedy;
  const written = await ok(serving.POST("/v1/compare", { body: { models: [model, model], prompt, max_tokens, temperature } }));
  assert.ok("first_divergence" in written);
  assert.equal(written.first_divergence, null);
  const alone = await ok(serving.POST("/v1/completions", { body: greedy }));
  assert.deepEqual(written.models.map((entry) => entry.text), [alone.choices[0]?.text, alone.choices[0]?.text]);
});

test("a text is scored", async () => {
  const scored = await ok(serving.POST("/v1/compare", { body: { models: [model, `${model}+${model}`], text: "It was a dark night", leave_one_out: true } }));
  assert.ok("pairs" in scored);
  const [one, sum] = scored.models;
  assert.ok(one && sum);
  assert.equal(one.token_logprobs[0], null);
  assert.ok(Math.abs(one.log_probability - sum.log_probability) < 1e-4);
  assert.deepEqual(sum.leave_one_out?.map((entry) => entry.without), [model, model]);
  assert.equal(scored.pairs[0]?.same_argmax, 1);
});

test("an ensemble is made, answers, and is removed", async () => {
  const params = { path: { name: `typescript-${process.pid}` } };
  const made = await ok(serving.PUT("/v1/ensembles/{name}", { params, body: { experts: [{ model, weight: 3 }, { model }], combine: "probs" } }));
  try {
    assert.deepEqual(made.experts.map((expert) => expert.weight), [3, 1]);
    const listed = await ok(serving.GET("/v1/ensembles"));
    assert.ok(listed.data.some((ensemble) => ensemble.name === params.path.name));
    const answer = await ok(serving.POST("/v1/completions", { body: { ...greedy, model: params.path.name, expert_logprobs: true } }));
    assert.equal(answer.ensemble?.combine, "probs");
    assert.equal(answer.choices[0]?.expert_logprobs?.token_logprobs.length, answer.usage?.completion_tokens);
  } finally {
    await ok(serving.DELETE("/v1/ensembles/{name}", { params }));
  }
});

test("a table and its tokens can be read", async () => {
  const path = { id: model };
  const table = await ok(serving.GET("/v1/models/{id}/embeddings", { params: { path } }));
  const found = await ok(serving.GET("/v1/models/{id}/embeddings/lookup", { params: { path, query: { text: "house", neighbors: 2 } } }));
  const [token] = found.data;
  assert.equal(token?.neighbors?.length, 2);
  assert.equal(token?.glyph?.rows.length, token?.glyph?.height);
  const described = await ok(serving.GET("/v1/models/{id}/embeddings/{token}", { params: { path: { ...path, token: token!.id }, query: { vector: true } } }));
  assert.equal(described.vector?.length, table.dimensions);
  const similar = await ok(serving.POST("/v1/models/{id}/embeddings/similarity", { params: { path }, body: { texts: ["house", "house"] } }));
  assert.ok(Math.abs(similar.matrix[0]![1]! - 1) < 1e-6);
  const map = await ok(serving.GET("/v1/models/{id}/embeddings/map", { params: { path, query: { text: "an old house" } } }));
  assert.ok(map.points.length >= 2);
  const picture = await ok(serving.GET("/v1/models/{id}/embeddings/{token}/glyph.png", { params: { path: { ...path, token: token!.id } }, parseAs: "arrayBuffer" }));
  assert.deepEqual([...new Uint8Array(picture as unknown as ArrayBuffer).slice(1, 4)], [...Buffer.from("PNG")]);
});
