/** Who contends to answer for a target, and how far each is believed. */
import { html } from "../html.js";
import { useApi } from "../api.js";
import { counted, digits, ms, percent } from "../format.js";
import { Badge, Card, Empty, Failed, Loading, Table } from "./parts.js";

/** @typedef {import("../../types").Schema<"ContenderOut">} Contender */

/** @param {{id: string}} props */
export function Contenders({ id }) {
  const call = useApi(`targets/${id}/contenders`);
  const spaces = call.data?.spaces ?? [];
  return html`<${Card} title="Contenders" note="Predictors that could answer, each judged on measured networks that it was not shown; forecasts are weighed by how far each is believed." flush>
    ${call.error ? html`<${Failed} error=${call.error} again=${call.again} />` : !call.data ? html`<${Loading} what="contenders" height=${160} />`
      : !spaces.length ? html`<${Empty} title="Nobody contends yet">Adapt the target: predictors are judged by what is measured for it.<//>`
        : spaces.map((space) => html`<section class="stack part"><h3>${space.space ?? "Graphs"} <span class="muted small">${space.adapted ? `adapted to ${counted(space.measurements, "network")}` : "unadapted"}</span></h3>
          ${space.standings.length ? html`<${Table} caption=${`Contenders for ${space.space ?? "graphs"}`} rows=${space.standings} keyOf=${(/** @type {Contender} */ row) => row.name} columns=${COLUMNS} />` : html`<p class="note">${space.predictor} answers alone.</p>`}</section>`)}<//>`;
}

const COLUMNS = [
  { name: "name", title: "Predictor", grow: true, cell: (/** @type {Contender} */ row) => html`<span class="cut" title=${row.name}>${row.kind} <span class="muted small">${row.name}</span></span>` },
  { name: "weight", title: "Believed", cell: (/** @type {Contender} */ row) => (row.refused ? html`<${Badge} kind="warn" title=${row.refused}>not adapted<//> <span class="small muted">${row.refused}</span>`
    : html`<span class="nowrap"><span class="meter" title=${percent(row.weight)}><span style=${{ width: `${100 * row.weight}%` }}></span></span> <span class="num">${percent(row.weight, 0)}</span></span>`) },
  { name: "error", title: "Left-out error", right: true, cell: (/** @type {Contender} */ row) => percent(row.median_ape) },
  { name: "score", title: html`<abbr title="Of 90 % intervals, in log latency: their width and twenty times what lies outside. Less is better.">Interval score</abbr>`, right: true, cell: (/** @type {Contender} */ row) => (row.interval_score === null || row.interval_score === undefined ? "–" : digits(row.interval_score)) },
  { name: "record", title: html`<abbr title="Median error on targets that its training held out">Record</abbr>`, right: true, cell: (/** @type {Contender} */ row) => percent(row.record) },
  { name: "took", title: "Adapted in", right: true, cell: (/** @type {Contender} */ row) => ms(row.adapt_ms) },
];
