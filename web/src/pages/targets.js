/** All targets: what can be forecast, and how much is known of each. */
import { html } from "../html.js";
import { useApi } from "../api.js";
import { count, percent } from "../format.js";
import { change, href } from "../router.js";
import { HiddenThings } from "../ui/hidden.js";
import { Badge, Card, Empty, Head, Loaded, Table, When } from "../ui/parts.js";

/** @param {any} target */
export function TargetState({ target }) {
  if (target.origin) return html`<${Badge} title=${target.origin}>imported<//>`;
  if (target.online) return html`<${Badge} kind="good" dot title="An agent called just now">online<//>`;
  if (target.offered) return html`<${Badge} kind="warn" dot title="Its agent is silent at the moment">away<//>`;
  return html`<${Badge} title="No agent offers it any more">not offered<//>`;
}

/** @param {{query: URLSearchParams}} props */
export default function Targets({ query }) {
  const call = useApi("targets", { limit: 1000 }, { every: 15 });
  const text = query.get("q") ?? "";
  const sort = query.get("sort") ?? "-measurements";
  return html`<${Head} title="Targets" lead="A target is a device with a runtime, a precision and threads: what latencies are forecast for.">
      <label class="field"><span class="visually-hidden">Search targets</span><input type="search" placeholder="Search" value=${text} onInput=${(/** @type {any} */ event) => change({ q: event.target.value }, { replace: true })} /></label>
      <button type="button" class="button" aria-pressed=${query.has("hidden")} onClick=${() => change({ hidden: query.has("hidden") ? null : 1 })}>Hidden ones</button>
    <//>
    ${query.has("hidden") && html`<${HiddenThings} changed=${call.again} />`}
    <${Loaded} call=${call} what="targets" height=${320}>${(/** @type {import("../../types").Schema<"Listed_TargetOut_">} */ data) => {
      const rows = sorted(data.items.filter((/** @type {any} */ row) => matches(row, text)), sort);
      if (!data.items.length) return html`<${Card}><${Empty} title="No target yet">Start an agent on a device: <code>latcast agent</code>. It registers what it can measure.<//><//>`;
      if (!rows.length) return html`<${Card}><${Empty} title=${`No target matches “${text}”`}><button class="button" onClick=${() => change({ q: "" })}>Show all</button><//><//>`;
      return html`<${Card} flush><${Table} caption="Targets" rows=${rows} sort=${sort} onSort=${(/** @type {string} */ by) => change({ sort: by })} columns=${COLUMNS} /><//>`;
    }}<//>`;
}

const COLUMNS = [
  { name: "label", title: "Target", grow: true, sort: "label", cell: (/** @type {any} */ row) => html`<a class="cut" href=${href(`/targets/${row.id}`)} title=${row.label}>${row.label}</a>` },
  { name: "device", title: "Device", sort: "device_name", cell: (/** @type {any} */ row) => (row.device_id ? html`<a class="cut" href=${href(`/devices/${row.device_id}`)} title=${row.device_name}>${row.device_name}</a>` : html`<span class="cut muted" title=${row.device_name}>${row.device_name}</span>`) },
  { name: "state", title: "State", cell: (/** @type {any} */ row) => html`<span class="row"><${TargetState} target=${row} />${row.adaptation?.warning && html`<${Badge} kind="bad" title=${row.adaptation.warning}>poor<//>`}</span>` },
  { name: "measurements", title: "Measurements", right: true, sort: "measurements", cell: (/** @type {any} */ row) => count(row.measurements) },
  { name: "error", title: html`<abbr title="Median absolute error on networks of the support, each forecast without itself">Error</abbr>`, right: true, cell: (/** @type {any} */ row) => errorOf(row) },
  { name: "adapted", title: "Adapted", cell: (/** @type {any} */ row) => (row.adaptation ? html`<${When} at=${row.adaptation.created_unix_s} />` : html`<span class="muted">not yet</span>`) },
];

/** @param {any} row */
export function errorOf(row) {
  const error = row.adaptation?.metrics?.support_loo_median_ape;
  return error === null || error === undefined ? "–" : percent(error);
}

/** @param {any} row @param {string} text */
function matches(row, text) {
  return `${row.label} ${row.device_name} ${row.origin} ${row.id}`.toLowerCase().includes(text.toLowerCase());
}

/** @param {any[]} rows @param {string} sort */
function sorted(rows, sort) {
  const by = sort.replace(/^-/, "");
  const way = sort.startsWith("-") ? -1 : 1;
  return [...rows].sort((one, other) => way * (one[by] > other[by] ? 1 : one[by] < other[by] ? -1 : 0));
}
