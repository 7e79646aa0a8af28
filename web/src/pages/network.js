/** A network's graph with the time that its nodes take: as measured, or as forecast on a target. */
import { html, useEffect, useMemo, useState } from "../html.js";
import { post, remove, saveAs, session, useApi } from "../api.js";
import { fold } from "../charts/folding.js";
import { GraphDrawing } from "../charts/graph.js";
import { bytes, count, counted, digits, flops, ms, percent, shortHash } from "../format.js";
import { change, href } from "../router.js";
import { Act } from "../ui/act.js";
import { Beside } from "../ui/beside.js";
import { useExplanation } from "../ui/explanation.js";
import { PickTarget } from "../ui/pick.js";
import { Badge, Bars, Card, Copy, Empty, Facts, Failed, Head, Legend, Loaded, Loading, Missing, Stats, Table } from "../ui/parts.js";

const MOST_ROWS = 100;
const MOST_BLOCKS = 300;
const WORTH_FOLDING = 150;
const FOLDED_FROM = 4000;
const BOUND = /** @type {Record<string, string>} */ ({ compute: "--series-1", memory: "--series-2", launch: "--series-3" });

/** @param {{hash: string, query: URLSearchParams}} props */
export default function Network({ hash, query }) {
  const graph = useApi(`graphs/${hash}`);
  const nodes = useApi(`graphs/${hash}/nodes`);
  const targets = useApi("targets", { limit: 1000 });
  const measurement = query.get("measurement");
  const measured = useApi(measurement ? `measurements/${measurement}` : null);
  const unsure = Boolean(measurement) && !measured.data && !measured.error; // until it is here, the page guesses neither a target nor that nothing was timed
  const target = query.get("target") ?? (unsure ? undefined : (measured.data?.summary.target ?? targets.data?.items[0]?.id));
  const forecast = useExplanation(target, hash);
  const beside = query.get("beside");
  const other = useExplanation(beside ?? undefined, hash);
  const source = query.get("source") ?? (unsure || measured.data?.measurement.runs.some((/** @type {any} */ run) => run.kernels) ? "measured" : "forecast");
  const [chosen, setChosen] = useState(/** @type {number|null} */ (null));
  const text = query.get("q") ?? "";
  const kernels = useMemo(() => (nodes.data ? kernelsOf(source, measured.data, forecast.data, nodes.data.nodes) : null), [source, measured.data, forecast.data, nodes.data]);
  const bounds = useMemo(() => (forecast.data && nodes.data ? boundsOf(kernelsOf("forecast", null, forecast.data, nodes.data.nodes)) : null), [forecast.data, nodes.data]);
  const [hidden, setHidden] = useState(false);
  const name = graph.data?.architecture?.text ?? shortHash(hash);
  if (graph.error && !hidden) return html`<${Missing} title="Network" crumbs=${[["Try it", "/try"]]} error=${graph.error} again=${graph.again} />`;
  return html`<${Head} title="Network" crumbs=${[["Try it", "/try"]]} lead=${html`<span class="cut" style=${{ maxWidth: "80ch" }} title=${name}>${name}</span>`}>
      <a class="button" href=${href("/try", { graph: hash })}>Forecast it</a><${Copy} text=${hash} label="Copy hash" />
      ${session.value?.can_write && (hidden ? html`<${Act} label="Show again" question="Bring it back with its measurements?" run=${() => post(`graphs/${hash}/show`, {}).then(() => { setHidden(false); graph.again(); })} />`
        : html`<${Act} label="Hide" danger question="Hide the network with its measurements on all targets?" run=${() => remove(`graphs/${hash}`).then(() => setHidden(true))} />`)}<//>
    ${hidden && html`<p class="notice" role="status">It is hidden with its measurements: nothing learns from them or answers with them.</p>`}
    ${graph.error ? html`<${Failed} error=${graph.error} />` : html`<${Loaded} call=${graph} what="the network" height=${84}>${(/** @type {import("../../types").Schema<"GraphOut">} */ data) => html`<${Stats} items=${[["Nodes", count(data.nodes), `opset ${data.opset}`], ["Work", flops(data.flops), `${flops(2 * data.macs)} in products`], ["Parameters", bytes(data.parameter_bytes)], ["Activations", bytes(data.activation_bytes)], ["Intensity", `${digits(data.arithmetic_intensity)}`, "FLOP for each byte"]]} />`}<//>`}
    <search class="row" aria-label="What is shown">
      <label class="field"><span class="visually-hidden">Times</span><select value=${source} onChange=${(/** @type {any} */ event) => change({ source: event.target.value })}>
        ${measurement && html`<option value="measured">Measured (no. ${measurement})</option>`}<option value="forecast">Forecast</option></select></label>
      ${source === "forecast" && html`<${PickTarget} name="Target" hidden value=${target} targets=${targets.data?.items ?? []} onPick=${(/** @type {string} */ one) => change({ target: one })} />`}
      <label class="field"><span class="visually-hidden">Nodes are coloured by</span><select value=${query.get("colour") ?? "share"} onChange=${(/** @type {any} */ event) => change({ colour: event.target.value === "share" ? null : event.target.value })}><option value="share">Coloured by time</option><option value="bound">Coloured by what bounds</option></select></label>
      <label class="field"><span class="visually-hidden">Search nodes</span><input type="search" placeholder="Search nodes" value=${text} onInput=${(/** @type {any} */ event) => change({ q: event.target.value }, { replace: true })} /></label>
      ${kernels && html`<${Exports} kernels=${kernels} nodes=${nodes.data?.nodes ?? []} hash=${hash} />`}
    </search>
    <${Loaded} call=${nodes} what="the graph" height=${560}>${(/** @type {import("../../types").Schema<"NodesOut">} */ data) => html`<${Shown} key=${hash} nodes=${data.nodes} kernels=${kernels} waiting=${source === "forecast" ? forecast : measured} chosen=${chosen} setChosen=${setChosen} text=${text} source=${source} bounds=${query.get("colour") === "bound" ? bounds : null}
      beside=${html`<${Beside} kernels=${kernels ?? []} other=${other} beside=${beside} target=${target} targets=${targets.data?.items ?? []} />`} />`}<//>`;
}

