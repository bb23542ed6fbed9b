// The call that the page makes, for a terminal and two languages.
import { el } from "./dom.js";
import { hasKey } from "./api.js";

/** A section with the call in a choice of languages, and a button that copies it. */
export function snippets(body) {
  const url = `${location.origin}/v1/completions`;
  const languages = { curl: curl(url, body), "C#": csharp(url, body), Python: python(body) };
  const text = el("pre", { tabindex: 0, "aria-label": "The call" });
  const copy = el("button", { type: "button", class: "quiet", on: { click: copyText } }, "Copy");
  const tabs = Object.keys(languages).map(name =>
    el("button", { type: "button", class: "quiet", "aria-pressed": "false", on: { click: () => show(name) } }, name));

  function show(name) {
    text.textContent = languages[name];
    tabs.forEach(tab => tab.setAttribute("aria-pressed", String(tab.textContent === name)));
    sessionStorage.setItem("language", name);
  }

  async function copyText() {
    await navigator.clipboard.writeText(text.textContent).then(() => { copy.textContent = "Copied"; }, () => { copy.textContent = "Select and copy by hand"; });
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  }

  const kept = sessionStorage.getItem("language");
  show(languages[kept] ? kept : "curl");
  return [el("div", { class: "row between" }, el("h2", {}, "The call"), el("div", { class: "row" }, tabs, copy)), text];
}

// A key itself is never shown: the calls take it from the environment.
const curl = (url, body) =>
  `curl ${url} -H 'content-type: application/json'${hasKey() ? ' -H "authorization: Bearer $SERVING_API_KEY"' : ""} -d '${JSON.stringify(body).replaceAll("'", `'\\''`)}'`;

function csharp(url, body) {
  const json = JSON.stringify(body, null, 2);
  const quotes = '"'.repeat(Math.max(3, ...[...json.matchAll(/"+/g)].map(run => run[0].length + 1)));
  const key = hasKey() ? `http.DefaultRequestHeaders.Authorization = new("Bearer", Environment.GetEnvironmentVariable("SERVING_API_KEY"));\n` : "";
  return `using var http = new HttpClient();
${key}var body = new StringContent(${quotes}
${json.replace(/^/gm, "    ")}
    ${quotes}, System.Text.Encoding.UTF8, "application/json");
using HttpResponseMessage answer = await http.PostAsync("${url}", body);
Console.WriteLine(await answer.Content.ReadAsStringAsync());`;
}

// Strings of JSON are strings of Python, too.
function python(body) {
  const own = ["top_k", "min_p"], extra = own.filter(name => name in body);
  const lines = Object.keys(body).filter(name => !own.includes(name)).map(name => `    ${name}=${JSON.stringify(body[name])},`);
  if (extra.length > 0) lines.push(`    extra_body={${extra.map(name => `"${name}": ${JSON.stringify(body[name])}`).join(", ")}},`);
  return `${hasKey() ? "import os\n" : ""}from openai import OpenAI

client = OpenAI(base_url="${location.origin}/v1", api_key=${hasKey() ? 'os.environ["SERVING_API_KEY"]' : '"none"'})
answer = client.completions.create(
${lines.join("\n")}
)
print(answer.choices[0].text)`;
}
