/** One job, live: its state as it changes, the measurements that it waits for, and how it ended. */
import { html, useEffect, useState } from "../html.js";
import { events, post, session, useApi } from "../api.js";
import { count, duration, ms, percent, shortHash, signed } from "../format.js";
import { href } from "../router.js";
import { Card, Code, Empty, Facts, Failed, Head, Loaded, Stats, Table, When } from "../ui/parts.js";
import { JobState } from "./jobs.js";

const OPEN = ["queued", "leased"];
const AGAIN_MS = 2000;

/** @param {string} id */
export function useLiveJob(id) {
  const call = useApi(`jobs/${id}`);
  const [live, setLive] = useState(/** @type {any} */ (null));
  useEffect(() => {
    const abort = new AbortController();
    let timer = 0;
    const watch = () => events(`jobs/${id}/events`, setLive, abort.signal).catch(() => { if (!abort.signal.aborted) timer = window.setTimeout(watch, AGAIN_MS); });
    watch();
    return () => { abort.abort(); clearTimeout(timer); };
  }, [id]);
  return { ...call, data: live?.id === id ? live : call.data };
}

/** @param {{id: string}} props */
export default function Job({ id }) {
  const call = useLiveJob(id);
  const [error, setError] = useState(/** @type {any} */ (null));
  return html`<${Loaded} call=${call} what="the job" height=${420} page=${{ title: "Job", crumbs: [["Jobs", "/jobs"]] }}>${(/** @type {any} */ job) => html`
    <${Head} title=${{ adapt: "Adaptation", profile: "Measurement job", train: "Training" }[/** @type {"adapt"} */ (job.kind)] ?? job.kind} crumbs=${[["Jobs", "/jobs"]]} lead=${html`<span class="row"><${JobState} job=${job} /><span>made <${When} at=${job.created_unix_s} /></span>${job.target && html`<a href=${href(`/targets/${job.target}`)}>its target</a>`}</span>`}>
      ${session.value?.can_measure && OPEN.includes(job.state) && html`<button type="button" class="button danger" onClick=${() => post(`jobs/${id}/cancel`, {}).then(call.again, setError)}>Cancel the job</button>`}<//>
    ${error && html`<${Failed} error=${error} />`}
    ${job.waiting && html`<${Card} title="Why it waits"><p>${job.waiting}</p><//>`}
    <${Progress} job=${job} />
    ${job.result?.error && html`<${Card} title="Why it failed"><p>${job.result.error}</p><//>`}
    ${job.kind === "adapt" && job.state === "done" && html`<${Outcome} job=${job} />`}
    ${job.kind === "train" && job.result?.predictor_id && html`<div><a class="button primary" href=${href(`/predictors/${job.result.predictor_id}`)}>See the predictor</a></div>`}
    ${job.kind === "adapt" && html`<${Support} job=${job} />`}
    <div class="grid wide">
      <${Card} title="What was asked for"><${Facts} items=${[["Target", job.target && html`<a href=${href(`/targets/${job.target}`)}><code>${job.target}</code></a>`], ["Network", job.graph && html`<a href=${href(`/networks/${job.graph}`)}><code>${shortHash(job.graph)}</code></a>`], ["Measurement", job.result?.measurement_id && html`<a href=${href(`/measurements/${job.result.measurement_id}`)}>${job.result.measurement_id}</a>`], ["Attempts", `${job.attempts} of ${job.max_attempts}`], ["Last change", html`<${When} at=${job.updated_unix_s} />`]]} /><details><summary>Request</summary><${Code} text=${JSON.stringify(job.request, null, 2)} /></details><//>
      <${Card} title="Attempts" flush>${job.reasons.length ? html`<${Table} caption="Attempts" rows=${job.reasons} keyOf=${(/** @type {any} */ row) => row.started_unix_s} columns=${[
        { name: "number", title: "No.", cell: (/** @type {any} */ row) => row.number }, { name: "by", title: "By", cell: (/** @type {any} */ row) => (row.process ? "the service" : "an agent") },
        { name: "outcome", title: "Outcome", cell: (/** @type {any} */ row) => html`<span>${row.outcome ?? "under way"}${row.stage ? ` (${row.stage})` : ""}${row.message && html`<span class="small muted why" title=${row.message}>${row.message}</span>`}</span>` },
        { name: "took", title: "Took", right: true, cell: (/** @type {any} */ row) => (row.ended_unix_s ? duration(row.ended_unix_s - row.started_unix_s) : html`<${When} at=${row.started_unix_s} />`) },
      ]} />` : html`<${Empty} title="Nobody has taken it yet" />`}<//>
    </div>`}<//>`;
}