/** Kernels with the nodes that they cover. @param {string} source @param {any} measured @param {any} forecast @param {any[]} nodes */
function kernelsOf(source, measured, forecast, nodes) {
  if (source === "measured") {
    const kernels = measured?.measurement.runs.find((/** @type {any} */ run) => run.kernels)?.kernels;
    return kernels?.map((/** @type {any} */ kernel) => ({ operator: kernel.operator, ms: kernel.time_ms, share: kernel.share, places: kernel.node === null ? [] : [kernel.node], shape: kernel.output_shapes[0] })) ?? null;
  }
  if (!forecast) return null;
  const byName = new Map(nodes.map((node, place) => [node.name, place]));
  return forecast.kernels.map((/** @type {any} */ kernel) => ({ operator: kernel.operator, ms: kernel.latency_ms, share: kernel.share, bound: kernel.bound, efficiency: kernel.efficiency, gflops: kernel.gflops,
    places: kernel.nodes.map((/** @type {string} */ name) => byName.get(name)).filter((/** @type {any} */ place) => place !== undefined), measured_ms: kernel.measured_ms }));
}

/** What bounds the kernel that each node is of. @param {any[]} kernels @returns {Map<number, string>} */
function boundsOf(kernels) {
  return new Map(kernels.flatMap((kernel) => (kernel.bound ? kernel.places.map((/** @type {number} */ place) => [place, kernel.bound]) : [])));
}

/** The member with the greatest share of the time. @param {number[]} members @param {Map<number, number>} shares */
function heaviest(members, shares) {
  return members.reduce((best, one) => ((shares.get(one) ?? 0) > (shares.get(best) ?? 0) ? one : best));
}

