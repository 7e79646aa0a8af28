/** Addresses of views: `#/path?query`, so that they hold behind any prefix and never reach a server's log. */
import { computed, signal } from "@preact/signals";

function read() {
  const [path, query = ""] = location.hash.replace(/^#/, "").split("?");
  return { path: path || "/", query: new URLSearchParams(query) };
}

export const place = signal(read());
addEventListener("hashchange", () => { place.value = read(); });
addEventListener("popstate", () => { place.value = read(); });

/** @param {string} path @param {Record<string, any>|URLSearchParams} [query] */
export function href(path, query = {}) {
  const text = query instanceof URLSearchParams ? query.toString() : asQuery(query).toString();
  return `#${path}${text ? `?${text}` : ""}`;
}

/** @param {Record<string, any>} values */
function asQuery(values) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === null || value === "" || value === false) continue;
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one));
  }
  return query;
}

/** @param {string} path @param {Record<string, any>|URLSearchParams} [query] */
export function go(path, query) {
  location.hash = href(path, query).slice(1);
}

/**
 * Changes the query of this view; each change is a step that the back button takes back, unless it replaces the last.
 * @param {Record<string, any>} changes @param {{replace?: boolean}} [options]
 */
export function change(changes, { replace = false } = {}) {
  const query = new URLSearchParams(place.value.query);
  for (const [name, value] of Object.entries(changes)) {
    query.delete(name);
    if (value === undefined || value === null || value === "" || value === false) continue;
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one));
  }
  const address = href(place.value.path, query);
  if (address === location.hash) return;
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  place.value = read();
}

/** @typedef {{pattern: RegExp, names: string[], load: () => Promise<any>}} Route */

/** @param {string} pattern such as `/targets/:id` @param {() => Promise<any>} load @returns {Route} */
export function route(pattern, load) {
  const names = [...pattern.matchAll(/:(\w+)/g)].map((match) => match[1]);
  return { pattern: new RegExp(`^${pattern.replace(/:\w+/g, "([^/]+)")}$`), names, load };
}

/** @param {Route[]} routes @param {string} path */
export function matching(routes, path) {
  for (const one of routes) {
    const match = one.pattern.exec(path);
    if (match) return { route: one, params: Object.fromEntries(one.names.map((name, index) => [name, decodeURIComponent(match[index + 1])])) };
  }
  return null;
}

export const path = computed(() => place.value.path);
