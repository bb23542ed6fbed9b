import test from "node:test";
import assert from "node:assert/strict";
import { client, collect, greedy, model, post } from "./target.mjs";

const text = (answer) => answer.choices[0].text;
const sum = (values) => values.reduce((a, b) => a + b, 0);

test("a completion has OpenAI's shape", async () => {
  const answer = await client.completions.create(greedy);
  assert.equal(answer.object, "text_completion");
  assert.ok(Number.isInteger(answer.created));
  assert.match(answer.id, /^cmpl-/);
  assert.equal(answer.choices.length, 1);
  assert.ok(["stop", "length"].includes(answer.choices[0].finish_reason));
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  assert.ok(answer._request_id);
});

test("greedy answers repeat", async () => assert.equal(text(await client.completions.create(greedy)), text(await client.completions.create(greedy))));

test("a seed repeats an answer, another gives another", async () => {
  const ask = (seed) => client.completions.create({ ...greedy, temperature: 1, max_tokens: 24, seed });
  const [a, b, c] = await Promise.all([ask(1), ask(1), ask(2)]);
  assert.equal(text(a), text(b));
  assert.notEqual(text(a), text(c));
});

for (const [name, prompt, prompts] of [
  ["a string", "The", 1], ["strings", ["The", "A man"], 2], ["ids", [70, 71], 1], ["id lists", [[70], [71, 72]], 2], ["nothing", null, 1],
]) {
  test(`a prompt of ${name} gives ${prompts * 2} prompt-major choices with n = 2`, async () => {
    const answer = await client.completions.create({ ...greedy, prompt, n: 2, temperature: 1, max_tokens: 4 });
    assert.deepEqual(answer.choices.map((choice) => choice.index), [...Array(prompts * 2).keys()]);
  });
}

test("echo begins the answer with the prompt", async () => {
  const answer = await client.completions.create({ ...greedy, echo: true });
  assert.equal(text(answer), greedy.prompt + text(await client.completions.create(greedy)));
});

test("echo with max_tokens 0 scores the prompt alone", async () => {
  const answer = await client.completions.create({ ...greedy, echo: true, max_tokens: 0, logprobs: 1 });
  assert.equal(text(answer), greedy.prompt);
  assert.equal(answer.usage.completion_tokens, 0);
  assert.equal(answer.choices[0].logprobs.token_logprobs.length, answer.usage.prompt_tokens);
  assert.equal(answer.choices[0].logprobs.token_logprobs[0], null);
});

test("the four lists of logprobs have one length", async () => {
  const { logprobs } = (await client.completions.create({ ...greedy, logprobs: 3 })).choices[0];
  for (const list of [logprobs.token_logprobs, logprobs.top_logprobs, logprobs.text_offset]) assert.equal(list.length, logprobs.tokens.length);
  for (const [i, top] of logprobs.top_logprobs.entries()) {
    assert.ok(Object.keys(top).length >= 3);
    assert.equal(Math.max(...Object.values(top)), logprobs.token_logprobs[i]);
  }
});

test("text offsets point into the text", async () => {
  const { text, logprobs } = (await client.completions.create({ ...greedy, echo: true, logprobs: 0, max_tokens: 12, stop: [] })).choices[0];
  const characters = [...text];
  for (const [i, token] of logprobs.tokens.entries()) {
    if (token.startsWith("<")) continue; // a control token has no text
    assert.equal(characters.slice(logprobs.text_offset[i], logprobs.text_offset[i] + [...token].length).join(""), token);
  }
});

test("logprobs 0 reports the chosen token alone", async () => {
  const { logprobs } = (await client.completions.create({ ...greedy, logprobs: 0 })).choices[0];
  for (const top of logprobs.top_logprobs) assert.equal(Object.keys(top).length, 1);
});

test("a stop text ends the answer and is not part of it", async () => {
  const free = text(await client.completions.create({ ...greedy, max_tokens: 24 }));
  const stop = free.slice(5, 9);
  const answer = await client.completions.create({ ...greedy, max_tokens: 24, stop });
  assert.equal(text(answer), free.slice(0, free.indexOf(stop)));
  assert.equal(answer.choices[0].finish_reason, "stop");
});

