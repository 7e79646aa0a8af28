/** A machine: what it is, whether it is there, what it can do at best, and its targets. */
import { html, useEffect, useRef, useState } from "../html.js";
import { post, remove, session, useApi } from "../api.js";
import { MARGIN, XAxis, YAxis, scale, useWidth } from "../charts/plot.js";
import { absolute, bytes, count, counted, digits, ms, percent } from "../format.js";
import { change, go, href } from "../router.js";
import { Act } from "../ui/act.js";
import { Card, Copy, Empty, Facts, Failed, Head, Loaded, Table, When } from "../ui/parts.js";
import { Counters } from "./measurement.js";
import { DeviceState } from "./overview.js";
import { TargetState, errorOf } from "./targets.js";

/** @param {{id: string, query: URLSearchParams}} props */
export default function Device({ id, query }) {
  const devices = useApi(`devices/${id}`, { target: query.get("target") }, { every: 15 });
  const [renaming, setRenaming] = useState(false);
  return html`<${Loaded} call=${devices} what="the device" height=${420} page=${{ title: "Device", crumbs: [["Overview", "/"]] }}>${(/** @type {import("../../types").Schema<"DevicePageOut">} */ data) => {
    const { device: row, targets: own, target: shown } = data;
    const { device } = row;
    const label = own.find((one) => one.id === shown)?.label;
    return html`<${Head} title=${row.name} crumbs=${[["Overview", "/"]]} lead=${html`<span class="row"><span>${device.processor}</span><${DeviceState} device=${row} /></span>`}><${Copy} text=${id} label="Copy id" />
      ${session.value?.can_write && html`<button type="button" class="button" id="rename" aria-expanded=${renaming} onClick=${() => setRenaming(!renaming)}>Rename</button>
        <${Act} label="Hide" danger question="Hide it with its targets and measurements, and end its agent’s key?" run=${async () => { await remove(`devices/${id}`); go("/targets", { hidden: 1 }); }} />`}<//>
      ${renaming && html`<${Rename} id=${id} name=${row.name} done=${() => { setRenaming(false); document.getElementById("rename")?.focus(); devices.again(); }} close=${() => { setRenaming(false); document.getElementById("rename")?.focus(); }} />`}
      ${row.quarantined_unix_s && html`<${Quarantine} id=${id} since=${row.quarantined_unix_s} done=${devices.again} />`}
      <div class="grid wide">
        <${Card} title="The machine"><${Facts} items=${[["Processor", `${device.processor} (${device.machine})`], ["Cores", `${device.physical_cores} physical, ${device.logical_cores} logical`], ["Memory", bytes(device.memory_bytes)],
          ["Caches", Object.entries(device.cache_bytes ?? {}).map(([name, size]) => `${name} ${bytes(size)}`).join(", ")], ["Features", html`<span class="mono small">${device.features.join(" ")}</span>`], ["System", device.system],
          ...Object.entries(device.details ?? {}).map(([name, value]) => [name.replaceAll("_", " "), String(value)])]} /><//>
        <${Card} title="Live state"><${Facts} items=${[["Agent", row.online ? "called just now" : row.seen_unix_s ? html`silent since <${When} at=${row.seen_unix_s} />` : "never called"], ["Last call", absolute(row.seen_unix_s)], ["Registered", absolute(row.registered_unix_s)], ["First seen", absolute(row.created_unix_s)], ["Targets", `${count(own.length)}, of which ${count(own.filter((/** @type {any} */ one) => one.offered).length)} are offered`], ["Id", html`<code class="small">${id}</code>`]]} />
          ${!row.online && html`<p class="note">Start its agent again with <code>latcast agent</code> on the device.</p>`}<//>
      </div>
      <${Card} title="Targets" flush>${own.length ? html`<${Table} caption="Targets of the device" rows=${own} columns=${[
        { name: "label", title: "Target", grow: true, cell: (/** @type {any} */ one) => html`<a class="cut" href=${href(`/targets/${one.id}`)} title=${one.label}>${one.label}</a>` },
        { name: "state", title: "State", cell: (/** @type {any} */ one) => html`<${TargetState} target=${one} />` },
        { name: "measurements", title: "Measurements", right: true, cell: (/** @type {any} */ one) => count(one.measurements) },
        { name: "error", title: "Error", right: true, cell: errorOf },
        { name: "bench", title: "Microbenchmarks", cell: (/** @type {any} */ one) => (one.microbench ? html`<button type="button" class="button quiet" aria-pressed=${one.id === shown} onClick=${() => change({ target: one.id })}>show ${counted(one.microbench.entries, "probe")}</button>` : html`<span class="muted">not run</span>`) },
      ]} />` : html`<${Empty} title="No targets" />`}<//>
      ${data.microbench ? html`<${Bench} data=${data.microbench} label=${label} newest=${data.newest} />` : data.newest && html`<${NewestCounters} newest=${data.newest} label=${label} />`}`;
  }}<//>`;
}

