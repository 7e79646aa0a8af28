/** What the operators and blocks of a search space cost on two targets: which are friendly to whom. */
import { html } from "../html.js";
import { useApi } from "../api.js";
import { digits, ms, percent } from "../format.js";
import { change } from "../router.js";
import { Card, Empty, Failed, Loading, Table } from "./parts.js";

const SPACES = ["nasbench201", "fbnet", "ofa_mbv3"];

/** Mean cost of each option over the positions that have it. @param {import("../../types").Schema<"LookupTableOut">} table */
function costs(table) {
  const found = /** @type {Map<string, number[]>} */ (new Map());
  for (const position of table.positions) for (const option of position.options) {
    if (option.cost_ms === null) continue;
    if (!found.has(option.name)) found.set(option.name, []);
    found.get(option.name)?.push(option.cost_ms);
  }
  return new Map([...found].map(([name, values]) => [name, values.reduce((sum, value) => sum + value, 0) / values.length]));
}

/** @param {{one: string, other: string, space: string|null}} props ids of targets */
export function Blocks({ one, other, space }) {
  const here = useApi(space ? `targets/${one}/lookup-table` : null, { space });
  const there = useApi(space ? `targets/${other}/lookup-table` : null, { space });
  const error = here.error ?? there.error;
  return html`<${Card} title="Operators and blocks" note="What each option of a search space costs beyond the cheapest one, mean over its positions: the sums that are closest to the forecasts.">
    <label class="field"><span class="visually-hidden">Search space</span><select value=${space ?? ""} onChange=${(/** @type {any} */ event) => change({ space: event.target.value })}><option value="">Choose a search space …</option>${SPACES.map((name) => html`<option value=${name}>${name}</option>`)}</select></label>
    ${space && (error ? html`<${Failed} error=${error} />` : here.data && there.data ? html`<${Costs} here=${here.data} there=${there.data} />` : html`<${Loading} what="costs of options" height=${240} />`)}<//>`;
}

/** @param {{here: import("../../types").Schema<"LookupTableOut">, there: import("../../types").Schema<"LookupTableOut">}} props */
function Costs({ here, there }) {
  const [a, b] = [costs(here), costs(there)];
  const names = [...a.keys()].filter((name) => b.has(name));
  const ratio = there.overhead_ms + sum(b) > 0 && here.overhead_ms + sum(a) > 0 ? (there.overhead_ms + sum(b)) / (here.overhead_ms + sum(a)) : 1;
  const rows = names.map((name) => ({ name, a: a.get(name) ?? 0, b: b.get(name) ?? 0 })).sort((first, last) => last.b + last.a * ratio - first.b - first.a * ratio);
  if (!rows.length) return html`<${Empty} title="No option is known on both" />`;
  const relative = (/** @type {any} */ row) => (row.a > 0 && row.b > 0 ? row.b / row.a / ratio : null);
  return html`<${Table} caption="Cost of options on both targets" rows=${rows} keyOf=${(/** @type {any} */ row) => row.name} columns=${[
    { name: "name", title: "Option", cell: (/** @type {any} */ row) => html`<code>${row.name}</code>` },
    { name: "a", title: "Here", right: true, cell: (/** @type {any} */ row) => ms(row.a) },
    { name: "b", title: "There", right: true, cell: (/** @type {any} */ row) => ms(row.b) },
    { name: "for", title: "Compared with all", right: true, cell: (/** @type {any} */ row) => { const value = relative(row); return value === null ? "–" : `× ${digits(value)} ${value > 1.1 ? "dearer there" : value < 0.9 ? "cheaper there" : ""}`; } },
  ]} /><p class="note">Sums explain ${percent(here.explained_variance, 0)} of the variance here and ${percent(there.explained_variance, 0)} there.</p>`;
}

/** @param {Map<string, number>} values */
const sum = (values) => [...values.values()].reduce((all, value) => all + value, 0);
