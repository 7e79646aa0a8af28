/** The client of the API: who calls, what is asked, and whether the service answers. */
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";

const BASE = new URL("../v1/", document.baseURI);
const KEY = "latcast.key";
const KEPT = 60;
const RETRY_MS = 1500;

/** @typedef {import("../types").Schema<"SessionOut">} Session */

/** @type {import("@preact/signals").Signal<Session|null>} Who calls; null until the service has said so. */
export const session = signal(null);
/** @type {import("@preact/signals").Signal<boolean>} Whether the service answered the last call. */
export const reachable = signal(true);
/** @type {import("@preact/signals").Signal<number>} Grows when everything has to be asked anew. */
export const generation = signal(0);

/**
 * @template Data
 * @typedef {{url: string|null, data: Data|undefined, error: ApiError|null, loading: boolean, stale?: boolean}} Asked
 */

/** What the service refused, with its problem detail. */
export class ApiError extends Error {
  /** @param {number} status @param {any} problem */
  constructor(status, problem) {
    super(problem?.detail || `The service answered with ${status}.`);
    this.status = status;
    this.problem = problem;
  }
}

/** @type {Map<string, {etag: string|null, data: any}>} */
const kept = new Map();

/** @param {string} path @param {Record<string, any>} [query] */
export function urlOf(path, query = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) url.searchParams.append(name, String(one));
  }
  return url.href;
}

function key() {
  return sessionStorage.getItem(KEY);
}

/** @param {Record<string, string>} [more] */
function headers(more = {}) {
  const secret = key();
  return secret ? { ...more, authorization: `Bearer ${secret}` } : more;
}

/**
 * @param {string} url @param {RequestInit} [options]
 * @returns {Promise<Response>}
 */
async function send(url, options = {}) {
  let response;
  try {
    response = await fetch(url, { credentials: "omit", ...options });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    away();
    throw new ApiError(0, { detail: "The service does not answer." });
  }
  reachable.value = true;
  if (response.ok || response.status === 304) return response;
  const problem = await response.json().catch(() => null);
  if (response.status === 401 && session.value?.can_read) signOut();
  throw new ApiError(response.status, problem);
}

/**
 * @template {string} Path
 * @param {Path} path @param {Record<string, any>} [query] @param {AbortSignal} [abort]
 * @returns {Promise<import("../types").Got<Path>>}
 */
export async function get(path, query, abort) {
  const url = urlOf(path, query);
  const before = kept.get(url);
  const response = await send(url, { headers: headers(before?.etag ? { "if-none-match": before.etag } : {}), signal: abort });
  if (response.status === 304 && before) return before.data;
  const data = await response.json();
  kept.delete(url);
  kept.set(url, { etag: response.headers.get("etag"), data });
  if (kept.size > KEPT) kept.delete(/** @type {string} */ (kept.keys().next().value));
  return data;
}

/** @param {string} path */
export async function getText(path) {
  return (await send(urlOf(path), { headers: headers() })).text();
}

/**
 * @template {string} Path
 * @param {Path} path @param {any} body
 * @returns {Promise<import("../types").Posted<Path>>}
 */
export async function post(path, body) {
  const response = await send(urlOf(path), {
    method: "POST", headers: headers({ "content-type": "application/json" }), body: JSON.stringify(body ?? {}),
  });
  return response.json();
}

/** Takes something out of sight. @param {string} path */
export async function remove(path) {
  return (await send(urlOf(path), { method: "DELETE", headers: headers() })).json();
}

/**
 * @template {string} Path
 * @param {Path} path @param {BodyInit} bytes @param {Record<string, any>} [query]
 * @returns {Promise<import("../types").Posted<Path>>}
 */
export async function upload(path, bytes, query) {
  const url = urlOf(path, query);
  const response = await send(url, { method: "POST", headers: headers({ "content-type": "application/octet-stream" }), body: bytes });
  return response.json();
}

