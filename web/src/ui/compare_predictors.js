/** Two predictors over the networks that were measured on a target: who is nearer, and who ranks what differently. */
import { html, useEffect, useMemo, useState } from "../html.js";
import { post, useApi } from "../api.js";
import { Scatter } from "../charts/scatter.js";
import { count, digits, familyOf, ms, percent, shortHash, signed } from "../format.js";
import { change, href } from "../router.js";
import { PickTarget } from "./pick.js";
import { Bars, Card, Empty, Failed, Loading, Stats, Table } from "./parts.js";

const MOST_ROWS = 1000;
const MOST_NETWORKS = 300;
const SHOWN = 10;

/** @param {number[]} values */
const middle = (values) => [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)];

/** @param {{query: URLSearchParams, targets: any[]}} props */
export function ComparePredictors({ query, targets }) {
  const target = query.get("a") ?? targets[0]?.id;
  const contenders = useApi(target ? `targets/${target}/contenders` : null);
  const trained = useApi("predictors", { limit: 50 });
  const rows = useApi(target ? `targets/${target}/rows` : null, { outcome: "measured", limit: MOST_ROWS });
  const names = [...new Set([...(contenders.data?.spaces ?? []).flatMap((space) => space.standings.map((one) => one.name)), ...(trained.data?.items ?? []).map((one) => one.id)])];
  const kinds = new Map([...(contenders.data?.spaces ?? []).flatMap((space) => space.standings.map((one) => /** @type {[string, string]} */ ([one.name, one.kind]))), ...(trained.data?.items ?? []).map((one) => /** @type {[string, string]} */ ([one.id, one.kind]))]);
  const [p, q] = [query.get("p") ?? names[0], query.get("q") ?? names[1]];
  const error = contenders.error ?? trained.error ?? rows.error;
  const label = (/** @type {string} */ name) => `${kinds.get(name) ?? ""} ${name}`.trim();
  const networks = useMemo(() => [...new Map((rows.data?.items ?? []).filter((row) => row.graph).map((row) => [row.graph, row])).values()].slice(0, MOST_NETWORKS), [rows.data]);
  if (!target) return html`<${Card}><${Empty} title="No target yet">Start an agent on a device: <code>latcast agent</code>. Predictors are compared on what was measured there.<//><//>`;
  return html`<search class="row" aria-label="Predictors">
      <${PickTarget} name="Target" value=${target} targets=${targets} onPick=${(/** @type {string} */ one) => change({ a: one, p: null, q: null })} />
      ${names.length > 1 && [["p", "This predictor", p], ["q", "with that", q]].map(([key, title, chosen]) => html`<label class="field">${title}<select value=${chosen} onChange=${(/** @type {any} */ event) => change({ [key]: event.target.value })}>${names.map((name) => html`<option value=${name}>${label(name)}</option>`)}</select></label>`)}</search>
    ${error ? html`<${Card}><${Failed} error=${error} /><//>` : !contenders.data || !trained.data || !rows.data ? html`<${Card}><${Loading} what="predictors" height=${420} /><//>`
      : names.length < 2 ? html`<${Card}><${Empty} title="There are not two predictors for this target"><a href=${href("/train")}>Train another one.</a><//><//>`
        : !networks.length ? html`<${Card}><${Empty} title="No network was measured on this target">Measure some, or <a href=${href(`/targets/${target}/adapt`)}>adapt it</a>.<//><//>` : html`<${Both} key=${`${target} ${p} ${q}`} target=${target} names=${[p, q]} labels=${[label(p), label(q)]} rows=${networks} />`}`;
}

/** @param {{target: string, names: string[], labels: string[], rows: any[]}} props */
function Both({ target, names, labels, rows }) {
  const [state, setState] = useState(/** @type {any} */ ({}));
  useEffect(() => {
    let wanted = true;
    const graphs = rows.map((row) => row.graph);
    Promise.all(names.map((predictor) => post("predict", { target, graphs, predictor }))).then((answers) => wanted && setState({ answers }), (error) => wanted && setState({ error }));
    return () => { wanted = false; };
  }, []);
  if (state.error) return html`<${Card}><${Failed} error=${state.error} /><//>`;
  if (!state.answers) return html`<${Card}><${Loading} what="forecasts of both" height=${420} /><//>`;
  return html`<${Pairs} answers=${state.answers} rows=${rows} labels=${labels} />`;
}

