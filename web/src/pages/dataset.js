/** The measurements of a target: a table first, what they are spread over, latency against work, noise and drift. */
import { html, useEffect, useRef, useState } from "../html.js";
import { download, remove, session, urlOf, useApi } from "../api.js";
import { Histogram } from "../charts/histogram.js";
import { Scatter } from "../charts/scatter.js";
import { Band } from "../charts/time.js";
import { absolute, compact, count, flops, ms, percent, shortHash, span } from "../format.js";
import { change, go, href } from "../router.js";
import { Act } from "../ui/act.js";
import { HiddenRows } from "../ui/hidden.js";
import { Badge, Bars, Card, Copy, Empty, Failed, Loaded, Loading, Missing, Table, When } from "../ui/parts.js";
import { TargetHead } from "../ui/target.js";

const PAGE = 20;
const FILTERS = ["outcome", "noisy", "family", "space", "operator", "ms_min", "ms_max", "flops_min", "flops_max", "noise_min", "noise_max", "created_min", "created_max", "graph", "source", "job", "q"];
const LISTS = ["family", "space", "operator", "source"];
const RANGES = /** @type {[string, string, (value: number) => string][]} */ ([["ms", "Latency", ms], ["flops", "FLOPs", flops], ["noise", "Noise", percent], ["created", "Time", absolute]]);
const MOST_NAMES = 8;

