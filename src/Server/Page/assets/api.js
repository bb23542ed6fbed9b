// The server's HTTP API. Every failure is an Error whose message can be shown as it is.

export class ApiError extends Error {
  constructor(message, status, code) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Set by the page: told whether the server could be reached, and that it wants a key. */
export const reach = { changed: () => {}, refused: () => {} };

let key = sessionStorage.getItem("key") ?? "";

/** The key that goes with every request, for servers that want one; kept until the tab is closed. "" forgets it. */
export function useKey(value) {
  key = value.trim();
  if (key) sessionStorage.setItem("key", key);
  else sessionStorage.removeItem("key");
}

export const hasKey = () => key !== "";

async function send(path, options = {}) {
  let response;
  try {
    response = await fetch(path, key ? { ...options, headers: { ...options.headers, authorization: `Bearer ${key}` } } : options);
  } catch (fault) {
    if (fault.name === "AbortError") throw fault;
    reach.changed(false);
    throw new ApiError("The server cannot be reached. The page goes on when it is back.", 0, null);
  }
  reach.changed(true);
  if (response.ok) return response;
  if (response.status === 401) reach.refused();
  const problem = await response.json().catch(() => null);
  throw new ApiError(problem?.error?.message ?? problem?.detail ?? `The server answered ${response.status}.`, response.status, problem?.error?.code);
}

export const get = async (path, signal) => (await send(path, { signal })).json();

export const getText = async (path, signal) => (await send(path, { signal })).text();

const withBody = (method, body, signal) =>
  ({ method, headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal });

export const post = async (path, body, signal) => (await send(path, withBody("POST", body, signal))).json();

export const put = async (path, body, signal) => (await send(path, withBody("PUT", body, signal))).json();

/** Streams a completion: yields its chunks as they come. Aborting the signal frees the server's slot. */
export async function* complete(body, signal) {
  const response = await send("/v1/completions", withBody("POST", { ...body, stream: true }, signal));
  let done = false;
  for await (const data of events(response.body)) {
    if (data === "[DONE]") { done = true; continue; }
    const chunk = JSON.parse(data);
    if (chunk.error) throw new ApiError(chunk.error.message, 200, chunk.error.code);
    yield chunk;
  }
  if (!done) throw new ApiError("The server ended the stream before the answer was whole.", 200, null);
}

/** The data of server-sent events. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read().catch(fault => { throw fault.name === "AbortError" ? fault : new ApiError("The connection broke off.", 0, null); });
      if (done) return;
      rest += value;
      for (let end; (end = rest.indexOf("\n\n")) >= 0; rest = rest.slice(end + 2)) {
        const event = rest.slice(0, end);
        if (event.startsWith("data: ")) yield event.slice(6);
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** The models and ensembles that the server has. */
export const models = async () => (await get("/v1/models")).data;

const table = model => `/v1/models/${encodeURIComponent(model)}/embeddings`;

export const describeTable = model => get(table(model));
export const lookup = (model, text, signal) => get(`${table(model)}/lookup?text=${encodeURIComponent(text)}`, signal);
/** A text as the model gets it: { tokens: [ids], count, max_model_len }. */
export const tokenize = (model, prompt, signal) => post("/tokenize", { model, prompt }, signal);
export const token = (model, id, neighbors = 0) => get(`${table(model)}/${id}?neighbors=${neighbors}&vector=true`);
export const spelling = async (model, id) => (await get(`${table(model)}/${id}`)).text;
export const rebuilt = (model, id, components, signal) => get(`${table(model)}/${id}/rebuilt${components === undefined ? "" : `?components=${components}`}`, signal);
export const map = (model, query) => get(`${table(model)}/map${query}`);
export const picture = async (model, id) => (await send(`${table(model)}/${id}/glyph.png?scale=2`)).blob();
export const compare = (body, signal) => post("/v1/compare", body, signal);
export const logits = (model, tokens, last, signal) => post(`/v1/models/${encodeURIComponent(model)}/logits`, { tokens, last }, signal);