/** @param {{id: string, name: string, done: () => void, close: () => void}} props */
function Rename({ id, name, done, close }) {
  const [error, setError] = useState(/** @type {any} */ (null));
  const field = useRef(/** @type {HTMLInputElement|null} */ (null));
  useEffect(() => field.current?.select(), []);
  const save = (/** @type {any} */ event) => { event.preventDefault(); post(`devices/${id}/rename`, { name: event.target.elements.name.value.trim() }).then(done, setError); };
  return html`<form class="card row" onSubmit=${save} onKeyDown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") close(); }}><label class="field">Name<input ref=${field} name="name" value=${name} maxlength="100" required /></label><button class="button primary">Save</button><button type="button" class="button" onClick=${close}>Cancel</button>${error && html`<${Failed} error=${error} />`}</form>`;
}

/** @param {{id: string, since: number, done: () => void}} props */
function Quarantine({ id, since, done }) {
  return html`<div class="notice row spread" role="note"><span>What its agent reports is hidden since <${When} at=${since} />, until somebody ends the quarantine.</span>
    ${session.value?.can_write && html`<${Act} label="End the quarantine" question="Show all that its agent reported, too?" run=${() => post("measurements/show", { agent: id }).then(done)} />`}</div>`;
}

/** What the newest measurement of a target counted, and what was absent. @param {{newest: import("../../types").Schema<"MeasurementOut">, label?: string}} props */
function NewestCounters({ newest, label }) {
  return html`<${Counters} runs=${newest.measurement.runs} aside=${html`<a href=${href(`/measurements/${newest.summary.id}`)}>in the newest measurement</a><span class="cut" title=${label}>${label}</span>`} />`;
}

/** FLOPs and bytes of the probes whose size stands in their name. @param {string} name */
function workOf(name) {
  const gemm = /^gemm_(\d+)_ms$/.exec(name);
  if (gemm) { const size = Number(gemm[1]); return { flops: 2 * size ** 3, bytes: 12 * size ** 2 }; }
  const gemv = /^gemv_(\d+)_ms$/.exec(name);
  if (gemv) { const size = Number(gemv[1]); return { flops: 2 * size ** 2, bytes: 4 * size ** 2 + 8 * size }; }
  const conv = /^conv(\d)x\d_(\d+)x(\d+)_ms$/.exec(name);
  if (conv) { const [kernel, channels, size] = conv.slice(1).map(Number); const out = kernel === 7 ? 32 : channels; const places = kernel === 7 ? (size / 2) ** 2 : size ** 2; return { flops: 2 * kernel ** 2 * channels * out * places, bytes: 4 * (channels * size ** 2 + out * places + kernel ** 2 * channels * out) }; }
  const depth = /^depthwise3x3_(\d+)x(\d+)_ms$/.exec(name);
  if (depth) { const [channels, size] = depth.slice(1).map(Number); return { flops: 18 * channels * size ** 2, bytes: 8 * channels * size ** 2 }; }
  const element = /^elementwise_(\d+)([km])_ms$/.exec(name);
  if (element) { const size = Number(element[1]) * (element[2] === "k" ? 1024 : 1024 ** 2); return { flops: size / 4, bytes: 3 * size, size }; }
  return null;
}