/** @param {{answers: any[], rows: any[], labels: string[]}} props */
function Pairs({ answers, rows, labels }) {
  const pairs = rows.map((row, place) => ({ row, a: answers[0].latency_ms[place], b: answers[1].latency_ms[place], family: familyOf(row) })).filter((pair) => pair.a && pair.b)
    .map((pair) => ({ ...pair, missA: pair.a / pair.row.median_ms - 1, missB: pair.b / pair.row.median_ms - 1 }));
  if (pairs.length < 2) return html`<${Card}><${Empty} title="The two can hardly forecast the same networks">${Object.values({ ...answers[0].errors, ...answers[1].errors })[0]?.detail}<//><//>`;
  const rank = (/** @type {"a"|"b"} */ name) => new Map([...pairs].sort((one, other) => one[name] - other[name]).map((pair, place) => [pair, place + 1]));
  const [byA, byB] = [rank("a"), rank("b")];
  const apart = (/** @type {any} */ pair) => Math.abs((byA.get(pair) ?? 0) - (byB.get(pair) ?? 0));
  const spearman = 1 - (6 * pairs.reduce((sum, pair) => sum + apart(pair) ** 2, 0)) / (pairs.length * (pairs.length ** 2 - 1));
  const groups = /** @type {Map<string, any[]>} */ (new Map());
  for (const pair of pairs) { if (!groups.has(pair.family)) groups.set(pair.family, []); groups.get(pair.family)?.push(pair); }
  const families = [...groups].filter(([, list]) => list.length > 1).map(([name, list]) => ({ name, one: middle(list.map((pair) => Math.abs(pair.missA))), other: middle(list.map((pair) => Math.abs(pair.missB))), count: list.length }));
  const moved = [...pairs].sort((one, other) => apart(other) - apart(one)).slice(0, SHOWN);
  return html`<${Stats} items=${[["Networks", count(pairs.length), "those that they were adapted to among them"], ["This one misses by", percent(middle(pairs.map((pair) => Math.abs(pair.missA)))), "median"], ["That one misses by", percent(middle(pairs.map((pair) => Math.abs(pair.missB)))), "median"], ["This one is nearer", percent(pairs.filter((pair) => Math.abs(pair.missA) < Math.abs(pair.missB)).length / pairs.length, 0), "of the networks"], ["Same order", digits(spearman, 3), "Spearman’s rank correlation"]]} />
    <div class="grid wide">
      <${Card} title="Forecasts of both" aside="the line is where they agree"><${Scatter} diagonal label="Forecasts of that predictor against forecasts of this one" xLabel=${labels[0]} yLabel=${labels[1]} xFormat=${ms} yFormat=${ms} height=${380} points=${pairs.map((pair) => ({ x: pair.a, y: pair.b, href: href(`/networks/${pair.row.graph}`, { measurement: pair.row.id }), text: `${ms(pair.row.median_ms)} measured; ${ms(pair.a)} and ${ms(pair.b)} forecast · ${pair.family}` }))} /><//>
      <${Card} title="Who is nearer where" note="Median error of this one by family, beside that of that one.">${families.length ? html`<${Bars} rows=${families.sort((one, other) => other.one - other.other - one.one + one.other).slice(0, 14).map((one) => ({ name: one.name, value: one.one, text: `${percent(one.one)}, ${percent(one.other)} of ${one.count}` }))} />` : html`<${Empty} title="Too few networks of a family" />`}<//>
    </div>
    <${Card} title="Ranked most differently" flush><${Table} caption="Networks that the two predictors rank most differently" rows=${moved} keyOf=${(/** @type {any} */ pair) => pair.row.id} columns=${[
      { name: "what", title: "Network", grow: true, cell: (/** @type {any} */ pair) => html`<span class="cut"><a href=${href(`/networks/${pair.row.graph}`, { measurement: pair.row.id })} title=${pair.row.text}>${pair.row.text ?? shortHash(pair.row.graph)}</a></span>` },
      { name: "measured", title: "Measured", right: true, cell: (/** @type {any} */ pair) => ms(pair.row.median_ms) },
      { name: "a", title: "This one", right: true, cell: (/** @type {any} */ pair) => html`${ms(pair.a)} <span class="muted small">${signed(pair.missA)}, no. ${byA.get(pair)}</span>` },
      { name: "b", title: "That one", right: true, cell: (/** @type {any} */ pair) => html`${ms(pair.b)} <span class="muted small">${signed(pair.missB)}, no. ${byB.get(pair)}</span>` },
    ]} /><//>`;
}
