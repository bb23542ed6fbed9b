// Makes a test of the README's example: it is compiled with the types and run like the others.
import { readFileSync, writeFileSync } from "node:fs";

const example = readFileSync("README.md", "utf8").split("```ts\n")[1].split("```")[0];
const server = process.env.CONFORMANCE_BASE_URL ?? "http://127.0.0.1:8080";
const key = process.env.CONFORMANCE_API_KEY;
const call = key ? `${JSON.stringify(server)}, ${JSON.stringify(key)}` : JSON.stringify(server);
writeFileSync("test/readme.ts", `${example.replace('"http://127.0.0.1:8080"', call)}
import assert from "node:assert/strict";
assert.equal(error, undefined);
assert.deepEqual(scores.data?.models.map((entry) => entry.model), ["glyph-en", "babel"]);
assert.ok(tokens.data);
assert.ok((await serving.DELETE("/v1/ensembles/{name}", { params: { path: { name: "mostly-en" } } })).response.ok);
`);
