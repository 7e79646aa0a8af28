/** Jobs: what waits and why, what runs, what became of the rest. */
import { html } from "../html.js";
import { useApi } from "../api.js";
import { shortHash } from "../format.js";
import { change, href } from "../router.js";
import { Badge, Card, Empty, Head, Loaded, Table, When } from "../ui/parts.js";

const STATES = ["queued", "leased", "done", "failed", "cancelled"];

/** @param {{job: any}} props */
export function JobState({ job }) {
  if (job.state === "queued" && job.waiting) return html`<${Badge} kind="warn" title=${job.waiting}>${job.kind === "train" ? "waits for a worker" : "waits for an agent"}<//>`;
  const [kind, text] = /** @type {Record<string, [string, string]>} */ ({ queued: ["", "queued"], leased: ["accent", "running"], done: ["good", "done"], failed: ["bad", "failed"], cancelled: ["", "cancelled"] })[job.state];
  return html`<${Badge} kind=${kind} dot=${job.state === "leased"}>${text}<//>`;
}

/** @param {{query: URLSearchParams}} props */
export default function Jobs({ query }) {
  const filter = { state: query.get("state"), kind: query.get("kind"), target: query.get("target"), cursor: query.get("cursor") };
  const call = useApi("jobs", { ...filter, limit: 30 }, { every: 5 });
  return html`<${Head} title="Jobs" lead="Measurements, adaptations and trainings, the newest first." />
    <search class="row" aria-label="Filter">${["state", "kind"].map((name) => html`<label class="field"><span class="visually-hidden">${name}</span><select value=${query.get(name) ?? ""} onChange=${(/** @type {any} */ event) => change({ [name]: event.target.value, cursor: null })}>
      <option value="">${name === "state" ? "All states" : "All kinds"}</option>${(name === "state" ? STATES : ["profile", "adapt", "train"]).map((value) => html`<option value=${value}>${value}</option>`)}</select></label>`)}</search>
    <${Card} flush><${Loaded} call=${call} what="jobs" height=${480}>${(/** @type {import("../../types").Schema<"Listed_JobRef_">} */ data) => (data.items.length ? html`<${Table} caption="Jobs" rows=${data.items} columns=${[
      { name: "kind", title: "Job", cell: (/** @type {any} */ row) => html`<a href=${href(`/jobs/${row.id}`)}>${row.kind}</a>` },
      { name: "state", title: "State", cell: (/** @type {any} */ row) => html`<${JobState} job=${row} />` },
      { name: "of", title: "Of", cell: (/** @type {any} */ row) => (row.graph ? html`<a href=${href(`/networks/${row.graph}`)}><code class="nowrap" title=${row.graph}>${shortHash(row.graph)}</code></a>` : "–") },
      { name: "target", title: "Target", cell: (/** @type {any} */ row) => (row.target ? html`<a href=${href(`/targets/${row.target}`)}><code class="nowrap">${row.target}</code></a>` : "–") },
      { name: "tries", title: "Attempts", right: true, cell: (/** @type {any} */ row) => `${row.attempts} of ${row.max_attempts}` },
      { name: "created", title: "Made", right: true, cell: (/** @type {any} */ row) => html`<${When} at=${row.created_unix_s} />` },
    ]} /><div class="pager"><span></span><span class="row">${filter.cursor && html`<button class="button" onClick=${() => history.back()}>Previous</button>`}<button class="button" disabled=${!data.next_cursor} onClick=${() => change({ cursor: data.next_cursor })}>Next</button></span></div>` : (filter.state || filter.kind || filter.target ? html`<${Empty} title="No job like that"><button type="button" class="button" onClick=${() => change({ state: null, kind: null, target: null, cursor: null })}>Show all</button><//>` : html`<${Empty} title="No job yet">Adapt a target, measure networks with <code>latcast profile</code>, or <a href=${href("/train")}>train a predictor</a>.<//>`))}<//><//>`;
}