/** @param {any} props */
function Shown({ nodes, kernels, waiting, chosen, setChosen, text, source, beside, bounds }) {
  const [folding, setFolding] = useState(nodes.length > FOLDED_FROM);
  const [opened, setOpened] = useState(/** @type {Set<number>} */ (new Set()));
  const folded = useMemo(() => (folding ? fold(nodes, MOST_BLOCKS, opened) : null), [folding, nodes, opened]);
  const shares = useMemo(() => {
    const found = new Map();
    for (const kernel of kernels ?? []) for (const place of kernel.places) found.set(place, (found.get(place) ?? 0) + kernel.share / kernel.places.length);
    return found;
  }, [kernels]);
  const marked = useMemo(() => new Set(text.length < 2 ? [] : nodes.map((/** @type {any} */ node, /** @type {number} */ place) => [node, place]).filter((/** @type {any} */ [node]) => `${node.operator} ${node.name}`.toLowerCase().includes(text.toLowerCase())).map((/** @type {any} */ [, place]) => place)), [text, nodes]);
  useEffect(() => { if (marked.size) setChosen([...marked][0]); }, [marked]);
  useEffect(() => {
    const block = folded && chosen !== null ? folded.blocks[folded.blockOf[chosen]] : null;
    if (block?.folded) setOpened(new Set([...opened, block.members[0]]));
  }, [chosen, folded]);
  const drawn = useMemo(() => {
    if (!folded) return { nodes, shares, marked };
    const sums = new Map();
    for (const [place, share] of shares) sums.set(folded.blockOf[place], (sums.get(folded.blockOf[place]) ?? 0) + share);
    return { nodes: folded.blocks, shares: sums, marked: new Set([...marked].map((place) => folded.blockOf[place])) };
  }, [folded, nodes, shares, marked]);
  const tokens = useMemo(() => {
    if (!bounds) return null;
    const places = folded ? folded.blocks.map((block) => heaviest(block.members, shares)) : nodes.map((/** @type {any} */ _, /** @type {number} */ place) => place);
    return new Map(places.flatMap((/** @type {number} */ place, /** @type {number} */ at) => (bounds.has(place) ? [[at, BOUND[bounds.get(place)]]] : [])));
  }, [bounds, folded, nodes, shares]);
  const label = (/** @type {number} */ place) => (drawn.shares.has(place) ? `${drawn.nodes[place].operator}  ${percent(drawn.shares.get(place))}` : drawn.nodes[place].operator);
  const node = chosen === null ? null : nodes[chosen];
  const mine = (kernels ?? []).filter((/** @type {any} */ kernel) => kernel.places.includes(chosen));
  return html`<div class="graph">
    <${Card} title="Graph" aside=${marked.size ? html`<span role="status">${counted(marked.size, "node matches", "nodes match")}</span>` : "drag to move, scroll to zoom, choose a node"}>
      ${nodes.length > WORTH_FOLDING && html`<div><button type="button" class="button" aria-pressed=${folding} onClick=${() => { setOpened(new Set()); setChosen(null); setFolding(!folding); }}>Folded into blocks</button> <span class="note">${folded ? "A block is unfolded where it is chosen." : `${count(nodes.length)} nodes are drawn.`}</span></div>`}
      <${GraphDrawing} nodes=${drawn.nodes} shares=${drawn.shares} tokens=${tokens} chosen=${folded && chosen !== null ? folded.blockOf[chosen] : chosen} marked=${drawn.marked} onChoose=${(/** @type {number|null} */ place) => setChosen(folded && place !== null ? folded.blocks[place].members[0] : place)} textOf=${label} />
      <${Legend} items=${tokens ? [["bound by compute", BOUND.compute], ["by memory", BOUND.memory], ["by the launch of kernels", BOUND.launch], ["part of a kernel, or no time", "--surface"]] : [["little of the time", "--heat-0"], ["", "--heat-1"], ["", "--heat-2"], ["most of the time", "--heat-3"], ["part of a kernel, or no time", "--surface"]]} /><//>
    <div class="stack">
      <${Card} title=${node ? node.operator : "Node"}>${node ? html`<${Facts} items=${[["Name", html`<code class="small">${node.name}</code>`], ["Output", html`<code>${node.shape ? node.shape.join("×") || "scalar" : "unknown"} ${node.dtype}</code>`], ["Work", flops(node.flops)], ["Parameters", bytes(node.parameter_bytes)], ["Reads", bytes(node.input_bytes)], ["Writes", bytes(node.output_bytes)], ["Share of time", shares.has(chosen) ? percent(shares.get(chosen)) : "–"],
        ["Kernels", mine.map((/** @type {any} */ kernel) => `${kernel.operator} ${ms(kernel.ms)}${kernel.bound ? `, bound by ${kernel.bound}` : ""}`).join("; ")], ["Reads of", html`<span class="row">${node.inputs.map((/** @type {number} */ place) => html`<button type="button" class="chip" onClick=${() => setChosen(place)}>${nodes[place].operator}</button>`)}</span>`]]} />` : html`<${Empty} title="Choose a node">Its shape, its work and its time stand here.<//>`}<//>
      <${Kernels} kernels=${kernels} waiting=${waiting} source=${source} setChosen=${setChosen} />
      ${beside}
    </div></div>`;
}

/** @param {any} props */
function Kernels({ kernels, waiting, source, setChosen }) {
  if (waiting.error) return html`<${Card} title="Kernels"><${Failed} error=${waiting.error} again=${waiting.again} /><//>`;
  if (!kernels) return html`<${Card} title="Kernels">${waiting.data ? html`<${Empty} title="No kernels were timed" />` : html`<${Loading} what="times" height=${240} />`}<//>`;
  if (!kernels.length) return html`<${Card} title="Kernels"><${Empty} title="No kernels">${waiting.data?.no_kernels}<//><//>`;
  const sums = new Map();
  for (const kernel of kernels) sums.set(kernel.operator, (sums.get(kernel.operator) ?? 0) + kernel.share);
  const ranked = [...kernels].sort((one, other) => other.ms - one.ms).slice(0, MOST_ROWS);
  return html`<${Card} title="Kernels" aside=${`${count(kernels.length)}, ${ms(kernels.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.ms, 0))} together`}>
    <${Bars} rows=${[...sums].sort((one, other) => other[1] - one[1]).slice(0, 7).map(([name, share]) => ({ name, value: share, text: percent(share) }))} />
    <div style=${{ maxHeight: "420px", overflowY: "auto" }} tabindex="0" role="region" aria-label="Kernels, the slowest first"><${Table} caption="Kernels, the slowest first" rows=${ranked} keyOf=${(/** @type {any} */ row) => ranked.indexOf(row)} columns=${[
      { name: "operator", title: "Kernel", cell: (/** @type {any} */ row) => (row.places.length ? html`<button type="button" class="button quiet" onClick=${() => setChosen(row.places[0])}><span class="cut" title=${row.operator}>${row.operator}</span></button>` : html`<span class="cut" title=${`${row.operator}, of no node of the graph`}>${row.operator}</span>`) },
      ...(source === "forecast" ? [{ name: "bound", title: "Bound by", cell: (/** @type {any} */ row) => html`<${Badge} kind=${row.bound === "compute" ? "accent" : row.bound === "memory" ? "warn" : ""}>${row.bound}<//>` }] : []),
      { name: "ms", title: "Time", right: true, cell: (/** @type {any} */ row) => ms(row.ms) },
      { name: "share", title: "Share", right: true, cell: (/** @type {any} */ row) => percent(row.share) },
    ]} /></div><//>`;
}

