/** Two targets over the networks that were measured on both: how much faster, and who ranks what differently. */
import { html, useMemo } from "../html.js";
import { useApi } from "../api.js";
import { Scatter } from "../charts/scatter.js";
import { count, digits, familyOf, ms, percent, shortHash } from "../format.js";
import { change, href } from "../router.js";
import { ComparePredictors } from "../ui/compare_predictors.js";
import { Blocks } from "../ui/blocks.js";
import { Bars, Card, Empty, Failed, Head, Loading, Stats, Table } from "../ui/parts.js";

const MOST_ROWS = 1000;
const SHOWN = 10;

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

/** @param {{query: URLSearchParams, items: any[]}} props */
function CompareTargets({ query, items }) {
  const [a, b] = [query.get("a") ?? items[0]?.id, query.get("b") ?? items[1]?.id];
  const wanted = { outcome: "measured", limit: MOST_ROWS, sort: "-id" };
  const one = useApi(a ? `targets/${a}/rows` : null, wanted);
  const other = useApi(b ? `targets/${b}/rows` : null, wanted);
  const error = one.error ?? other.error;
  const named = (/** @type {string} */ id) => items.find((item) => item.id === id)?.label ?? id;
  if (items.length < 2) return html`<${Card}><${Empty} title="There are not two targets yet" /><//>`;
  return html`<search class="row" aria-label="Targets">${[["a", a], ["b", b]].map(([name, id]) => html`<label class="field">${name === "a" ? "This target" : "with that"}<select value=${id} onChange=${(/** @type {any} */ event) => change({ [name]: event.target.value })}>${items.map((item) => html`<option value=${item.id}>${item.label} · ${item.device_name}</option>`)}</select></label>`)}</search>
    ${error ? html`<${Card}><${Failed} error=${error} again=${() => { one.again(); other.again(); }} /><//>`
      : one.data && other.data ? html`<${Pairs} one=${one.data} other=${other.data} names=${[named(a), named(b)]} />` : html`<${Card}><${Loading} what="measurements of both" height=${420} /><//>`}
    <${Blocks} one=${a} other=${b} space=${query.get("space")} />`;
}

/** @param {any[]} rows the newest first */
function newest(rows) {
  const found = new Map();
  for (const row of rows) { const key = row.graph ?? `${row.space}/${row.text}`; if (!found.has(key)) found.set(key, row); }
  return found;
}

/** @param {number[]} values */
const middle = (values) => [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)];

/** @param {{one: any, other: any, names: string[]}} props */
function Pairs({ one, other, names }) {
  const pairs = useMemo(() => {
    const second = newest(other.items);
    const joined = [...newest(one.items)].filter(([key]) => second.has(key)).map(([key, row]) => ({ key, row, a: row.median_ms, b: second.get(key).median_ms, ratio: second.get(key).median_ms / row.median_ms, family: familyOf(row) }));
    const [byA, byB] = ["a", "b"].map((name) => new Map([...joined].sort((first, last) => first[/** @type {"a"} */ (name)] - last[/** @type {"a"} */ (name)]).map((pair, rank) => [pair.key, rank + 1])));
    return joined.map((pair) => ({ ...pair, rankA: byA.get(pair.key) ?? 0, rankB: byB.get(pair.key) ?? 0 }));
  }, [one, other]);
  if (pairs.length < 2) return html`<${Card}><${Empty} title="Hardly a network was measured on both">Measure the same networks on both targets to compare them.<//><//>`;
  const ratio = middle(pairs.map((pair) => pair.ratio));
  const squares = pairs.reduce((sum, pair) => sum + (pair.rankA - pair.rankB) ** 2, 0);
  const spearman = 1 - (6 * squares) / (pairs.length * (pairs.length ** 2 - 1));
  const groups = new Map();
  for (const pair of pairs) groups.set(pair.family, [...(groups.get(pair.family) ?? []), pair.ratio]);
  const families = [...groups].filter(([, values]) => values.length > 1).map(([name, values]) => ({ name, value: middle(values) / ratio, text: `× ${digits(middle(values))} of ${values.length}` })).sort((first, last) => last.value - first.value);
  const moved = [...pairs].sort((first, last) => Math.abs(last.rankA - last.rankB) - Math.abs(first.rankA - first.rankB)).slice(0, SHOWN);
  return html`<${Stats} items=${[["Networks on both", count(pairs.length), one.matched > MOST_ROWS ? `among the newest ${count(MOST_ROWS)} of each` : undefined], ["That over this", `× ${digits(ratio)}`, ratio > 1 ? "that target is slower at the median" : "that target is faster at the median"], ["Same order", digits(spearman, 3), "Spearman’s rank correlation"], ["Within 20 % of the ratio", percent(pairs.filter((pair) => Math.abs(pair.ratio / ratio - 1) < 0.2).length / pairs.length, 0)]]} />
    <div class="grid wide">
      <${Card} title="Latency on both" aside="the line is equal latency"><${Scatter} diagonal label="Latency on that target against latency on this one" xLabel=${names[0]} yLabel=${names[1]} xFormat=${ms} yFormat=${ms} height=${380} points=${pairs.map((pair) => ({ x: pair.a, y: pair.b, href: href(`/networks/${pair.row.graph}`, { measurement: pair.row.id }), text: `${ms(pair.a)} → ${ms(pair.b)} · ${pair.family}` }))} /><//>
      <${Card} title="Who likes what" note="Latency there over latency here, by family: long bars are what that target is bad at.">${families.length ? html`<${Bars} rows=${families.slice(0, 16)} />` : html`<${Empty} title="Too few networks of a family" />`}<//>
    </div>
    <${Card} title="Ranked most differently" flush><${Table} caption="Networks that the two targets rank most differently" rows=${moved} keyOf=${(/** @type {any} */ row) => row.key} columns=${[
      { name: "what", title: "Network", grow: true, cell: (/** @type {any} */ pair) => html`<span class="cut">${pair.row.graph ? html`<a href=${href(`/networks/${pair.row.graph}`, { measurement: pair.row.id })} title=${pair.row.text}>${pair.row.text ?? shortHash(pair.row.graph)}</a>` : pair.row.text}</span>` },
      { name: "family", title: "Family", cell: (/** @type {any} */ pair) => pair.family },
      { name: "a", title: "Here", right: true, cell: (/** @type {any} */ pair) => html`${ms(pair.a)} <span class="muted small">no. ${pair.rankA}</span>` },
      { name: "b", title: "There", right: true, cell: (/** @type {any} */ pair) => html`${ms(pair.b)} <span class="muted small">no. ${pair.rankB}</span>` },
      { name: "ratio", title: "Ratio", right: true, cell: (/** @type {any} */ pair) => `× ${digits(pair.ratio)}` },
    ]} /><//>`;
}
