/** Two targets side by side: where each spends the time of one network. */
import { html } from "../html.js";
import { digits, ms } from "../format.js";
import { change } from "../router.js";
import { PickTarget } from "./pick.js";
import { Card, Empty, Failed, Loading, Table } from "./parts.js";

/** Milliseconds by operator. @param {{operator: string, ms: number}[]} kernels */
function sums(kernels) {
  const found = /** @type {Map<string, number>} */ (new Map());
  for (const kernel of kernels) found.set(kernel.operator, (found.get(kernel.operator) ?? 0) + kernel.ms);
  return found;
}

/**
 * @param {{kernels: {operator: string, ms: number}[], other: {data?: any, error?: any}, beside: string|null, target: string|undefined,
 *   targets: {id: string, label: string, device_name: string}[]}} props
 */
export function Beside({ kernels, other, beside, target, targets }) {
  const others = targets.filter((one) => one.id !== target);
  if (!others.length) return null;
  const pick = html`<${PickTarget} name="Beside" hidden value=${beside} targets=${others} none="Another target …" onPick=${(/** @type {string} */ one) => change({ beside: one || null })} />`;
  return html`<${Card} title="Side by side">${pick}
    ${beside && (other.error ? html`<${Failed} error=${other.error} />` : !other.data ? html`<${Loading} what="times of the other target" height=${160} />`
      : html`<${Operators} one=${sums(kernels)} other=${sums(other.data.kernels.map((/** @type {any} */ kernel) => ({ operator: kernel.operator, ms: kernel.latency_ms })))} />`)}<//>`;
}

/** @param {{one: Map<string, number>, other: Map<string, number>}} props */
function Operators({ one, other }) {
  const total = (/** @type {Map<string, number>} */ times) => [...times.values()].reduce((sum, value) => sum + value, 0);
  const names = [...new Set([...one.keys(), ...other.keys()])].sort((a, b) => Math.max(one.get(b) ?? 0, other.get(b) ?? 0) - Math.max(one.get(a) ?? 0, other.get(a) ?? 0));
  const rows = [["All", total(one), total(other)], ...names.map((name) => [name, one.get(name), other.get(name)])];
  if (!total(one) || !total(other)) return html`<${Empty} title="No kernels to compare" />`;
  const time = (/** @type {number|undefined} */ value) => (value === undefined ? "–" : ms(value));
  return html`<${Table} caption="Time by operator on both targets" rows=${rows} keyOf=${(/** @type {any} */ row) => row[0]} columns=${[
    { name: "operator", title: "Kernels", cell: (/** @type {any} */ row) => row[0] },
    { name: "here", title: "Here", right: true, cell: (/** @type {any} */ row) => time(row[1]) },
    { name: "there", title: "There", right: true, cell: (/** @type {any} */ row) => time(row[2]) },
    { name: "ratio", title: "Ratio", right: true, cell: (/** @type {any} */ row) => (row[1] && row[2] ? `${digits(row[2] / row[1])} ×` : "–") },
  ]} />`;
}
