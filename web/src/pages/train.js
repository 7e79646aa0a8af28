/** Base predictors that were trained here, and a form to train another. */
import { html, useState } from "../html.js";
import { post, session, urlOf, useApi } from "../api.js";
import { count, percent } from "../format.js";
import { go, href } from "../router.js";
import { Badge, Card, Code, Empty, Failed, Head, Loaded, Table, When } from "../ui/parts.js";
import { JobState } from "./jobs.js";

const KINDS = [["boosted_trees", "trees over features of graphs; minutes"], ["universal", "what the service ships; hours"], ["kernel_sum", "kernels and their costs"], ["flops", "a line through FLOPs; seconds"]];

export default function Train() {
  const predictors = useApi("predictors", { limit: 50 }, { every: 10 });
  const jobs = useApi("jobs", { kind: "train", limit: 10 }, { every: 5 });
  const targets = useApi("targets", { limit: 1000 });
  const [wanted, setWanted] = useState({ predictor: "boosted_trees", targets: /** @type {string[]} */ ([]), activate: false });
  const [state, setState] = useState(/** @type {any} */ ({}));
  const body = { kind: "train", ...wanted };
  const start = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setState({ busy: true });
    try {
      const { items } = await post("jobs", body);
      go(`/jobs/${items[0].id}`);
    } catch (error) {
      setState({ error });
    }
  };
  return html`<${Head} title="Train" lead="Base predictors out of the measurements that are here; what adaptations begin with." />
    <div class="grid wide">
      <${Card} title="Train a predictor" note="A worker of the service does it: latcast worker.">${session.value?.can_write ? html`<form class="stack" onSubmit=${start}>
        <label class="field">Kind<select value=${wanted.predictor} onChange=${(/** @type {any} */ event) => setWanted({ ...wanted, predictor: event.target.value })}>${KINDS.map(([name, about]) => html`<option value=${name}>${name}: ${about}</option>`)}</select></label>
        <label class="field">Targets (all where none is chosen)<select multiple size="6" onChange=${(/** @type {any} */ event) => setWanted({ ...wanted, targets: [...event.target.selectedOptions].map((one) => one.value) })}>${(targets.data?.items ?? []).filter((/** @type {any} */ one) => one.measurements).map((/** @type {any} */ one) => html`<option value=${one.id} title=${one.label}>${one.label} (${count(one.measurements)})</option>`)}</select></label>
        <label class="row small check"><input type="checkbox" checked=${wanted.activate} onChange=${(/** @type {any} */ event) => setWanted({ ...wanted, activate: event.target.checked })} />Let it answer as soon as it is trained</label>
        ${targets.data && !targets.data.items.some((/** @type {any} */ one) => one.measurements) && html`<p class="note">Nothing has been measured yet, so there is nothing to learn from.</p>`}${targets.error && html`<${Failed} error=${targets.error} again=${targets.again} />`}
        ${state.error && html`<${Failed} error=${state.error} />`}<div><button class="button primary" disabled=${state.busy}>${state.busy ? "Starting …" : "Start"}</button></div></form>` : html`<${Empty} title="Your key may look, and not start work" />`}
        <details><summary class="small">The same with curl</summary><${Code} text=${`curl -X POST ${urlOf("jobs")} -H 'Content-Type: application/json' \\\n  -d '${JSON.stringify(body)}'`} /></details><//>
      <${Card} title="Trainings" flush><${Loaded} call=${jobs} what="trainings" height=${160}>${(/** @type {import("../../types").Schema<"Listed_JobRef_">} */ data) => data.items.length ? html`<${Table} caption="Trainings" rows=${data.items} columns=${[
        { name: "made", title: "Started", cell: (/** @type {any} */ row) => html`<a href=${href(`/jobs/${row.id}`)}><${When} at=${row.created_unix_s} /></a>` },
        { name: "state", title: "State", cell: (/** @type {any} */ row) => html`<${JobState} job=${row} />` }]} />` : html`<${Empty} title="None yet" />`}<//><//>
    </div>
    <${Card} title="Predictors" flush><${Loaded} call=${predictors} what="predictors" height=${160}>${(/** @type {import("../../types").Schema<"Listed_PredictorOut_">} */ data) => (data.items.length ? html`<${Table} caption="Predictors" rows=${data.items} columns=${[
      { name: "kind", title: "Kind", cell: (/** @type {any} */ row) => html`<a class="cut" href=${href(`/predictors/${row.id}`)} title=${row.kind}>${row.kind}</a>` },
      { name: "active", title: "State", cell: (/** @type {any} */ row) => (row.active ? html`<${Badge} kind="good" dot>active<//>` : html`<${Badge}>not active<//>`) },
      { name: "error", title: "Held-out error", right: true, cell: (/** @type {any} */ row) => percent(row.metrics.median_ape ?? row.metrics.networks?.median_ape) },
      { name: "made", title: "Made", right: true, cell: (/** @type {any} */ row) => html`<${When} at=${row.created_unix_s} />` }]} />` : html`<${Empty} title="None was trained here">The shipped ones answer.<//>`)}<//><//>`;
}
