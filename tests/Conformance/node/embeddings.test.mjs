import test from "node:test";
import assert from "node:assert/strict";
import OpenAI from "openai";
import { client, model } from "./target.mjs";

test("embeddings come as base64 by default and decode to the floats", async () => {
  const input = ["an old house", "a river"];
  const decoded = await client.embeddings.create({ model, input });
  const floats = await client.embeddings.create({ model, input, encoding_format: "float" });
  assert.equal(decoded.data.length, 2);
  for (const [i, entry] of decoded.data.entries()) {
    assert.equal(entry.index, i);
    assert.ok(entry.embedding.length > 1);
    assert.deepEqual([...entry.embedding].map(Math.fround), floats.data[i].embedding.map(Math.fround));
  }
  assert.equal(decoded.usage.total_tokens, decoded.usage.prompt_tokens);
});

test("one text gives one vector, equal texts equal vectors", async () => {
  const one = await client.embeddings.create({ model, input: "house", encoding_format: "float" });
  const two = await client.embeddings.create({ model, input: ["house", "house"], encoding_format: "float" });
  assert.deepEqual(one.data[0].embedding, two.data[1].embedding);
});

test("token ids are taken", async () => {
  assert.equal((await client.embeddings.create({ model, input: [[70, 71], [72]] })).data.length, 2);
});

test("an empty input is refused", async () => {
  await assert.rejects(client.embeddings.create({ model, input: [] }), OpenAI.BadRequestError);
});
