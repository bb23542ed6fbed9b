import test from "node:test";
import assert from "node:assert/strict";
import http from "node:http";
import OpenAI from "openai";
import { apiKey, baseURL, client, collect, greedy, model } from "./target.mjs";

const fails = async (request, type, fields) => {
  const error = await client.completions.create({ ...greedy, ...request }).then(() => assert.fail("no error"), (fault) => fault);
  assert.ok(error instanceof type, String(error));
  for (const [name, value] of Object.entries(fields)) assert.equal(error[name], value);
  assert.ok(error.requestID);
  assert.equal(error.type, "invalid_request_error");
};

for (const [name, request, type, fields] of [
  ["an unknown model", { model: "nobody" }, OpenAI.NotFoundError, { code: "model_not_found", param: "model" }],
  ["a temperature too high", { temperature: 3 }, OpenAI.BadRequestError, { code: "invalid_value", param: "temperature" }],
  ["a wrong type", { max_tokens: "many" }, OpenAI.BadRequestError, { code: "invalid_value", param: "max_tokens" }],
  ["a field that is not supported", { suffix: "x" }, OpenAI.BadRequestError, { code: "unsupported_parameter", param: "suffix" }],
  ["a prompt too long", { prompt: "a ".repeat(5000) }, OpenAI.BadRequestError, { code: "context_length_exceeded", param: "prompt" }],
  ["too many logprobs", { logprobs: 21 }, OpenAI.BadRequestError, { code: "invalid_value", param: "logprobs" }],
  ["stream_options without a stream", { stream_options: { include_usage: true } }, OpenAI.BadRequestError, { param: "stream_options" }],
  ["best_of below n", { n: 3, best_of: 2 }, OpenAI.BadRequestError, { param: "best_of" }],
  ["a token id that is none", { prompt: [[1], [99999999]] }, OpenAI.BadRequestError, { param: "prompt[1][0]" }],
]) {
  test(`${name} is a typed error`, () => fails(request, type, fields));
}

test("an error before a stream is a typed error, too", () => fails({ stream: true, top_p: 0 }, OpenAI.BadRequestError, { param: "top_p" }));

test("a route that does not exist is NotFoundError", async () => {
  await assert.rejects(client.get("/nothing"), OpenAI.NotFoundError);
});

// A server in front of the real one that fails as the list says, then passes on.
async function withFaults(faults, use) {
  const attempts = [];
  const proxy = http.createServer((request, response) => {
    attempts.push(Date.now());
    const fault = faults.shift();
    if (fault === "reset") return request.socket.destroy();
    if (fault) {
      response.writeHead(fault.status, { "content-type": "application/json", ...fault.headers });
      return response.end(JSON.stringify({ error: { message: "later", type: "server_error", param: null, code: "queue_full" } }));
    }
    const target = new URL(baseURL);
    request.pipe(http.request({ host: target.hostname, port: target.port, path: request.url, method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    }));
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  try {
    await use(new OpenAI({ baseURL: `http://127.0.0.1:${proxy.address().port}/v1`, apiKey, maxRetries: 2 }), attempts);
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
}

for (const [name, fault] of [
  ["429 with Retry-After", { status: 429, headers: { "retry-after": "1" } }],
  ["503 with Retry-After", { status: 503, headers: { "retry-after": "1" } }],
  ["a broken connection", "reset"],
]) {
  test(`the client recovers from ${name}`, () => withFaults([fault], async (retrying, attempts) => {
    assert.ok((await retrying.completions.create(greedy)).choices[0].text);
    assert.equal(attempts.length, 2);
    if (fault.headers) assert.ok(attempts[1] - attempts[0] >= 900);
  }));
}

test("the client does not repeat what is told to be permanent", () => withFaults([], async (retrying, attempts) => {
  await assert.rejects(retrying.completions.create({ ...greedy, model: "nobody" }), OpenAI.NotFoundError);
  assert.equal(attempts.length, 1);
}));

test("a stream through a proxy of single bytes is the same text, whatever the text looks like", async () => {
  const slow = http.createServer((request, response) => {
    const target = new URL(baseURL);
    request.pipe(http.request({ host: target.hostname, port: target.port, path: request.url, method: request.method, headers: request.headers }, async (answer) => {
      response.writeHead(answer.statusCode, { "content-type": answer.headers["content-type"] });
      for await (const bytes of answer) for (const byte of bytes) response.write(Buffer.of(byte));
      response.end();
    }));
  });
  await new Promise((resolve) => slow.listen(0, "127.0.0.1", resolve));
  try {
    const through = new OpenAI({ baseURL: `http://127.0.0.1:${slow.address().port}/v1`, apiKey });
    for (const prompt of ["The old house", "a\r\nb\rc\n\nd", "data: [DONE]", "[DONE]\n\ndata: {}\n\n", "event: x\nid: 7\n: y", "a\u2028b\u2029c\u0085", '{"error":{}}', "\ufeff😀 e\u0301"]) {
      const request = { ...greedy, prompt, echo: true, max_tokens: 8 };
      const whole = (await client.completions.create(request)).choices[0].text;
      const chunks = await collect(await through.completions.create({ ...request, stream: true }));
      assert.equal(chunks.map((chunk) => chunk.choices[0].text).join(""), whole);
      assert.ok(whole.startsWith(prompt));
    }
  } finally {
    slow.closeAllConnections();
    slow.close();
  }
});

test("the models can be listed and looked up", async () => {
  const models = await collect(client.models.list());
  assert.ok(models.some((entry) => entry.id === model));
  for (const entry of models) assert.deepEqual([entry.object, typeof entry.created, typeof entry.owned_by], ["model", "number", "string"]);
  assert.equal((await client.models.retrieve(model)).id, model);
  await assert.rejects(client.models.retrieve("nobody"), OpenAI.NotFoundError);
});
