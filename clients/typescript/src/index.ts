import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.js";
import { events } from "./events.js";

export type { components, paths } from "./schema.js";

export type CompletionRequest = components["schemas"]["CompletionRequest"];
export type Completion = components["schemas"]["Completion"];
export type ChatRequest = components["schemas"]["ChatRequest"];
export type ChatChunk = components["schemas"]["ChatChunk"];

/** What the server answered instead of a result. */
export class ServingError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string | null,
    readonly param: string | null,
  ) {
    super(message);
    this.name = "ServingError";
  }
}

/** Every route of the server as `GET("/v1/models")`, typed by its document, and streams as async iterables. */
export type ServingClient = Client<paths> & {
  /** Continues a text piece by piece. Throws a ServingError when the stream cannot finish. */
  streamCompletion(request: CompletionRequest, signal?: AbortSignal): AsyncIterable<Completion>;
  /** Answers a conversation piece by piece. */
  streamChat(request: ChatRequest, signal?: AbortSignal): AsyncIterable<ChatChunk>;
};

/**
 * @param baseUrl The server's root, as `http://127.0.0.1:8080`.
 * @param apiKey A key, where the server has keys.
 */
export function createServing(baseUrl: string, apiKey?: string): ServingClient {
  const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  const root = baseUrl.replace(/\/+$/, "");
  const open = <T>(path: string, request: object, signal?: AbortSignal) =>
    events<T>(`${root}${path}`, headers, { ...request, stream: true }, signal);
  return Object.assign(createClient<paths>({ baseUrl: root, headers }), {
    streamCompletion: (request: CompletionRequest, signal?: AbortSignal) => open<Completion>("/v1/completions", request, signal),
    streamChat: (request: ChatRequest, signal?: AbortSignal) => open<ChatChunk>("/v1/chat/completions", request, signal),
  });
}
