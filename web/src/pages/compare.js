/** Two targets over the networks that were measured on both: how much faster, and who ranks what differently. */
import { html } from "../html.js";
import { useApi } from "../api.js";
import { Scatter } from "../charts/scatter.js";
import { count, counted, digits, ms, percent, shortHash } from "../format.js";
import { change, href } from "../router.js";
import { ComparePredictors } from "../ui/compare_predictors.js";
import { Blocks } from "../ui/blocks.js";
import { PickTarget } from "../ui/pick.js";
import { Badge, Bars, Card, Empty, Failed, Head, Loading, Stats, Table } from "../ui/parts.js";

const SHOWN = 16;
const DEARER = 1.1;

/** @param {{query: URLSearchParams}} props */
export default function Compare({ query }) {
  const targets = useApi("targets", { limit: 1000 });
  const items = [...(targets.data?.items ?? [])].sort((one, other) => other.measurements - one.measurements);
  const what = query.get("what") === "predictors" ? "predictors" : "targets";
  return html`<${Head} title="Compare" lead=${what === "targets" ? "Two targets over the networks that were measured on both." : "Two predictors over the networks that were measured on a target."}>
      <div class="row" role="group" aria-label="What is compared">${["targets", "predictors"].map((name) => html`<button type="button" class="button" aria-pressed=${what === name} onClick=${() => change({ what: name === "targets" ? null : name })}>${name === "targets" ? "Targets" : "Predictors"}</button>`)}</div><//>
    ${targets.error ? html`<${Card}><${Failed} error=${targets.error} again=${targets.again} /><//>` : !targets.data ? html`<${Card}><${Loading} what="targets" height=${420} /><//>`
      : what === "predictors" ? html`<${ComparePredictors} query=${query} targets=${items} />` : html`<${CompareTargets} query=${query} items=${items} />`}`;
}

/** @typedef {import("../../types").Schema<"ComparisonOut">} Comparison */

/** @param {{query: URLSearchParams, items: any[]}} props */
function CompareTargets({ query, items }) {
  const [a, b] = [query.get("a") ?? items[0]?.id, query.get("b") ?? items[1]?.id];
  const call = useApi(a && b ? "compare" : null, { a, b });
  const named = (/** @type {string} */ id) => items.find((item) => item.id === id)?.label ?? id;
  if (items.length < 2) return html`<${Card}><${Empty} title="There are not two targets yet">Start an agent on another device, or offer another runtime there: <code>latcast agent</code>.<//><//>`;
  return html`<search class="row" aria-label="Targets">${[["a", a], ["b", b]].map(([name, id]) => html`<${PickTarget} name=${name === "a" ? "This target" : "with that"} value=${id} targets=${items} onPick=${(/** @type {string} */ one) => change({ [/** @type {string} */ (name)]: one })} />`)}</search>
    ${call.error ? html`<${Card}><${Failed} error=${call.error} again=${call.again} /><//>`
      : call.data ? html`<${Compared} data=${call.data} names=${[named(a), named(b)]} />` : html`<${Card}><${Loading} what="measurements of both" height=${420} /><//>`}
    <${Blocks} one=${a} other=${b} space=${query.get("space")} />`;
}

/** @param {{data: Comparison, names: string[]}} props */
function Compared({ data, names }) {
  if (data.networks < 2 || data.ratio === null) return html`<${Card}><${Empty} title="Hardly a network was measured on both">Measure the same networks on both targets to compare them.<//><//>`;
  const { ratio } = data;
  const families = data.families.map((one) => ({ name: one.name, value: one.ratio / ratio, text: `× ${digits(one.ratio)} of ${one.count}` }));
  return html`<${Stats} items=${[["Networks on both", count(data.networks), data.networks > data.pairs.length ? `${count(data.pairs.length)} of them are drawn` : "each by its newest steady measurement"], ["That over this", `× ${digits(ratio)}`, ratio > 1 ? "that target is slower at the median" : "that target is faster at the median"], ["Same order", digits(data.spearman ?? 0, 3), "Spearman’s rank correlation"], ["Within 20 % of the ratio", percent(data.near, 0), "of the networks"]]} />
    <div class="grid wide">
      <${Card} title="Latency on both" aside="the line is equal latency"><${Scatter} diagonal label="Latency on that target against latency on this one" xLabel=${names[0]} yLabel=${names[1]} xFormat=${ms} yFormat=${ms} height=${380} points=${data.pairs.map((pair) => ({ x: pair.ms[0], y: pair.ms[1], href: href(`/measurements/${pair.rows[0]}`), text: `${ms(pair.ms[0])} → ${ms(pair.ms[1])} · ${pair.family || "own graph"}` }))} /><//>
      <${Card} title="Families" note="Latency there over latency here: long bars are what that target is bad at.">${families.length ? html`<${Bars} rows=${families.slice(0, SHOWN)} />` : html`<${Empty} title="Too few networks of a family" />`}<//>
    </div>
    <${Operators} data=${data} />
    <${Card} title="Ranked most differently" flush><${Table} caption="Networks that the two targets rank most differently" rows=${data.moved} keyOf=${(/** @type {any} */ row) => row.rows[0]} columns=${[
      { name: "what", title: "Network", grow: true, cell: (/** @type {any} */ pair) => html`<span class="cut">${pair.graph ? html`<a href=${href(`/networks/${pair.graph}`, { measurement: pair.rows[0] })} title=${pair.text}>${pair.text ?? shortHash(pair.graph)}</a>` : pair.text}</span>` },
      { name: "family", title: "Family", cell: (/** @type {any} */ pair) => (pair.family ? html`<span class="cut" title=${pair.family}>${pair.family}</span>` : "–") },
      { name: "a", title: "Here", right: true, cell: (/** @type {any} */ pair) => html`${ms(pair.ms[0])} <span class="muted small">no. ${pair.ranks[0]}</span>` },
      { name: "b", title: "There", right: true, cell: (/** @type {any} */ pair) => html`${ms(pair.ms[1])} <span class="muted small">no. ${pair.ranks[1]}</span>` },
      { name: "ratio", title: "Ratio", right: true, cell: (/** @type {any} */ pair) => `× ${digits(pair.ms[1] / pair.ms[0])}` },
    ]} /><//>`;
}