/** @param {{id: string, query: URLSearchParams}} props */
export default function Dataset({ id, query }) {
  const filter = /** @type {Record<string, any>} */ ({});
  for (const name of FILTERS) {
    const values = query.getAll(name);
    if (values.length) filter[name] = LISTS.includes(name) ? values : values[0];
  }
  const sort = query.get("sort") ?? "-id";
  const offset = Number(query.get("offset") ?? 0);
  const target = useApi(`targets/${id}`);
  const rows = useApi(`targets/${id}/rows`, { ...filter, sort, offset, limit: PAGE });
  const bins = useApi(`targets/${id}/bins`, filter);
  const sources = new Map((bins.data?.facets.source ?? []).map((/** @type {any} */ one) => [one.name, one.label ?? one.name]));
  const refine = (/** @type {Record<string, any>} */ changes) => change({ ...changes, offset: null });
  if (target.error?.status === 404) return html`<${Missing} title="Target" crumbs=${[["Targets", "/targets"]]} error=${target.error} />`;
  return html`<${TargetHead} id=${id} target=${target.data}>
      <${Export} id=${id} filter=${filter} />
      <button type="button" class="button" aria-pressed=${query.has("hidden")} onClick=${() => change({ hidden: query.has("hidden") ? null : 1, cursor: null })}>Hidden rows</button>
      ${session.value?.can_write && html`<${Act} label="Hide target" danger question="Hide the target with all that was measured on it?" run=${async () => { await remove(`targets/${id}`); go("/targets", { hidden: 1 }); }} />`}
    <//>
    ${query.has("hidden") && html`<${HiddenRows} id=${id} query=${query} />`}
    <${Filters} filter=${filter} bins=${bins.data} refine=${refine} matched=${rows.data} />
    <${Card} flush class=${rows.loading && rows.stale ? "dim" : ""}>
      <${Loaded} call=${rows} what="measurements" height=${860}>${(/** @type {import("../../types").Schema<"RowsOut">} */ data) => (data.items.length === 0
        ? html`<${Empty} title=${data.total ? "No measurement fits the filter" : "Nothing has been measured yet"}>${data.total ? html`<button class="button" onClick=${() => refine(Object.fromEntries(FILTERS.map((name) => [name, null])))}>Show all ${count(data.total)}</button>` : html`<span>Adapt the target, or measure networks: <code>latcast profile --target ${id}</code></span>`}<//>`
        : html`<${Table} caption="Measurements" rows=${data.items} sort=${sort} onSort=${(/** @type {string} */ by) => change({ sort: by, offset: null })} columns=${columnsOf(sources)} />
          <div class="pager"><span>${count(data.offset + 1)}–${count(data.offset + data.items.length)} of ${count(data.matched)}</span><span class="row">
            <button class="button" disabled=${offset === 0} onClick=${() => change({ offset: Math.max(0, offset - PAGE) || null })}>Previous</button>
            <button class="button" disabled=${offset + PAGE >= data.matched} onClick=${() => change({ offset: offset + PAGE })}>Next</button></span></div>`)}<//>
    <//>
    ${bins.error && !bins.data ? html`<${Card} title="Charts"><${Failed} error=${bins.error} again=${bins.again} /><//>` : html`<${Charts} bins=${bins} filter=${filter} refine=${refine} />`}`;
}

/** The columns of the table; the last is as wide before the names of sources are known. @param {Map<string, string>} sources names by agent */
function columnsOf(sources) {
  return [...COLUMNS, { name: "source", title: "Source", cell: (/** @type {any} */ row) => { const name = sources.get(row.agent ?? "none") ?? "…"; return html`<span class="cut source" title=${name}>${name}</span>`; } }];
}

const COLUMNS = [
  { name: "id", title: "Stored", sort: "id", cell: (/** @type {any} */ row) => html`<a href=${href(`/measurements/${row.id}`)}><${When} at=${row.created_unix_s} /></a>` },
  { name: "what", title: "Network", grow: true, cell: (/** @type {any} */ row) => html`<${Network} row=${row} />` },
  { name: "ms", title: "Latency", right: true, sort: "ms", cell: (/** @type {any} */ row) => (row.failure_stage ? html`<${Badge} kind="bad" title=${row.failure_message}>failed: ${row.failure_stage}<//>` : html`<strong>${ms(row.median_ms)}</strong>`) },
  { name: "spread", title: "10–90 %", right: true, cell: (/** @type {any} */ row) => (row.p10_ms ? html`<span class="muted">${span(row.p10_ms, row.p90_ms)}</span>` : "–") },
  { name: "noise", title: html`<abbr title="Interquartile range over median">Noise</abbr>`, right: true, sort: "noise", cell: (/** @type {any} */ row) => (row.median_ms && row.iqr_ms !== null ? html`<span class="row end">${row.noisy && html`<${Badge} kind="warn">noisy<//>`}${percent(row.iqr_ms / row.median_ms)}</span>` : "–") },
  { name: "samples", title: "Samples", right: true, cell: (/** @type {any} */ row) => (row.samples ? count(row.samples) : row.statistic === "samples" ? "–" : row.statistic) },
];

/** @param {{row: any}} props */
export function Network({ row }) {
  const name = row.text ? row.text : row.graph ? shortHash(row.graph) : "";
  return html`<span class="cut" title=${row.text ?? row.graph}>${row.graph ? html`<a href=${href(`/networks/${row.graph}`, { measurement: row.id })}>${name}</a>` : name}</span>`;
}

/** @param {{id: string, filter: any}} props */
function Export({ id, filter }) {
  const [busy, setBusy] = useState("");
  const [error, setError] = useState(/** @type {any} */ (null));
  const save = async (/** @type {string} */ kind) => {
    setBusy(kind);
    setError(null);
    await download(`targets/${id}/rows.${kind}`, filter, `${id}.${kind}`).catch(setError).finally(() => setBusy(""));
  };
  const curl = `curl '${urlOf(`targets/${id}/rows.csv`, filter)}'`;
  return html`${["csv", "parquet"].map((kind) => html`<button type="button" class="button" disabled=${!!busy} onClick=${() => save(kind)}>${busy === kind ? "Saving …" : kind === "csv" ? "CSV" : "Parquet"}</button>`)}<${Copy} text=${curl} label="Copy curl" />${error && html`<span role="alert" class="badge bad wrap">${error.message}</span>`}`;
}

/** @param {{filter: any, bins: any, refine: (changes: any) => void, matched: any}} props */
function Filters({ filter, bins, refine, matched }) {
  const [text, setText] = useState(filter.q ?? "");
  const [ranges, setRanges] = useState(false);
  useEffect(() => setText(filter.q ?? ""), [filter.q]);
  useEffect(() => {
    if (text === (filter.q ?? "")) return undefined;
    const timer = setTimeout(() => refine({ q: text }), 250);
    return () => clearTimeout(timer);
  }, [text]);
  const sources = /** @type {any[]} */ (bins?.facets.source ?? []);
  const active = [
    ...LISTS.flatMap((name) => (filter[name] ?? []).map((/** @type {string} */ value) => [name === "source" ? sources.find((one) => one.name === value)?.label ?? value : value, { [name]: filter[name].filter((/** @type {string} */ one) => one !== value) }])),
    ...RANGES.filter(([name]) => filter[`${name}_min`] || filter[`${name}_max`]).map(([name, title, format]) => [`${title} ${filter[`${name}_min`] ? format(Number(filter[`${name}_min`])) : "…"} – ${filter[`${name}_max`] ? format(Number(filter[`${name}_max`])) : "…"}`, { [`${name}_min`]: null, [`${name}_max`]: null }]),
    ...(filter.graph ? [[shortHash(filter.graph), { graph: null }]] : []),
    ...(filter.job ? [[`of job ${filter.job.slice(0, 8)}…`, { job: null }]] : []),
  ];
  const operators = bins?.facets.operator ?? [];
  const box = useRef(/** @type {HTMLElement|null} */ (null));
  return html`<search class="row filters" aria-label="Filter" tabindex="-1" ref=${box}>
    <label class="field"><span class="visually-hidden">Search networks</span><input type="search" placeholder="Search network or hash" style=${{ width: "230px" }} value=${text} onInput=${(/** @type {any} */ event) => setText(event.target.value)} /></label>
    <label class="field"><span class="visually-hidden">Outcome</span><select value=${filter.outcome ?? "all"} onChange=${(/** @type {any} */ event) => refine({ outcome: event.target.value === "all" ? null : event.target.value })}><option value="all">All outcomes</option><option value="measured">Measured</option><option value="failed">Failed</option></select></label>
    <label class="field"><span class="visually-hidden">Noise</span><select value=${filter.noisy ?? ""} onChange=${(/** @type {any} */ event) => refine({ noisy: event.target.value })}><option value="">Noisy or not</option><option value="false">Steady</option><option value="true">Noisy</option></select></label>
    <label class="field"><span class="visually-hidden">Operator</span><select value="" onChange=${(/** @type {any} */ event) => refine({ operator: [...(filter.operator ?? []), event.target.value] })}><option value="">Operator …</option>${operators.map((/** @type {any} */ one) => html`<option value=${one.name}>${one.name} (${compact(one.count)})</option>`)}</select></label>
    <label class="field"><span class="visually-hidden">Source</span><select value="" onChange=${(/** @type {any} */ event) => refine({ source: [...(filter.source ?? []), event.target.value] })}><option value="">Source …</option>${sources.map((one) => html`<option value=${one.name}>${one.label ?? one.name} (${compact(one.count)})</option>`)}</select></label>
    <button type="button" class="button" id="ranges" aria-expanded=${ranges} onClick=${() => setRanges(!ranges)}>Ranges</button>
    ${active.map(([name, undo]) => html`<button type="button" class="chip" aria-pressed="true" onClick=${() => { refine(undo); box.current?.focus(); }} aria-label=${`Remove the filter ${name}`}>${name} ✕</button>`)}
    <span class="muted small" role="status">${matched ? `${count(matched.matched)} of ${count(matched.total)}` : "\u00a0"}</span>
    ${ranges && html`<${Ranges} filter=${filter} refine=${refine} close=${() => { setRanges(false); document.getElementById("ranges")?.focus(); }} />`}
  </search>`;
}

/** How ranges are typed: unit, how much of the API's unit it is. */
const UNITS = /** @type {Record<string, [string, number]>} */ ({ ms: ["ms", 1], flops: ["MFLOP", 1e6], noise: ["%", 0.01], created: ["", 1] });

/** The same ranges that can be drawn on charts, in fields. @param {{filter: any, refine: (changes: any) => void, close: () => void}} props */
function Ranges({ filter, refine, close }) {
  const wanted = Object.fromEntries(RANGES.flatMap(([name]) => ["min", "max"].map((end) => [`${name}_${end}`, typed(name, filter[`${name}_${end}`])])));
  const [fields, setFields] = useState(wanted);
  useEffect(() => setFields(wanted), [JSON.stringify(wanted)]);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const changes = /** @type {Record<string, any>} */ ({});
    for (const [name] of RANGES) for (const end of ["min", "max"]) {
      const text = fields[`${name}_${end}`];
      changes[`${name}_${end}`] = text === "" ? null : name === "created" ? new Date(text).getTime() / 1000 : Number((Number(text) * UNITS[name][1]).toPrecision(12));
    }
    refine(changes);
  };
  return html`<form class="row ranges" aria-label="Ranges" onSubmit=${submit} onKeyDown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") close(); }}>${RANGES.map(([name, title]) => html`<fieldset class="range"><legend>${title}${UNITS[name][0] && ` in ${UNITS[name][0]}`}</legend>
      ${["min", "max"].map((end) => html`<input name=${`${name}_${end}`} type=${name === "created" ? "datetime-local" : "number"} min=${name === "created" ? undefined : "0"} step="any" aria-label=${`${title}, ${end === "min" ? "from" : "to"}`} placeholder=${end === "min" ? "from" : "to"} value=${fields[`${name}_${end}`]} onInput=${(/** @type {any} */ event) => setFields({ ...fields, [`${name}_${end}`]: event.target.value })} />`)}</fieldset>`)}
    <button class="button primary">Filter</button></form>`;
}

