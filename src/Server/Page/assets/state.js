// What the page shows stands in its address, after the #: a link shows the same again, and nothing of it is sent to a server.

export function read() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { view: path || "play", params: new URLSearchParams(query) };
}

/** Writes the values of a view into the address without a new entry in the history; empty ones are left out. */
export function write(view, values) {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined && each !== null && each !== "") params.append(name, each);
    }
  }
  const query = params.toString();
  history.replaceState(null, "", `#/${view}${query ? `?${query}` : ""}`);
}

/** The address of a view with these values. */
export function address(view, values) {
  return `#/${view}?${new URLSearchParams(values)}`;
}
