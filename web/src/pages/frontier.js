/** The networks of a search space that do the most work in the least time on a target. */
import { html, useMemo, useState } from "../html.js";
import { useApi } from "../api.js";
import { Scatter } from "../charts/scatter.js";
import { count, flops, ms } from "../format.js";
import { change, href } from "../router.js";
import { Card, Empty, Failed, Legend, Loading, Table } from "../ui/parts.js";
import { TargetHead } from "../ui/target.js";

const SHOWN = 12;

/** @param {{id: string, query: URLSearchParams}} props */
export default function Frontier({ id, query }) {
  const target = useApi(`targets/${id}`);
  const whole = useApi(`targets/${id}/bins`, { outcome: "measured" });
  const spaces = (whole.data?.facets.space ?? []).filter((/** @type {any} */ one) => one.name);
  const space = query.get("space") ?? spaces[0]?.name;
  const bins = useApi(space ? `targets/${id}/bins` : null, { outcome: "measured", space, noisy: "false" });
  const points = bins.data?.scatter.points;
  const front = useMemo(() => frontOf(points ?? []), [points]);
  const [all, setAll] = useState(false);
  const on = new Set(front.map((point) => point[0]));
  return html`<${TargetHead} id=${id} target=${target.data} />
    <search class="row" aria-label="Search space"><label class="field"><span class="visually-hidden">Search space</span><select value=${space} onChange=${(/** @type {any} */ event) => change({ space: event.target.value })}>${spaces.map((/** @type {any} */ one) => html`<option value=${one.name}>${one.name} (${count(one.count)})</option>`)}</select></label></search>
    ${bins.error ?? whole.error ? html`<${Card}><${Failed} error=${bins.error ?? whole.error} /><//>` : whole.data && !spaces.length ? html`<${Card}><${Empty} title="No architecture of a search space was measured here" /><//>` : !bins.data ? html`<${Card}><${Loading} what="the frontier" height=${420} /><//>`
      : !points ? html`<${Card}><${Empty} title="Too many measurements to compare each with each">The frontier is drawn for up to 5,000.<//><//>`
        : html`<div class="grid wide"><${Card} title="Work against latency" aside="measured networks, steady ones alone">
          ${points.length ? html`<${Scatter} label="FLOPs against latency, the frontier marked" xLabel="latency" yLabel="FLOPs" xFormat=${ms} yFormat=${flops} height=${420} points=${points.map((/** @type {any} */ [row, work, latency]) => ({ x: latency, y: work, token: on.has(row) ? "--series-2" : "--line-strong", href: href(`/measurements/${row}`), text: `${flops(work)} in ${ms(latency)}` })).sort((/** @type {any} */ one, /** @type {any} */ other) => Number(one.token === "--series-2") - Number(other.token === "--series-2"))} />
          <${Legend} items=${[["on the frontier", "--series-2"], ["others: another does more work in less time", "--line-strong"]]} />` : html`<${Empty} title="Nothing steady was measured" />`}<//>
        <${Card} title="On the frontier" aside=${count(front.length)} note="Work stands for what a network can do; put your own accuracy beside it." flush><${Table} caption="Networks on the frontier" rows=${front.slice(0, all ? undefined : SHOWN)} keyOf=${(/** @type {any} */ row) => row[0]} columns=${[
          { name: "row", title: "Network", grow: true, cell: (/** @type {any} */ row) => html`<${Named} row=${row[0]} />` },
          { name: "ms", title: "Latency", right: true, cell: (/** @type {any} */ row) => ms(row[2]) }, { name: "flops", title: "Work", right: true, cell: (/** @type {any} */ row) => flops(row[1]) },
          { name: "rate", title: "Rate", right: true, cell: (/** @type {any} */ row) => `${flops((1000 * row[1]) / row[2])}/s` },
        ]} />${front.length > SHOWN && html`<div class="pager"><button type="button" class="button quiet" onClick=${() => setAll(!all)}>${all ? "Show fewer" : `Show all ${front.length}`}</button></div>`}<//></div>`}`;
}

/** The name of a measurement's network. @param {{row: number}} props */
function Named({ row }) {
  const call = useApi(`measurements/${String(row)}`);
  const text = call.data?.summary.text ?? `measurement ${row}`;
  return html`<a class="cut" href=${href(`/measurements/${row}`)} title=${text}>${text}</a>`;
}

/** Points that no other one beats in both. @param {any[]} points [id, FLOPs, ms, noisy] */
function frontOf(points) {
  const front = [];
  let most = 0;
  for (const point of [...points].sort((one, other) => one[2] - other[2] || other[1] - one[1])) if (point[1] > most) { most = point[1]; front.push(point); }
  return front;
}
