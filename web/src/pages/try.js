/** Forecasts of a network that somebody drops or types, on every target. */
import { html, useState } from "../html.js";
import { post, upload, urlOf, useApi } from "../api.js";
import { bytes, counted, digits, flops, ms, percent, span } from "../format.js";
import { change, href } from "../router.js";
import { useAnswer, useExplanation } from "../ui/explanation.js";
import { Badge, Bars, Card, Code, Copy, Empty, Facts, Failed, Head, Loading, Table } from "../ui/parts.js";

const MOST_TARGETS = 100;
const NEAREST = 5;
const SPACES = ["zoo", "nasbench201", "fbnet", "ofa_mbv3", "kernels"];
const EXAMPLES = /** @type {Record<string, string>} */ ({
  zoo: "mobile/block=mbconv,depth=4,width=16,stages=4",
  nasbench201: "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|",
  fbnet: "k3_e1|k3_e6|skip|skip|skip|k3_e6|k3_e6|k3_e6|k3_e6|k3_e6|k3_e6|k3_e6|k3_e6|k3_e6|k3_e6|k3_e6|k3_e6|k3_e6|k3_e6|k3_e6|k3_e6|k3_e6",
  ofa_mbv3: "", kernels: "gemm/rows=128,in=512,out=512",
});

/** @param {{query: URLSearchParams}} props */
export default function Try({ query }) {
  const [space, setSpace] = useState(query.get("space") ?? "zoo");
  const [text, setText] = useState(query.get("text") ?? EXAMPLES.zoo);
  const [state, setState] = useState(/** @type {any} */ ({}));
  const [over, setOver] = useState(false);
  const targets = useApi("targets", { limit: 1000 });
  const graph = query.get("graph");
  const found = useApi(graph ? `graphs/${graph}` : null);
  const store = async (/** @type {() => Promise<any>} */ send, /** @type {string} */ name) => {
    setState({ busy: name });
    try {
      const stored = await send();
      setState({});
      change({ graph: stored.hash, name });
    } catch (error) {
      setState({ error });
    }
  };
  const take = (/** @type {File|undefined} */ file) => { if (file) store(() => upload("graphs", file), file.name); };
  return html`<${Head} title="Try it" lead="Drop a network or type an architecture: forecasts on every target, with intervals and why." />
    <div class="grid wide">
      <${Card} title="An ONNX file" note="The graph is stored without its weights.">
        <label class="drop" style=${{ border: `2px dashed var(${over ? "--accent" : "--line-strong"})`, borderRadius: "var(--radius)", padding: "var(--s5)", textAlign: "center", cursor: "pointer", display: "block" }}
          onDragOver=${(/** @type {Event} */ event) => { event.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)}
          onDrop=${(/** @type {DragEvent} */ event) => { event.preventDefault(); setOver(false); take(event.dataTransfer?.files[0]); }}>
          <strong>Drop a file here</strong><br /><span class="muted">or choose one</span>
          <input class="visually-hidden" type="file" accept=".onnx" aria-label="ONNX file" onChange=${(/** @type {any} */ event) => take(event.target.files[0])} /></label><//>
      <${Card} title="An architecture">
        <form class="stack" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); store(() => post("architectures", { space, text }), text); }}>
          <label class="field">Search space<select value=${space} onChange=${(/** @type {any} */ event) => { setSpace(event.target.value); setText(EXAMPLES[event.target.value]); }}>${SPACES.map((name) => html`<option value=${name}>${name}</option>`)}</select></label>
          <label class="field">Text<textarea value=${text} spellcheck="false" onInput=${(/** @type {any} */ event) => setText(event.target.value)} required></textarea></label>
          <div><button class="button primary" disabled=${!!state.busy}>Forecast</button></div></form><//>
    </div>
    ${state.busy && html`<${Card} title=${`Reading ${state.busy} …`}><${Loading} what="the network" height=${160} /><//>`}
    ${state.error && html`<${Card}><${Failed} error=${state.error} /><//>`}
    ${graph && (found.error ?? targets.error) && html`<${Card}><${Failed} error=${found.error ?? targets.error} again=${found.error?.status === 404 ? undefined : () => { found.again(); targets.again(); }} /><//>`}
    ${graph && !state.busy && !(found.error ?? targets.error) && !(found.data && targets.data) && html`<${Card} title="The network"><${Loading} what="the network" height=${160} /><//>`}
    ${graph && found.data && targets.data && html`<${Answer} graph=${found.data} name=${query.get("name")} targets=${targets.data.items} chosen=${query.get("target")} />`}`;
}

/** Targets that one call asks. @param {any[]} targets @returns {any[][]} */
const parts = (targets) => Array.from({ length: Math.ceil(targets.length / MOST_TARGETS) }, (_, place) => targets.slice(place * MOST_TARGETS, (place + 1) * MOST_TARGETS));

/** @param {{graph: any, name: string|null, targets: any[], chosen: string|null}} props */
function Answer({ graph, name, targets, chosen }) {
  const { data: answers } = useAnswer(`${graph.hash} ${targets.length}`, () => Promise.all(parts(targets).map((part) => post("predict", { targets: part.map((target) => target.id), items: [{ graph: graph.hash }] }).then(
    (/** @type {any} */ answer) => part.map((target, place) => ({ target, ...(answer.answers[place].items?.[0] ?? { error: answer.answers[place].error }) })),
    (error) => part.map((target) => ({ target, error: error.problem ?? { detail: error.message } })),
  ))).then((rows) => rows.flat()));
  const rows = (answers ?? []).filter((/** @type {any} */ row) => !row.error).sort((/** @type {any} */ one, /** @type {any} */ other) => one.latency_ms - other.latency_ms);
  const failed = (answers ?? []).filter((/** @type {any} */ row) => row.error);
  const shown = chosen ?? rows[0]?.target.id;
  return html`
    <${Card} title=${graph.architecture ? "The architecture" : name ?? "The network"} aside=${html`<a href=${href(`/networks/${graph.hash}`, { target: shown })}>show the graph</a>`}>
      ${graph.architecture && html`<p class="mono small" style=${{ overflowWrap: "anywhere" }}>${graph.architecture.space}/${graph.architecture.text}</p>`}
      <${Facts} items=${[["Operators", `${counted(graph.nodes, "node")}: ${Object.entries(graph.operators).slice(0, 8).map(([one, often]) => `${often} ${one}`).join(", ")}`], ["Work", flops(graph.flops)], ["Parameters", bytes(graph.parameter_bytes)], ["Activations", bytes(graph.activation_bytes)], ["Hash", html`<code class="small">${graph.hash}</code>`]]} />
      <div><${Copy} text=${graph.hash} label="Copy hash" /></div><//>
    <${Card} title="Forecasts" flush aside=${answers ? "choose a target to see why" : ""}>
      ${!answers ? html`<${Loading} what="forecasts on every target" height=${260} />` : rows.length ? html`<${Table} caption="Forecasts on every target" rows=${rows} keyOf=${(/** @type {any} */ row) => row.target.id} columns=${[
        { name: "target", title: "Target", grow: true, cell: (/** @type {any} */ row) => html`<button type="button" class="button quiet" aria-pressed=${row.target.id === shown} onClick=${() => change({ target: row.target.id })}><span class="cut" title=${row.target.label}>${row.target.label}</span></button>` },
        { name: "device", title: "Device", cell: (/** @type {any} */ row) => html`<span class="cut" title=${row.target.device_name}>${row.target.device_name}</span>` },
        { name: "ms", title: "Latency", right: true, cell: (/** @type {any} */ row) => html`<strong>${ms(row.latency_ms)}</strong>` },
        { name: "interval", title: "90 % interval", right: true, cell: (/** @type {any} */ row) => (row.interval_ms ? html`<span class="muted">${span(row.interval_ms[0], row.interval_ms[1])}</span>` : "–") },
        { name: "source", title: "From", cell: (/** @type {any} */ row) => (row.source === "measured" ? html`<${Badge} kind="good">measured<//>` : row.adapted ? html`<${Badge} kind="accent">adapted<//>` : html`<${Badge} title="No measurement of this target went into it">base<//>`) },
        { name: "coverage", title: html`<abbr title="Share of the cost in operators and sizes that training has seen">Coverage</abbr>`, right: true, cell: (/** @type {any} */ row) => percent(row.coverage, 0) },
      ]} />` : targets.length ? html`<${Empty} title="No target can forecast it">${failed[0]?.error.detail}<//>` : html`<${Empty} title="No target yet">Start an agent on a device: <code>latcast agent</code>. Forecasts are for what it registers.<//>`}
      ${failed.length > 0 && rows.length > 0 && html`<p class="note inset">${failed.length === 1 ? "1 target" : `${failed.length} targets`} gave no forecast: ${failed[0].error.detail}</p>`}<//>
    ${shown && html`<${Why} target=${shown} graph=${graph.hash} />`}
    ${shown && html`<${Card} title="Code"><h3>curl</h3><${Code} text=${`curl -X POST ${urlOf("predict")} -H 'Content-Type: application/json' \\\n  -d '{"target": "${shown}", "items": [{"graph": "${graph.hash}"}]}'`} />
      <h3>Python</h3><${Code} text=${`from latcast import Client, item\n\nwith Client("${new URL("../..", urlOf("x")).href.replace(/\/$/, "")}") as client:\n    forecast = client.predict("${shown}", [item(graph="${graph.hash}")])[0]\n    print(forecast["latency_ms"], forecast["interval_ms"])`} /><//>`}`;
}

/** @param {{target: string, graph: string}} props */
function Why({ target, graph }) {
  const state = useExplanation(target, graph, NEAREST);
  if (state.error) return html`<${Card} title="Why"><${Failed} error=${state.error} again=${state.again} /><//>`;
  if (!state.data) return html`<${Card} title="Why"><${Loading} what="the explanation" height=${240} /><//>`;
  const { kernels, no_kernels, peaks, nearest, measure_next } = state.data;
  const sums = new Map();
  for (const kernel of kernels) sums.set(kernel.operator, (sums.get(kernel.operator) ?? 0) + kernel.share);
  const top = [...sums].sort((one, other) => other[1] - one[1]).slice(0, 10);
  const bound = ["compute", "memory", "launch"].map((kind) => [kind, kernels.filter((/** @type {any} */ one) => one.bound === kind).reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.share, 0)]);
  return html`<div class="grid wide">
    <${Card} title="Where the time goes" aside=${html`<a href=${href(`/networks/${graph}`, { target })}>on the graph</a>`}>${kernels.length ? html`<${Bars} rows=${top.map(([name, share]) => ({ name, value: share, text: percent(share) }))} />
      <p class="note">Bound by ${bound.filter(([, share]) => Number(share) > 0.005).map(([kind, share]) => `${kind} ${percent(Number(share), 0)}`).join(", ")}${peaks ? `; the target reaches ${digits(peaks.gflops)} GFLOP/s and ${digits(peaks.gbytes)} GB/s` : ""}.</p>` : html`<${Empty} title="No kernels">${no_kernels}<//>`}<//>
    <${Card} title="Measured networks that spend their time alike">${nearest.length ? html`<ul class="stack">${nearest.map((/** @type {any} */ one) => html`<li class="row spread"><span class="cut" title=${one.name}>${one.name}</span><span class="num">${ms(one.measured_ms)} <span class="muted small">${percent(1 - one.distance, 0)} alike</span></span></li>`)}</ul>` : html`<${Empty} title="None yet" />`}
      ${measure_next.length > 0 && html`<h3>What to measure to be surer</h3><ul class="stack">${measure_next.map((/** @type {any} */ one) => html`<li class="row spread"><span class="cut" title=${one.text}>${one.text}</span><span class="num">${ms(one.forecast_ms)} <span class="muted small">−${percent(one.variance_removed, 0)} variance</span></span></li>`)}</ul>`}<//>
  </div>`;
}
