/** Small parts that every page is made of. */
import { html, signal, useEffect, useState } from "../html.js";
import { absolute, relative } from "../format.js";
import { href } from "../router.js";

const minute = signal(Date.now());
setInterval(() => { minute.value = Date.now(); }, 15_000);

/** @param {{at: number|null|undefined}} props */
export function When({ at }) {
  return html`<time class="nowrap" title=${absolute(at)} datetime=${at ? new Date(at * 1000).toISOString() : undefined}>${relative(at, minute.value)}</time>`;
}

/** @param {{text: string, label?: string, quiet?: boolean}} props */
export function Copy({ text, label = "Copy", quiet = false }) {
  const [done, setDone] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone("Copied");
    } catch {
      setDone("Not allowed here");
    }
    setTimeout(() => setDone(""), 1500);
  };
  return html`<button type="button" class=${quiet ? "button quiet" : "button"} onClick=${copy} aria-label=${done ? undefined : `${label}: ${text.slice(0, 60)}`}>${done || label}</button>`;
}

/** @param {{text: string}} props */
export function Code({ text }) {
  return html`<div class="copyable"><pre class="code" tabindex="0">${text}</pre><${Copy} text=${text} /></div>`;
}

/** @param {{title: any, lead?: any, crumbs?: [string, string][], children?: any}} props */
export function Head({ title, lead, crumbs = [], children }) {
  useEffect(() => { document.title = typeof title === "string" ? `${title} · latcast` : "latcast"; }, [title]);
  return html`<header class="head"><div>
    ${crumbs.length > 0 && html`<nav class="crumbs" aria-label="Where this is">${crumbs.map(([text, to]) => html`<a href=${href(to)}>${text}</a><span aria-hidden="true">/</span>`)}</nav>`}
    <h1>${title}</h1>${lead && html`<p>${lead}</p>`}</div>
    ${children && html`<div class="row">${children}</div>`}</header>`;
}

/** @param {{title: any, note?: any, aside?: any, flush?: boolean, class?: string, children?: any}} props */
export function Card({ title, note, aside, flush = false, children, ...rest }) {
  return html`<section class=${`card ${flush ? "flush" : ""} ${rest.class ?? ""}`}>
    ${(title || aside) && html`<header><h2>${title}</h2>${aside && html`<div class="row small muted">${aside}</div>`}</header>`}
    ${note && html`<p class="note">${note}</p>`}${children}</section>`;
}

/** @param {{items: [string, any, any?][]}} props */
export function Stats({ items }) {
  return html`<dl class="stats">${items.map(([name, value, more]) => html`<div class="stat"><dt>${name}</dt><dd>${value}${more !== undefined && html`<small>${more}</small>`}</dd></div>`)}</dl>`;
}

/** @param {{items: [any, any][]}} props */
export function Facts({ items }) {
  return html`<dl class="facts">${items.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

/** @param {{kind?: string, dot?: boolean, title?: string, children?: any}} props */
export function Badge({ kind = "", dot = false, title, children }) {
  return html`<span class=${`badge ${kind} ${dot ? "dot" : ""}`} title=${title}>${children}</span>`;
}

/** @param {{title: string, children?: any}} props */
export function Empty({ title, children }) {
  return html`<div class="empty"><strong>${title}</strong>${children && html`<div>${children}</div>`}</div>`;
}

/** @param {{error: any, again?: () => void}} props */
export function Failed({ error, again }) {
  return html`<div class="failed" role="alert"><p>${error.message}</p>${again && html`<button type="button" class="button" onClick=${again}>Try again</button>`}</div>`;
}

/** A page that has nothing but why not. @param {{title: string, crumbs?: [string, string][], error: any, again?: () => void}} props */
export function Missing({ title, crumbs, error, again }) {
  return html`<${Head} title=${title} crumbs=${crumbs} /><${Card}><${Failed} error=${error} again=${error.status === 404 ? undefined : again} /><//>`;
}

/** @param {{what: string, height?: number}} props */
export function Loading({ what, height = 120 }) {
  return html`<div class="skeleton" role="status" style=${{ height: `${height}px` }}><span>Loading ${what} …</span></div>`;
}

/**
 * What a call gives, or how it stands.
 * @param {{call: any, what: string, height?: number, page?: {title: string, crumbs?: [string, string][]}, children: (data: any) => any}} props `page` is what stands above where the data is the whole page
 */
export function Loaded({ call, what, height, page, children }) {
  if (call.data === undefined && page) return call.error ? html`<${Missing} ...${page} error=${call.error} again=${call.again} />` : html`<${Head} ...${page} lead=" " /><${Loading} what=${what} height=${height} />`;
  if (call.data === undefined) return call.error ? html`<${Failed} error=${call.error} again=${call.again} />` : html`<${Loading} what=${what} height=${height} />`;
  return html`<div class=${`stack ${call.loading && call.stale ? "dim" : ""}`} aria-busy=${call.loading}>${children(call.data)}</div>`;
}

/**
 * @param {{columns: {name: string, title: any, right?: boolean, grow?: boolean, sort?: string, cell: (row: any) => any}[], rows: any[], sort?: string,
 *   onSort?: (sort: string) => void, caption: string, keyOf?: (row: any) => any}} props `sort` names a column, with `-` for descending; a column that grows takes what the others leave, and cuts its texts
 */
export function Table({ columns, rows, sort = "", onSort, caption, keyOf }) {
  const order = sort.startsWith("-") ? "descending" : "ascending";
  const by = sort.replace(/^-/, "");
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${caption}><table>
    <caption class="visually-hidden">${caption}</caption>
    <thead><tr>${columns.map((column) => html`<th scope="col" class=${column.right ? "r" : ""} aria-sort=${column.sort && by === column.sort ? order : undefined}>
      ${column.sort && onSort ? html`<button type="button" onClick=${() => onSort(by === column.sort && order === "ascending" ? `-${column.sort}` : by === column.sort ? column.sort : `-${column.sort}`)}>${column.title}</button>` : column.title}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${keyOf ? keyOf(row) : row.id}>${columns.map((column) => html`<td class=${column.right ? "r" : column.grow ? "grow" : undefined}>${column.cell(row)}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

/** @param {{items: [string, string, string?][]}} props name, colour token */
export function Legend({ items }) {
  return html`<div class="legend">${items.map(([name, token]) => html`<span><i style=${{ background: `var(${token})` }}></i>${name}</span>`)}</div>`;
}

/** Horizontal bars, each of which may be chosen. @param {{rows: {name: string, value: number, of?: number, text: string, chosen?: boolean}[], onChoose?: (name: string) => void}} props */
export function Bars({ rows, onChoose }) {
  const most = Math.max(...rows.map((row) => row.of ?? row.value), 1e-12);
  return html`<div class="bars">${rows.map((row) => html`
    ${onChoose ? html`<button type="button" aria-pressed=${!!row.chosen} onClick=${() => onChoose(row.name)} title=${row.name}>${row.name || "other"}</button>` : html`<span class="cut" title=${row.name}>${row.name}</span>`}
    <span class="track">${row.of !== undefined && html`<span class="fill ghost" style=${{ width: `${(100 * row.of) / most}%` }}></span>`}<span class="fill" style=${{ width: `${(100 * row.value) / most}%` }}></span></span>
    <span class="num muted">${row.text}</span>`)}</div>`;
}
