/** What was taken out of sight: measurements of a target, and whole targets and devices. */
import { html, useState } from "../html.js";
import { post, session, useApi } from "../api.js";
import { ms, shortHash } from "../format.js";
import { change, href } from "../router.js";
import { Act } from "./act.js";
import { Card, Empty, Loaded, Table, When } from "./parts.js";

const PAGE = 20;

/** @param {{id: string, query: URLSearchParams}} props id of the target */
export function HiddenRows({ id, query }) {
  const cursor = query.get("cursor");
  const call = useApi(`targets/${id}/measurements`, { hidden: true, limit: PAGE, cursor });
  return html`<${Card} title="Hidden measurements" flush note="They teach, answer and are listed no more; latcast db prune deletes them later.">
    <${Loaded} call=${call} what="hidden measurements" height=${240}>${(/** @type {any} */ data) => (data.items.length ? html`<${Table} caption="Hidden measurements" rows=${data.items} columns=${[
      { name: "id", title: "Stored", cell: (/** @type {any} */ row) => html`<a href=${href(`/measurements/${row.id}`)}><${When} at=${row.created_unix_s} /></a>` },
      { name: "what", title: "Network", grow: true, cell: (/** @type {any} */ row) => html`<span class="cut" title=${row.text}>${row.text ?? shortHash(row.graph ?? "")}</span>` },
      { name: "ms", title: "Latency", right: true, cell: (/** @type {any} */ row) => ms(row.median_ms) },
      { name: "hidden", title: "Hidden", right: true, cell: (/** @type {any} */ row) => html`<${When} at=${row.hidden_unix_s} />` },
      ...(session.value?.can_write ? [{ name: "act", title: "", right: true, cell: (/** @type {any} */ row) => html`<${Again} id=${row.id} done=${call.again} />` }] : []),
    ]} /><div class="pager"><span></span><span class="row">${cursor && html`<button type="button" class="button" onClick=${() => history.back()}>Previous</button>`}<button type="button" class="button" disabled=${!data.next_cursor} onClick=${() => change({ cursor: data.next_cursor })}>Next</button></span></div>`
      : html`<${Empty} title="Nothing is hidden" />`)}<//><//>`;
}

/** @param {{id: number, done: () => void}} props */
function Again({ id, done }) {
  const [error, setError] = useState(/** @type {any} */ (null));
  return html`<button type="button" class="button" onClick=${() => post("measurements/show", { ids: [id] }).then(done, setError)}>Show again</button>${error && html`<span role="alert" class="badge bad wrap">${error.message}</span>`}`;
}

/** Devices and targets that were taken out of sight. @param {{changed: () => void}} props */
export function HiddenThings({ changed }) {
  const targets = useApi("targets", { limit: 1000, hidden: true });
  const devices = useApi("devices", { limit: 1000, hidden: true });
  const back = (/** @type {string} */ path) => async () => { await post(path, {}); targets.again(); devices.again(); changed(); };
  const list = (/** @type {any} */ call, /** @type {string} */ kind, /** @type {(row: any) => string} */ name) => html`<${Card} title=${`Hidden ${kind}`} flush><${Loaded} call=${call} what=${`hidden ${kind}`} height=${120}>${(/** @type {any} */ data) => (data.items.length ? html`<${Table} caption=${`Hidden ${kind}`} rows=${data.items} columns=${[
    { name: "name", title: "Name", grow: true, cell: (/** @type {any} */ row) => html`<span class="cut" title=${row.id}>${name(row)}</span>` },
    { name: "id", title: "Id", cell: (/** @type {any} */ row) => html`<code class="small">${row.id}</code>` },
    ...(session.value?.can_write ? [{ name: "act", title: "", right: true, cell: (/** @type {any} */ row) => html`<${Act} label="Show again" question="Bring it back?" run=${back(`${kind}/${row.id}/show`)} />` }] : []),
  ]} />` : html`<${Empty} title=${`No ${kind.slice(0, -1)} is hidden`} />`)}<//><//>`;
  return html`<div class="grid wide">${list(devices, "devices", (row) => row.name)}${list(targets, "targets", (row) => `${row.label} · ${row.device_name}`)}</div>`;
}
