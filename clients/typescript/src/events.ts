import { ServingError } from "./index.js";

interface Failure {
  error: { message: string; code: string | null; param: string | null };
}

/** Posts a request and yields the data of the server-sent events that answer it, up to `[DONE]`. */
export async function* events<T>(
  url: string,
  headers: Record<string, string>,
  request: object,
  signal?: AbortSignal,
): AsyncGenerator<T> {
  const response = await fetch(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify(request),
    signal: signal ?? null,
  });
  if (!response.ok) throw errorOf((await response.json()) as Failure, response.status);
  for await (const line of lines(response.body!)) {
    if (!line.startsWith("data: ")) continue; // an empty line or a keep-alive
    const data = line.slice("data: ".length);
    if (data === "[DONE]") return;
    const value = JSON.parse(data) as T | Failure;
    if (typeof value === "object" && value !== null && "error" in value) throw errorOf(value as Failure, response.status);
    yield value as T;
  }
  throw new ServingError("The stream ended before it was complete.", response.status, null, null);
}

async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of body) {
    const pieces = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = pieces.pop()!;
    yield* pieces;
  }
}

function errorOf({ error }: Failure, status: number): ServingError {
  return new ServingError(error.message, status, error.code, error.param);
}