/** Saves what the service answers as a file: links cannot send a key. @param {string} path @param {Record<string, any>} query @param {string} name */
export async function download(path, query, name) {
  const response = await send(urlOf(path, query), { headers: headers() });
  saveAs(await response.blob(), name);
}

/** @param {Blob} blob @param {string} name */
export function saveAs(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/**
 * Reads server-sent events, with the key in a header rather than in the address.
 * @param {string} path @param {(data: any) => void} take @param {AbortSignal} abort
 */
export async function events(path, take, abort) {
  const response = await send(urlOf(path), { headers: headers({ accept: "text/event-stream" }), signal: abort });
  const bytes = /** @type {ReadableStream<BufferSource>} */ (response.body);
  const reader = bytes.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (text + value.replaceAll("\r\n", "\n")).split("\n\n");
    text = parts.pop() ?? "";
    for (const part of parts) {
      const data = part.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("\n");
      if (data) take(JSON.parse(data));
    }
  }
}

/** Asks everything anew that a page shows: where one call failed, others did. */
export function askAnew() {
  generation.value++;
}

let waiting = false;

/** Says that the service does not answer, and looks for it until it does. */
export function away() {
  reachable.value = false;
  if (waiting) return;
  waiting = true;
  const again = async () => {
    try {
      await fetch(new URL("../healthz", BASE).href, { cache: "no-store" });
      waiting = false;
      reachable.value = true;
      if (session.value === null) await begin().catch(() => {});
      askAnew();
    } catch {
      setTimeout(again, RETRY_MS);
    }
  };
  setTimeout(again, RETRY_MS);
}

/** Asks who we are; a key of before that is refused is forgotten. */
export async function begin() {
  try {
    session.value = await get("session");
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    sessionStorage.removeItem(KEY);
    session.value = await get("session");
  }
}

/** @param {string} secret */
export async function signIn(secret) {
  sessionStorage.setItem(KEY, secret);
  kept.clear();
  try {
    const answer = await get("session");
    if (!answer.can_read) throw new ApiError(403, { detail: "This key is an agent's: it cannot read. Use an admin's or a client's." });
    session.value = answer;
  } catch (error) {
    sessionStorage.removeItem(KEY);
    throw error;
  }
}

export function signOut() {
  sessionStorage.removeItem(KEY);
  kept.clear();
  session.value = null;
  begin().catch(() => {});
}

export function hasKey() {
  return key() !== null;
}

/**
 * What the service answers to a path; the answer before stays while a new one is on its way.
 * @template {string} Path
 * @param {Path|null} path @param {Record<string, any>} [query] @param {{every?: number}} [options] seconds between calls
 * @returns {Asked<import("../types").Got<Path>> & {again: () => void}}
 */
export function useApi(path, query = {}, { every = 0 } = {}) {
  const url = path === null ? null : urlOf(path, query);
  const [state, setState] = useState(() => ({ url, data: url ? kept.get(url)?.data : undefined, error: null, loading: url !== null }));
  const [tick, setTick] = useState(0);
  const first = useRef(true);
  const seen = generation.value;
  useEffect(() => {
    if (path === null) return undefined;
    const abort = new AbortController();
    const before = kept.get(/** @type {string} */ (url))?.data;
    setState((old) => ({ url, data: before ?? old.data, error: null, loading: true, stale: before === undefined }));
    get(path, query, abort.signal).then(
      (data) => setState({ url, data, error: null, loading: false }),
      (error) => { if (!abort.signal.aborted) setState((old) => ({ url, data: error.status === 0 ? old.data : undefined, error, loading: false })); },
    );
    return () => abort.abort();
  }, [url, tick, seen]);
  useEffect(() => {
    if (!every) return undefined;
    const timer = setInterval(() => { if (!document.hidden) setTick((old) => old + 1); }, every * 1000);
    return () => clearInterval(timer);
  }, [every, url]);
  first.current = false;
  return { ...state, again: () => { if (state.error) askAnew(); else setTick((old) => old + 1); } };
}