/** Which operators each is good at. @param {{data: Comparison}} props */
function Operators({ data }) {
  return html`<${Card} title="Operators" aside=${data.kernel_networks ? `kernels of ${counted(data.kernel_networks, "network")}` : ""} note="Time of each operator there over here, beside that of whole networks: what is dearer there than the rest is what that target is unfriendly to." flush>
    ${data.operators.length ? html`<${Table} caption="Operators on both targets" rows=${data.operators} keyOf=${(/** @type {any} */ row) => row.name} columns=${[
      { name: "name", title: "Operator", grow: true, cell: (/** @type {any} */ row) => html`<span class="cut" title=${row.name}>${row.name}</span>` },
      { name: "a", title: "Share here", right: true, cell: (/** @type {any} */ row) => percent(row.shares[0]) },
      { name: "b", title: "Share there", right: true, cell: (/** @type {any} */ row) => percent(row.shares[1]) },
      { name: "ratio", title: "Ratio", right: true, cell: (/** @type {any} */ row) => `× ${digits(row.ratio)}` },
      { name: "relative", title: "Compared with all", right: true, cell: (/** @type {any} */ row) => html`× ${digits(row.relative)} ${row.relative > DEARER ? html`<${Badge} kind="warn">dearer there<//>` : row.relative < 1 / DEARER ? html`<${Badge} kind="good">cheaper there<//>` : ""}` },
      { name: "count", title: "Networks", right: true, cell: (/** @type {any} */ row) => count(row.count) },
    ]} />` : html`<${Empty} title="No network was timed kernel by kernel on both">Forecasts of kernels stand side by side on the page of each network.<//>`}<//>`;
}
