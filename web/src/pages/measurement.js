/** One measurement: every sample by process, what surrounded it, its kernels and counters. */
import { html } from "../html.js";
import { post, session, useApi } from "../api.js";
import { absolute, bytes, clock, count, counted, digits, duration, ms, msLike, percent, shortHash, signed, span } from "../format.js";
import { MARGIN, XAxis, YAxis, scale, useWidth } from "../charts/plot.js";
import { href } from "../router.js";
import { Act } from "../ui/act.js";
import { Badge, Bars, Card, Copy, Empty, Facts, Head, Loaded, Stats, Table, When } from "../ui/parts.js";

const MOST_KERNELS = 200;
const TOKENS = ["--series-1", "--series-2", "--series-3", "--series-4"];

/** @param {{id: string}} props */
export default function Measurement({ id }) {
  const call = useApi(`measurements/${id}`);
  return html`<${Loaded} call=${call} what="the measurement" height=${520} page=${{ title: `Measurement ${id}`, crumbs: [["Targets", "/targets"]] }}>${(/** @type {import("../../types").Schema<"MeasurementOut">} */ data) => {
    const { summary, measurement } = data;
    return html`<${Head} title=${`Measurement ${id}`} crumbs=${[["Targets", "/targets"], ["Dataset", `/targets/${summary.target}`]]}
        lead=${html`<span class="row">${summary.text ? html`<span class="cut" style=${{ maxWidth: "52ch" }} title=${summary.text}>${summary.text}</span>` : shortHash(summary.graph ?? "")}<${When} at=${summary.created_unix_s} />${summary.noisy && html`<${Badge} kind="warn">noisy<//>`}${summary.hidden_unix_s && html`<${Badge} title="It teaches, answers and is listed no more">hidden<//>`}</span>`}>
        ${summary.graph && html`<a class="button" href=${href(`/networks/${summary.graph}`, { measurement: id })}>Show the network</a><${Copy} text=${summary.graph} label="Copy hash" />`}
        ${session.value?.can_write && (summary.hidden_unix_s ? html`<${Act} label="Show again" question="Let it teach and answer again?" run=${() => post("measurements/show", { ids: [Number(id)] }).then(call.again)} />`
          : html`<${Act} label="Hide" danger question="Hide it? Adaptations that learned from it end." run=${() => post("measurements/hide", { ids: [Number(id)] }).then(call.again)} />`)}<//>
      ${summary.failure_stage && html`<${Card} title="It failed"><p><${Badge} kind="bad">${summary.failure_stage}<//> ${summary.failure_message}</p><//>`}
      ${summary.median_ms !== null && html`<${Stats} items=${[
        ["Latency", ms(summary.median_ms), `10–90 %: ${span(summary.p10_ms, summary.p90_ms)}`],
        ["Noise", percent((summary.iqr_ms ?? 0) / summary.median_ms), "interquartile range over median"],
        ["Between processes", percent(summary.process_spread), "highest over lowest median"],
        ["Samples", count(summary.samples), `in ${counted(measurement.runs.length, "process", "processes")}`],
        ...(data.forecast ? [["Forecast before", ms(data.forecast.latency_ms), `missed by ${signed(data.forecast.latency_ms / summary.median_ms - 1)}${data.forecast.interval_ms ? `; ${span(...data.forecast.interval_ms)}` : ""}`]] : []),
        ["Peak memory", bytes(summary.peak_memory_bytes || null), `loaded in ${ms(measurement.runs[0]?.load_ms)}`],
      ]} />`}
      ${measurement.runs.length > 0 && html`<${Card} title="Samples" aside="each dot is one run of the network, in order; one colour a process"><${Samples} runs=${measurement.runs} median=${summary.median_ms} /><//>`}
      <div class="grid wide">
        <${Kernels} runs=${measurement.runs} graph=${summary.graph} id=${id} />
        <div class="stack"><${Surroundings} measurement=${measurement} source=${data.source} summary=${summary} /><${Counters} runs=${measurement.runs} /></div>
      </div>`;
  }}<//>`;
}

/** @param {{runs: any[], median: number, height?: number}} props */
function Samples({ runs, median, height = 220 }) {
  const [ref, width] = useWidth();
  const all = runs.flatMap((run) => run.samples_ms);
  const sorted = [...all].sort((one, other) => one - other);
  const top = Math.max(sorted[Math.floor(0.995 * (sorted.length - 1))] * 1.05, median * 1.05);
  const bottom = sorted[0] * 0.98;
  const x = scale([0, all.length], [MARGIN.left, width - MARGIN.right]);
  const y = scale([bottom, top], [height - MARGIN.bottom, MARGIN.top]);
  const above = all.filter((value) => value > top).length;
  let place = 0;
  return html`<div class="plot" ref=${ref} style=${{ height: `${height}px` }}>${width > 0 && html`<svg width=${width} height=${height} role="img" aria-label=${`${all.length} samples from ${ms(sorted[0])} to ${ms(sorted[sorted.length - 1])}`}>
    <${YAxis} scale=${y} width=${width} height=${height} format=${msLike(median)} />
    ${runs.map((run, index) => html`<path style=${{ stroke: `var(${TOKENS[index % TOKENS.length]})` }} stroke-width=${all.length > 600 ? 2.5 : 6} stroke-linecap="round" fill="none" d=${run.samples_ms.map((/** @type {number} */ value) => `M${x(place++ + 0.5).toFixed(1)} ${y(Math.min(value, top)).toFixed(1)}h0`).join("")} />`)}
    <line x1=${MARGIN.left} x2=${width - MARGIN.right} y1=${y(median)} y2=${y(median)} style=${{ stroke: "var(--ink)" }} stroke-dasharray="3 3" /><text x=${width - MARGIN.right} y=${y(median) - 5} text-anchor="end">median ${ms(median)}</text>
    <${XAxis} scale=${x} width=${width} height=${height} format=${count} whole label=${above ? `${above} slower samples are drawn at the top` : "sample"} /></svg>`}</div>`;
}

/** @param {{runs: any[], graph: string, id: string}} props */
function Kernels({ runs, graph, id }) {
  const kernels = runs.find((run) => run.kernels)?.kernels;
  if (!kernels) return html`<${Card} title="Kernels"><${Empty} title="No kernels were timed">${runs[0]?.no_kernels || "The runtime was not asked, or does not tell."}<//><//>`;
  const sums = new Map();
  for (const kernel of kernels) sums.set(kernel.operator, (sums.get(kernel.operator) ?? 0) + kernel.share);
  const shares = [...sums].sort((one, other) => other[1] - one[1]).slice(0, 10);
  return html`<${Card} title="Kernels" aside=${html`<a href=${href(`/networks/${graph}`, { measurement: id })}>on the graph</a>`}>
    <${Bars} rows=${shares.map(([name, share]) => ({ name, value: share, text: percent(share) }))} />
    <div class="tall" tabindex="0" role="region" aria-label="Kernels in order"><${Table} caption="Kernels in order of execution" rows=${kernels.slice(0, MOST_KERNELS)} keyOf=${(/** @type {any} */ row) => kernels.indexOf(row)} columns=${[
      { name: "operator", title: "Kernel", grow: true, cell: (/** @type {any} */ row) => html`<span class="cut" title=${row.operator}>${row.operator}</span>` },
      { name: "shape", title: "Output", cell: (/** @type {any} */ row) => html`<code>${(row.output_shapes[0] ?? []).join("×") || "scalar"}</code>` },
      { name: "ms", title: "Time", right: true, cell: (/** @type {any} */ row) => ms(row.time_ms) },
      { name: "share", title: "Share", right: true, cell: (/** @type {any} */ row) => percent(row.share) },
    ]} /></div>${kernels.length > MOST_KERNELS && html`<p class="note">The first ${MOST_KERNELS} of ${count(kernels.length)} kernels.</p>`}<//>`;
}

const CONDITIONS = /** @type {[string, string, (value: any) => any][]} */ ([
  ["time_unix_s", "Time", (value) => html`<time class="nowrap" title=${absolute(value)}>${clock(value)}</time>`], ["load_1m", "Load over 1 min", (value) => digits(value)], ["steal_share", "Taken by the hypervisor", (value) => percent(value)],
  ["frequency_mhz", "Clock", (value) => `${digits(value)} MHz`], ["temperature_c", "Temperature", (value) => `${digits(value)} °C`], ["governor", "Governor", String],
]);

/** @param {{value: any, format?: (value: any) => any}} props words of the machine may be long */
function Condition({ value, format = String }) {
  if (value === null || value === undefined) return html`<td class="r">–</td>`;
  return typeof value === "number" ? html`<td class="r">${format === String ? digits(value) : format(value)}</td>` : html`<td class="r"><span class="cut" title=${String(value)}>${format(value)}</span></td>`;
}

/** @param {{measurement: any, source: string, summary: any}} props */
function Surroundings({ measurement, source, summary }) {
  const { before, after, settings } = measurement;
  const rest = Object.entries(before ?? {}).filter(([name, value]) => value !== null && typeof value !== "object" && !CONDITIONS.some(([known]) => known === name));
  return html`<${Card} title="Conditions">${before ? html`<div class="scroll" tabindex="0" role="region" aria-label="Conditions before and after"><table><caption class="visually-hidden">Conditions before and after</caption><thead><tr><th scope="col"><span class="visually-hidden">Condition</span></th><th scope="col" class="r">Before</th><th scope="col" class="r">After</th></tr></thead><tbody>
      ${CONDITIONS.filter(([name]) => before[name] !== undefined && before[name] !== null).map(([name, title, format]) => html`<tr><td class="nowrap">${title}</td><${Condition} value=${before[name]} format=${format} /><${Condition} value=${after?.[name]} format=${format} /></tr>`)}
      ${rest.map(([name, value]) => html`<tr><td>${name.replaceAll("_", " ")}</td><${Condition} value=${value} /><${Condition} value=${after?.[name]} /></tr>`)}</tbody></table></div>` : html`<${Empty} title="Not recorded" />`}
    <${Facts} items=${[["Source", html`<a href=${href(`/targets/${summary.target}`, { source: summary.agent ?? "none" })}>${source}</a>`], ["Job", summary.job && html`<a href=${href(`/jobs/${summary.job}`)}><code class="small">${summary.job}</code></a>`], ["Sentinel", measurement.sentinel_ms.length ? measurement.sentinel_ms.map(ms).join(", ") : "did not run"], ["Backend", settings.backend], ["Threads", settings.threads], ["Protocol", `version ${measurement.protocol_version}`],
      ["Took", before && after ? duration(after.time_unix_s - before.time_unix_s) : null], ["Feeds", measurement.feeds.length ? `${measurement.feeds.length} of its own` : "default"]]} /><//>`;
}

/** @param {{runs: any[], aside?: any}} props */
export function Counters({ runs, aside = "for one run" }) {
  const counters = runs.find((run) => run.counters)?.counters;
  if (!counters) return html`<${Card} title="Counters" aside=${aside}><${Empty} title="Nothing was counted">The agent was not asked for counters, or has no reader for them.<//><//>`;
  const rows = [...Object.entries(counters.values ?? {}).map(([name, value]) => ({ name, value })), ...Object.entries(counters.absent ?? {}).map(([name, why]) => ({ name, why }))];
  return html`<${Card} title="Counters" aside=${aside} flush><${Table} caption="Counters" rows=${rows} keyOf=${(/** @type {any} */ row) => row.name} columns=${[
    { name: "name", title: "Event", cell: (/** @type {any} */ row) => html`<code>${row.name}</code>` },
    { name: "value", title: "Count", right: true, cell: (/** @type {any} */ row) => (row.value === undefined ? html`<span class="muted text">absent: ${row.why}</span>` : row.name.endsWith("-ns") || row.name === "task-clock" ? ms(row.value / 1e6) : digits(row.value)) },
  ]} /><//>`;
}
