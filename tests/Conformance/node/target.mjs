// Where the tests go: any server that speaks OpenAI's protocol.
import OpenAI from "openai";

const root = (process.env.CONFORMANCE_BASE_URL ?? "http://127.0.0.1:8080").replace(/\/+$/, "");

export const baseURL = `${root}/v1`;
export const model = process.env.CONFORMANCE_MODEL ?? "glyph-en";
export const apiKey = process.env.CONFORMANCE_API_KEY || "none";
export const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
export const greedy = { model, prompt: "The old house", max_tokens: 8, temperature: 0 };

export async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

export async function post(path, body) {
  const response = await fetch(root + path, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${apiKey}` },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}