/** @param {{job: any}} props */
function Progress({ job }) {
  if (job.progress && OPEN.includes(job.state)) return html`<${Card} title="Progress" aside=${html`<span role="status">${job.progress.what}</span>`}><${Track} label="Done" done=${Math.round(100 * job.progress.share)} all=${100} /><//>`;
  const all = Object.values(job.children).reduce((/** @type {number} */ sum, value) => sum + Number(value), 0);
  if (!all) return null;
  const done = job.children.done ?? 0;
  const failed = (job.children.failed ?? 0) + (job.children.cancelled ?? 0);
  return html`<${Card} title="Progress" aside=${html`<span role="status">${count(done)} of ${count(all)} measured${failed ? `, ${failed} failed` : ""}</span>`}>
    <${Track} label="Networks measured" done=${done} failed=${failed} all=${all} /><//>`;
}

/** @param {{label: string, done: number, failed?: number, all: number}} props */
function Track({ label, done, failed = 0, all }) {
  return html`<div class="bars" style=${{ gridTemplateColumns: "1fr" }}><span class="track" role="progressbar" aria-label=${label} aria-valuemin="0" aria-valuemax=${all} aria-valuenow=${done + failed}>
    <span class="fill" style=${{ width: `${(100 * done) / all}%`, transition: "width 0.4s" }}></span><span class="fill" style=${{ left: `${(100 * done) / all}%`, width: `${(100 * failed) / all}%`, background: "var(--bad)" }}></span></span></div>`;
}

/** @param {{job: any}} props */
function Outcome({ job }) {
  const { result } = job;
  return html`<${Stats} items=${[["Measured", count(result.support), result.failed ? `${count(result.failed)} failed` : "none failed"], ["Left-out error", percent(result.support_loo_median_ape), "median; each forecast without itself"], ["Fitted in", ms(result.adapt_ms)], ["Sentinel", ms(result.sentinel_ms), "the machine's speed meanwhile"]]} />
    <div class="row"><a class="button primary" href=${href(`/targets/${job.target}/quality`)}>See the forecast quality</a><a class="button" href=${href("/try", { target: job.target })}>Forecast a network</a></div>`;
}

const WHY = /** @type {Record<string, string>} */ ({
  variance: "Each is the one whose measurement leaves the least doubt about all others, those before it given.",
  random: "Drawn at random.",
  quantile: "Spread evenly over the forecast latencies, from the fastest to the slowest.",
  kmeans: "The ones in the middle of groups of networks that are alike.",
  reference: "The same for every target, so that targets compare.",
});

/** @param {{job: any}} props */
function Support({ job }) {
  const call = useApi(`jobs/${job.id}/children`, {}, { every: OPEN.includes(job.state) ? 2 : 0 });
  if (!call.data?.items.length) return null;
  const rows = [...call.data.items].reverse();
  const missed = rows.filter((one) => one.forecast && one.median_ms).map((one) => Math.abs(missBy(one))).sort((one, other) => one - other);
  return html`<${Card} title="Networks that were chosen" aside=${`by the sampler “${job.request.sampler}”`} note=${WHY[job.request.sampler]} flush>
    ${missed.length > 0 && html`<p class="note" role="status">Before they were measured, forecasts missed ${count(missed.length)} of them by ${percent(missed[Math.floor(missed.length / 2)])} (median).</p>`}
    <${Table} caption="Networks that were chosen" rows=${rows} columns=${[
    { name: "graph", title: "Network", grow: true, cell: (/** @type {Child} */ row) => html`<a class="cut" href=${href(`/networks/${row.graph}`)} title=${row.text}>${row.text ?? shortHash(row.graph ?? "")}</a>` },
    { name: "state", title: "State", cell: (/** @type {Child} */ row) => html`<${JobState} job=${row} />` },
    { name: "ms", title: "Latency", right: true, cell: (/** @type {Child} */ row) => (row.measurement ? html`<a href=${href(`/measurements/${row.measurement}`)}>${ms(row.median_ms)}</a>` : "–") },
    ...(missed.length ? [{ name: "before", title: "Forecast before", right: true, cell: (/** @type {Child} */ row) => ms(row.forecast?.latency_ms) },
    { name: "missed", title: "Missed by", right: true, cell: (/** @type {Child} */ row) => (row.forecast && row.median_ms ? signed(missBy(row)) : "–") }] : []),
  ]} /><//>`;
}

/** @typedef {import("../../types").Schema<"ChildOut">} Child */

/** How far the forecast was off that stood before. @param {Child} row */
const missBy = (row) => (row.forecast?.latency_ms ?? 0) / (row.median_ms ?? 1) - 1;