/** A value of the address as a field has it. @param {string} name @param {string|undefined} value */
function typed(name, value) {
  if (value === undefined) return "";
  if (name !== "created") return String(Number((Number(value) / UNITS[name][1]).toPrecision(12)));
  const date = new Date(Number(value) * 1000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** @param {{bins: any, filter: any, refine: (changes: any) => void}} props */
function Charts({ bins, filter, refine }) {
  const data = bins.data;
  if (!data) return html`<div class="grid wide">${["Latency against work", "Latency", "FLOPs", "Noise"].map((title) => html`<${Card} title=${title}><${Loading} what=${title} height=${200} /><//>`)}</div>`;
  if (!data.total) return null;
  const [latency, work, noise, created] = data.histograms;
  const range = (/** @type {string} */ name) => (/** @type {number} */ from, /** @type {number} */ to) => refine({ [`${name}_min`]: from.toPrecision(name === "created" ? 12 : 4), [`${name}_max`]: to.toPrecision(name === "created" ? 12 : 4) });
  const points = data.scatter.points?.map((/** @type {any} */ [row, x, y, noisy]) => ({ x, y, token: noisy ? "--series-2" : "--series-1", href: href(`/measurements/${row}`), text: `${flops(x)}, ${ms(y)}${noisy ? ", noisy" : ""}` })) ?? null;
  const choose = (/** @type {string} */ name) => (/** @type {string} */ value) => {
    const chosen = filter[name] ?? [];
    refine({ [name]: chosen.includes(value) ? chosen.filter((/** @type {string} */ one) => one !== value) : [...chosen, value] });
  };
  return html`<div class=${`grid wide ${bins.loading && bins.stale ? "dim" : ""}`} aria-busy=${bins.loading && bins.stale}>
    ${data.scatter.points?.length !== 0 && html`<${Card} title="Latency against work" aside=${points ? "draw a box to filter, double-click a point to open it" : "density; draw a box to filter"}>
      <${Scatter} points=${points} grid=${data.scatter} label="Latency against FLOPs" xLabel="FLOPs of one run" yLabel="latency" xFormat=${flops} yFormat=${ms}
        onBox=${(/** @type {number[]} */ x, /** @type {number[]} */ y) => refine({ flops_min: x[0].toPrecision(4), flops_max: x[1].toPrecision(4), ms_min: y[0].toPrecision(4), ms_max: y[1].toPrecision(4) })} />
    <//>`}
    <${Card} title="Latency" aside="draw a range to filter"><${Histogram} data=${latency} label="Latency" format=${ms} onRange=${range("ms")} />
      <h3>FLOPs</h3><${Histogram} data=${work} label="FLOPs" format=${flops} onRange=${range("flops")} /><//>
    <${Card} title="Families" aside="choose to filter"><${Names} rows=${data.facets.family} chosen=${filter.family} onChoose=${choose("family")} /><//>
    <${Card} title="Operators" aside="in so many measurements"><${Names} rows=${data.facets.operator} chosen=${filter.operator} onChoose=${choose("operator")} /><//>
    <${Card} title="Noise" note="Interquartile range over median of each measurement.">${noise.totals.some(Boolean) ? html`<${Histogram} data=${noise} label="Noise" format=${percent} onRange=${range("noise")} />
      <${Band} edges=${data.series.edges_unix_s} middle=${data.series.noise_median} label="Median noise over time" format=${percent} height=${130} zero />` : html`<${Empty} title="Public tables have no samples" />`}<//>
    <${Card} title="Drift of the machine" note="Latency of a small network that is run beside each measurement (the sentinel): 10–90 % and median.">${data.series.sentinel_median_ms.some((/** @type {any} */ one) => one !== null)
      ? html`<${Band} edges=${data.series.edges_unix_s} middle=${data.series.sentinel_median_ms} low=${data.series.sentinel_p10_ms} high=${data.series.sentinel_p90_ms} label="The sentinel's latency over time" format=${ms} height=${150} token="--series-3" />`
      : html`<${Empty} title="No sentinel ran beside these" />`}
      <h3>Measurements over time</h3><${Histogram} data=${created} label="Measurements over time" format=${absolute} time onRange=${range("created")} height=${130} /><//>
  </div>`;
}

/** @param {{rows: any[], chosen?: string[], onChoose: (name: string) => void}} props */
function Names({ rows, chosen = [], onChoose }) {
  const [all, setAll] = useState(false);
  const shown = rows.filter((row) => row.name).slice(0, all ? undefined : MOST_NAMES);
  if (!shown.length) return html`<${Empty} title="None known" />`;
  return html`<${Bars} onChoose=${onChoose} rows=${shown.map((row) => ({ name: row.name, value: row.count, of: row.total, text: compact(row.count), chosen: chosen.includes(row.name) }))} />
    ${rows.length > MOST_NAMES && html`<button type="button" class="button quiet" onClick=${() => setAll(!all)}>${all ? "Show fewer" : `Show all ${rows.length}`}</button>`}`;
}
