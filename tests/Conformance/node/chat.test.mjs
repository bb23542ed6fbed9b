import test from "node:test";
import assert from "node:assert/strict";
import OpenAI from "openai";
import { client, collect, model } from "./target.mjs";

const talk = { model, messages: [{ role: "system", content: "Be brief." }, { role: "user", content: "Who are you?" }], max_tokens: 12, temperature: 0 };

test("a chat has OpenAI's shape", async () => {
  const answer = await client.chat.completions.create(talk);
  assert.equal(answer.object, "chat.completion");
  assert.equal(answer.choices[0].message.role, "assistant");
  assert.equal(typeof answer.choices[0].message.content, "string");
  assert.ok(answer.usage.total_tokens > answer.usage.completion_tokens);
});

test("a streamed chat is the whole", async () => {
  const whole = await client.chat.completions.create(talk);
  const chunks = await collect(await client.chat.completions.create({ ...talk, stream: true, stream_options: { include_usage: true } }));
  assert.equal(chunks[0].choices[0].delta.role, "assistant");
  assert.equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""), whole.choices[0].message.content);
  assert.equal(chunks.at(-1).usage.completion_tokens, whole.usage.completion_tokens);
});

test("the client's own stream collector takes the stream", async () => {
  const whole = await client.chat.completions.create(talk);
  const final = await client.chat.completions.stream(talk).finalChatCompletion();
  assert.equal(final.choices[0].message.content, whole.choices[0].message.content);
  assert.equal(final.choices[0].finish_reason, whole.choices[0].finish_reason);
});

test("logprobs have chat's shape", async () => {
  const { logprobs } = (await client.chat.completions.create({ ...talk, logprobs: true, top_logprobs: 2 })).choices[0];
  for (const entry of logprobs.content) {
    assert.equal(entry.top_logprobs.length, 2);
    assert.equal(entry.top_logprobs[0].logprob, entry.logprob);
    assert.equal(Buffer.from(entry.bytes).toString("utf8"), entry.token);
  }
});

test("n answers have n indices", async () => {
  const answer = await client.chat.completions.create({ ...talk, n: 3, temperature: 1 });
  assert.deepEqual(answer.choices.map((choice) => choice.index), [0, 1, 2]);
});

test("parts of text are joined", async () => {
  const parts = [{ type: "text", text: "Who are " }, { type: "text", text: "you?" }];
  const joined = await client.chat.completions.create({ ...talk, messages: [talk.messages[0], { role: "user", content: parts }] });
  assert.equal(joined.choices[0].message.content, (await client.chat.completions.create(talk)).choices[0].message.content);
});

test("max_completion_tokens limits", async () => {
  const { max_tokens: _, ...rest } = talk;
  assert.ok((await client.chat.completions.create({ ...rest, max_completion_tokens: 3 })).usage.completion_tokens <= 3);
});

for (const [name, more, param] of [
  ["tools", { tools: [{ type: "function", function: { name: "f" } }] }, "tools"],
  ["a JSON format", { response_format: { type: "json_object" } }, "response_format"],
  ["an image", { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "http://x/y" } }] }] }, "messages[0].content"],
]) {
  test(`${name} is refused by name`, async () => {
    const error = await client.chat.completions.create({ ...talk, ...more }).catch((fault) => fault);
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.deepEqual([error.code, error.param], ["unsupported_parameter", param]);
  });
}
