/** The networks of a search space that do the most work in the least time on a target. */
import { html, useState } from "../html.js";
import { useApi } from "../api.js";
import { Scatter } from "../charts/scatter.js";
import { count, counted, flops, ms, shortHash } from "../format.js";
import { change, href } from "../router.js";
import { Card, Empty, Failed, Legend, Loading, Table } from "../ui/parts.js";
import { TargetHead } from "../ui/target.js";

const SHOWN = 12;

/** @param {{id: string, query: URLSearchParams}} props */
export default function Frontier({ id, query }) {
  const target = useApi(`targets/${id}`);
  const call = useApi(`targets/${id}/frontier`, { space: query.get("space") });
  const data = call.data;
  return html`<${TargetHead} id=${id} target=${target.data} />
    ${call.error ? html`<${Card}><${Failed} error=${call.error} again=${call.again} /><//>` : !data ? html`<${Card}><${Loading} what="the frontier" height=${420} /><//>`
      : !data.spaces.length ? html`<${Card}><${Empty} title="No architecture of a search space was measured here">Measure some: <code>latcast profile --target ${id} --space zoo mobile/block=mbconv,depth=4,width=16,stages=4</code>.<//><//>` : html`<${Front} data=${data} />`}`;
}

/** @param {{data: import("../../types").Schema<"FrontierOut">}} props */
function Front({ data }) {
  const [all, setAll] = useState(false);
  const front = data.items.map(({ row, flops: work }) => ({ x: /** @type {number} */ (row.median_ms), y: work, token: "--series-2", href: href(`/measurements/${row.id}`), text: `${row.text ?? ""}: ${flops(work)} in ${ms(row.median_ms)}` }));
  const rest = data.scatter.points?.map(([row, work, latency]) => ({ x: latency, y: work, token: "--line-strong", href: href(`/measurements/${row}`), text: `${flops(work)} in ${ms(latency)}` })) ?? [];
  return html`<search class="row" aria-label="Search space"><label class="field"><span class="visually-hidden">Search space</span><select value=${data.space} onChange=${(/** @type {any} */ event) => change({ space: event.target.value })}>${data.spaces.map((one) => html`<option value=${one.name}>${one.name} (${count(one.count)})</option>`)}</select></label>
      <span class="muted small">${counted(data.networks, "network")}, each by its newest steady measurement</span></search>
    <div class="grid wide"><${Card} title="Work against latency" aside=${data.scatter.points ? "each point leads to its measurement" : "the frontier alone: there are too many others"}>
      ${front.length ? html`<${Scatter} label="FLOPs against latency, the frontier marked" xLabel="latency" yLabel="FLOPs" xFormat=${ms} yFormat=${flops} height=${420} points=${[...rest, ...front]} />
      <${Legend} items=${[["on the frontier", "--series-2"], ["others: another does more work in less time", "--line-strong"]]} />` : html`<${Empty} title="Nothing steady was measured" />`}<//>
    <${Card} title="On the frontier" aside=${count(front.length)} note="Work stands for what a network can do; put your own accuracy beside it." flush><${Table} caption="Networks on the frontier" rows=${data.items.slice(0, all ? undefined : SHOWN)} keyOf=${(/** @type {any} */ one) => one.row.id} columns=${[
      { name: "row", title: "Network", grow: true, cell: (/** @type {any} */ { row }) => html`<a class="cut" href=${href(`/measurements/${row.id}`)} title=${row.text}>${row.text ?? shortHash(row.graph ?? "")}</a>` },
      { name: "ms", title: "Latency", right: true, cell: (/** @type {any} */ { row }) => ms(row.median_ms) }, { name: "flops", title: "Work", right: true, cell: (/** @type {any} */ one) => flops(one.flops) },
      { name: "rate", title: "Rate", right: true, cell: (/** @type {any} */ one) => `${flops((1000 * one.flops) / one.row.median_ms)}/s` },
    ]} />${front.length > SHOWN && html`<div class="pager"><button type="button" class="button quiet" onClick=${() => setAll(!all)}>${all ? "Show fewer" : `Show all ${front.length}`}</button></div>`}<//></div>`;
}