/** @param {{data: import("../../types").Schema<"MicrobenchOut">, label?: string, newest: import("../../types").Schema<"MeasurementOut">|null}} props */
function Bench({ data, label, newest }) {
  const { values, spread = {}, missing = {} } = data.microbench;
  const probes = Object.entries(values).map(([name, value]) => ({ name, value: Number(value), work: workOf(name) })).filter((one) => one.work);
  return html`<div class="grid wide">
    <div class="stack gap"><${Card} title="Roofline" aside=${html`<span class="cut" title=${label}>${label}</span>`} note="What small known kernels reach: work against the bytes that they have to move at least. The slope is main memory; what lies above it stays in caches."><${Roofline} probes=${probes} /><//>${newest && html`<${NewestCounters} newest=${newest} label=${label} />`}</div>
    <${Card} title="Microbenchmarks" aside=${html`<${When} at=${data.created_unix_s} />`} flush><${Table} caption="Microbenchmarks" rows=${Object.entries(values)} keyOf=${(/** @type {any} */ row) => row[0]} columns=${[
      { name: "name", title: "Probe", cell: (/** @type {any} */ row) => html`<code>${row[0].replace(/_ms$/, "")}</code>` },
      { name: "value", title: "Value", right: true, cell: (/** @type {any} */ row) => (row[0].endsWith("_ms") ? ms(row[1]) : `× ${digits(row[1])}`) },
      { name: "rate", title: "Reaches", right: true, cell: (/** @type {any} */ row) => { const work = workOf(row[0]); return work ? `${digits(work.flops / row[1] / 1e6)} GFLOP/s` : ""; } },
      ...(Object.keys(spread).length ? [{ name: "spread", title: "Spread", right: true, cell: (/** @type {any} */ row) => (spread[row[0]] === undefined ? "" : percent(spread[row[0]])) }] : []),
    ]} />${Object.keys(missing).length > 0 && html`<p class="note" style=${{ padding: "0 var(--s4) var(--s4)" }}>Absent: ${Object.entries(missing).map(([name, why]) => `${name} (${why})`).join("; ")}</p>`}<//>
  </div>`;
}

/** @param {{probes: any[], height?: number}} props */
function Roofline({ probes, height = 340 }) {
  const [ref, width] = useWidth();
  if (!probes.length) return html`<${Empty} title="No probe with known work" />`;
  const points = probes.map((probe) => ({ ...probe, x: probe.work.flops / probe.work.bytes, y: probe.work.flops / probe.value / 1e6 }));
  const peak = Math.max(...points.map((point) => point.y));
  const largest = [...points].filter((point) => point.work.size).sort((one, other) => other.work.size - one.work.size)[0];
  const traffic = largest ? largest.work.bytes / largest.value / 1e6 : Math.max(...points.map((point) => point.y / point.x));
  const ridge = peak / traffic;
  const x = scale([Math.min(0.08, ...points.map((point) => point.x)) / 1.3, Math.max(...points.map((point) => point.x)) * 1.6], [MARGIN.left, width - MARGIN.right], true);
  const y = scale([Math.min(...points.map((point) => point.y)) / 1.6, peak * 1.6], [height - MARGIN.bottom, MARGIN.top + 8], true);
  return html`<div class="plot" ref=${ref} style=${{ height: `${height}px` }}>${width > 0 && html`<svg width=${width} height=${height} role="img" aria-label=${`Roofline: ${digits(peak)} GFLOP/s at best, ${digits(traffic)} GB/s at best.`}>
    <${YAxis} scale=${y} width=${width} height=${height} format=${(/** @type {number} */ value) => digits(value, 2)} label="GFLOP/s" />
    <${XAxis} scale=${x} width=${width} height=${height} format=${(/** @type {number} */ value) => digits(value, 2)} label="FLOP for each byte" />
    <polyline fill="none" style=${{ stroke: "var(--series-2)" }} stroke-width="2" points=${`${x(x.domain[0])},${y(x.domain[0] * traffic)} ${x(ridge)},${y(peak)} ${x(x.domain[1])},${y(peak)}`} />
    <text x=${width - MARGIN.right} y=${y(peak) - 6} text-anchor="end">${digits(peak)} GFLOP/s</text><text x=${x(Math.sqrt(x.domain[0] * ridge)) - 8} y=${y(Math.sqrt(x.domain[0] * ridge) * traffic) - 4} text-anchor="end">${digits(traffic)} GB/s</text>
    ${points.map((point) => html`<circle cx=${x(point.x)} cy=${y(point.y)} r="4.5" style=${{ fill: "var(--series-1)" }}><title>${`${point.name.replace(/_ms$/, "")}: ${digits(point.y)} GFLOP/s in ${ms(point.value)}`}</title></circle>`)}
  </svg>`}</div>`;
}
