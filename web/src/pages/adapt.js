/** Adapt a predictor to a target: choose, start, and watch. */
import { html, useState } from "../html.js";
import { post, session, urlOf, useApi } from "../api.js";
import { count, percent } from "../format.js";
import { go, href } from "../router.js";
import { Card, Code, Empty, Facts, Failed, Loaded, Table, When } from "../ui/parts.js";
import { TargetHead } from "../ui/target.js";
import { JobState } from "./jobs.js";

const SPACES = ["zoo", "kernels", "nasbench201", "fbnet", "ofa_mbv3"];
const SAMPLERS = [["variance", "those that tell most about all others"], ["random", "at random"], ["quantile", "spread over latencies"], ["kmeans", "one of each cluster"], ["reference", "the same for every target"]];

/** @param {{id: string}} props */
export default function Adapt({ id }) {
  const target = useApi(`targets/${id}`);
  const jobs = useApi("jobs", { target: id, kind: "adapt", limit: 10 }, { every: 5 });
  const [wanted, setWanted] = useState(/** @type {{samples: number, sampler: string, pool?: {space: string}}} */ ({ samples: 10, sampler: "variance" }));
  const [state, setState] = useState(/** @type {any} */ ({}));
  const start = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setState({ busy: true });
    try {
      const job = await post(`targets/${id}/adapt`, wanted);
      go(`/jobs/${job.id}`);
    } catch (error) {
      setState({ error });
    }
  };
  const now = target.data?.adaptation;
  const curl = `curl -X POST ${urlOf(`targets/${id}/adapt`)} -H 'Content-Type: application/json' \\\n  -d '${JSON.stringify(wanted)}'`;
  return html`<${TargetHead} id=${id} target=${target.data} />
    <div class="grid wide">
      <${Card} title="Adapt the predictor" note="Some networks are measured on the device, and the base predictor is fitted to them. Forecasts use the result as soon as it is there.">
        ${session.value?.can_measure ? html`<form class="stack" onSubmit=${start}>
          <label class="field">Networks to measure<input type="number" min="1" max="1000" value=${wanted.samples} onInput=${(/** @type {any} */ event) => setWanted({ ...wanted, samples: Number(event.target.value) })} /></label>
          <label class="field">Who chooses them<select value=${wanted.sampler} onChange=${(/** @type {any} */ event) => setWanted({ ...wanted, sampler: event.target.value })}>${SAMPLERS.map(([name, about]) => html`<option value=${name}>${name}: ${about}</option>`)}</select></label>
          <label class="field">Out of which<select value=${wanted.pool?.space ?? ""} onChange=${(/** @type {any} */ event) => { const { pool: _, ...rest } = wanted; setWanted(event.target.value ? { ...rest, pool: { space: event.target.value } } : rest); }}><option value="">networks of every kind</option>${SPACES.map((name) => html`<option value=${name}>${name}</option>`)}</select></label>
          ${target.data && !target.data.online && html`<p class="note">No agent of the device is there at the moment: the job waits until one is.</p>`}
          ${state.error && html`<${Failed} error=${state.error} />`}
          <div><button class="button primary" disabled=${state.busy}>${state.busy ? "Starting …" : "Start"}</button></div></form>` : html`<${Empty} title="Your key may look, and not start work">A key of scope measure, or an admin's, can adapt targets.<//>`}
        <details><summary class="small">The same with curl</summary><${Code} text=${curl} /></details><//>
      <${Card} title="What answers now"><${Loaded} call=${target} what="what answers" height=${120}>${() => now ? html`<${Facts} items=${[["Since", html`<${When} at=${now.created_unix_s} />`], ["Made of", html`<a href=${href(`/predictors/${now.predictor_id}`)}><code>${now.predictor_id}</code></a>`], ["Measured networks", count(now.support.length)], ["Left-out error", percent(/** @type {number|null|undefined} */ (now.metrics.support_loo_median_ape))]]} /><a href=${href(`/targets/${id}/quality`)}>How good is it?</a>` : html`<${Empty} title="The base predictor, unadapted">Its intervals are wide: it has seen no measurement of this target.<//>`}<//><//>
    </div>
    <${Card} title="Adaptations" flush><${Loaded} call=${jobs} what="adaptations" height=${120}>${(/** @type {import("../../types").Schema<"Listed_JobRef_">} */ data) => data.items.length ? html`<${Table} caption="Adaptations of this target" rows=${data.items} columns=${[
      { name: "made", title: "Started", cell: (/** @type {any} */ row) => html`<a href=${href(`/jobs/${row.id}`)}><${When} at=${row.created_unix_s} /></a>` },
      { name: "state", title: "State", cell: (/** @type {any} */ row) => html`<${JobState} job=${row} />` },
      { name: "changed", title: "Last change", right: true, cell: (/** @type {any} */ row) => html`<${When} at=${row.updated_unix_s} />` },
    ]} />` : html`<${Empty} title="None yet" />`}<//><//>`;
}