test("more than four stop texts are taken", async () => {
  await client.completions.create({ ...greedy, stop: ["\u0001", "\u0002", "\u0003", "\u0004", "\u0005", "\u0006"] });
});

test("logit_bias forbids and forces tokens", async () => {
  const free = await client.completions.create({ ...greedy, max_tokens: 1, logprobs: 0 });
  const ids = (await post("/tokenize", { model, prompt: text(free) })).body.tokens;
  const without = await client.completions.create({ ...greedy, max_tokens: 1, logit_bias: { [ids[0]]: -100 } });
  assert.notEqual(text(without), text(free));
  const forced = await client.completions.create({ ...greedy, max_tokens: 3, logit_bias: { [ids[0]]: 100 } });
  assert.equal(text(forced), text(free).repeat(3));
});

test("best_of returns the likeliest answer", async () => {
  const ask = (more) => client.completions.create({ ...greedy, temperature: 1.3, seed: 3, logprobs: 0, ...more });
  const mean = (choice) => sum(choice.logprobs.token_logprobs) / choice.logprobs.token_logprobs.length;
  const all = (await ask({ n: 5 })).choices.sort((a, b) => mean(b) - mean(a));
  assert.equal(text(await ask({ best_of: 5 })), all[0].text);
});

for (const [field, value] of Object.entries({ presence_penalty: 1, frequency_penalty: 1.5, top_p: 0.5, user: "me", suffix: null })) {
  test(`${field} is taken`, async () => {
    assert.ok(text(await client.completions.create({ ...greedy, temperature: 0.8, seed: 1, [field]: value })));
  });
}

test("a stream has the same text, shape and end as the whole", async () => {
  const whole = await client.completions.create({ ...greedy, max_tokens: 24 });
  const chunks = await collect(await client.completions.create({ ...greedy, max_tokens: 24, stream: true }));
  assert.equal(chunks.map(text).join(""), text(whole));
  assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
  for (const chunk of chunks) assert.equal(chunk.object, "text_completion");
  assert.equal(chunks.filter((chunk) => chunk.choices[0].finish_reason).length, 1);
  assert.equal(chunks.at(-1).choices[0].finish_reason, whole.choices[0].finish_reason);
});

test("a stream's logprobs are the whole's", async () => {
  const whole = await client.completions.create({ ...greedy, logprobs: 2, echo: true });
  const chunks = await collect(await client.completions.create({ ...greedy, logprobs: 2, echo: true, stream: true }));
  for (const list of ["tokens", "token_logprobs", "top_logprobs", "text_offset"]) {
    assert.deepEqual(chunks.flatMap((chunk) => chunk.choices[0].logprobs?.[list] ?? []), whole.choices[0].logprobs[list]);
  }
});

test("include_usage adds one chunk without choices", async () => {
  const chunks = await collect(await client.completions.create({ ...greedy, stream: true, stream_options: { include_usage: true } }));
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.equal(chunks.at(-1).usage.completion_tokens, 8);
  for (const chunk of chunks.slice(0, -1)) assert.equal(chunk.usage, null);
});

test("without include_usage no chunk has usage", async () => {
  for (const chunk of await collect(await client.completions.create({ ...greedy, stream: true }))) assert.ok(!chunk.usage);
});

test("a stream of n answers ends each once", async () => {
  const chunks = await collect(await client.completions.create({ ...greedy, n: 3, temperature: 1, seed: 5, stream: true }));
  const ends = chunks.flatMap((chunk) => chunk.choices).filter((choice) => choice.finish_reason).map((choice) => choice.index);
  assert.deepEqual(ends.sort(), [0, 1, 2]);
});

test("a stream can be left", async () => {
  const stream = await client.completions.create({ ...greedy, max_tokens: 400, stream: true });
  for await (const chunk of stream) {
    assert.ok(chunk.choices);
    break;
  }
  await client.completions.create(greedy);
});