/** @param {{kernels: any[], nodes: any[], hash: string}} props */
function Exports({ kernels, nodes, hash }) {
  const json = (/** @type {any} */ value, /** @type {string} */ name) => saveAs(new Blob([JSON.stringify(value)], { type: "application/json" }), name);
  const trace = () => {
    let at = 0;
    json({ displayTimeUnit: "ms", traceEvents: kernels.map((kernel) => {
      const event = { name: kernel.operator, cat: "kernel", ph: "X", pid: 1, tid: 1, ts: at * 1000, dur: kernel.ms * 1000, args: { nodes: kernel.places.map((/** @type {number} */ place) => nodes[place].name), share: kernel.share, bound: kernel.bound } };
      at += kernel.ms;
      return event;
    }) }, `${shortHash(hash)}.trace.json`);
  };
  const explorer = () => {
    const results = /** @type {Record<string, {value: number}>} */ ({});
    for (const kernel of kernels) for (const place of kernel.places) results[nodes[place].name] = { value: (results[nodes[place].name]?.value ?? 0) + kernel.ms / kernel.places.length };
    json({ main_graph: { results, gradient: [{ stop: 0, bgColor: "#e9edfb" }, { stop: 1, bgColor: "#2a3f9e" }] } }, `${shortHash(hash)}.nodes.json`);
  };
  return html`<button type="button" class="button" onClick=${trace} title="For Perfetto and chrome://tracing">Trace</button><button type="button" class="button" onClick=${explorer} title="Node data for Google's Model Explorer">Model Explorer</button>`;
}
