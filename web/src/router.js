/** Addresses of views: `#/path?query`, so that they hold behind any prefix and never reach a server's log. */
import { computed, signal } from "@preact/signals";

function read() {
  const [path, query = ""] = location.hash.replace(/^#/, "").split("?");
  return { path: path || "/", query: new URLSearchParams(query) };
}

export const place = signal(read());
addEventListener("hashchange", () => { place.value = read(); });
addEventListener("popstate", () => { place.value = read(); });

/** @typedef {{selector: string, name: string, top: number}} Mark where the keyboard was, and how far down the page */

/** @type {Map<string, Mark>} Of addresses that were left: the way back leads to where one was. */
const marks = new Map();
let isWayBack = false;
const MOST_MARKS = 50;
const CONTROLS = "a, button, select, input";
const NAME_CHARACTERS = 80;

/** @param {Element} element */
const nameOf = (element) => (element.getAttribute("aria-label") ?? element.getAttribute("href") ?? element.textContent ?? "").slice(0, NAME_CHARACTERS);

// Browsers without this interface go to the top of a page that one comes back to.
/** @type {any} */ (window).navigation?.addEventListener("navigate", (/** @type {any} */ event) => {
  isWayBack = event.navigationType === "traverse";
  const at = document.activeElement;
  if (!at?.matches(CONTROLS)) return;
  marks.delete(location.hash);
  marks.set(location.hash, { selector: at.tagName, name: nameOf(at), top: scrollY });
  if (marks.size > MOST_MARKS) marks.delete(/** @type {string} */ (marks.keys().next().value));
});

/** Where one was on this page, if it was come back to. @returns {Mark|undefined} */
export const mark = () => (isWayBack ? marks.get(location.hash) : undefined);

/** The control of a mark, once the page has it. @param {Mark} wanted @returns {HTMLElement|undefined} */
export function marked(wanted) {
  return /** @type {HTMLElement[]} */ ([...document.querySelectorAll(`#main ${wanted.selector}`)]).find((one) => nameOf(one) === wanted.name);
}

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
