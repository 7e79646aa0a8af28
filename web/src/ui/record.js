/** How good forecasts were that stood when networks were measured, over time. */
import { html } from "../html.js";
import { Band } from "../charts/time.js";
import { count, counted, percent } from "../format.js";
import { Empty } from "./parts.js";

/** @typedef {import("../../types").Schema<"Period">} Period */

/** Coverage is drawn from here to all. */
const ALL = 1;

/** @param {{periods: Period[], level?: number}} props */
export function Record({ periods, level = 0.9 }) {
  if (!periods.length) return html`<${Empty} title="No forecast has been measured yet">When a network is measured that had only been forecast, both are kept here.<//>`;
  const edges = [...periods.map((one) => one.since_unix_s), periods[periods.length - 1].until_unix_s + 1];
  const covered = periods.map((one) => one.coverage ?? null);
  const drift = periods.map((one) => one.host_drift ?? null);
  return html`<div class="stack"><h3>Median error</h3>
    <${Band} edges=${edges} middle=${periods.map((one) => one.median_ape)} label="Median error of forecasts over time" format=${percent} zero height=${130} />
    ${covered.some((value) => value !== null) && html`<h3>Intervals that held</h3>
      <${Band} edges=${edges} middle=${covered} label="Share of intervals that held over time" format=${(/** @type {number} */ value) => percent(value, 0)} zero top=${ALL} mark=${level} height=${130} token="--series-3" />`}
    ${drift.some((value) => value !== null) && html`<h3>Sentinel, against when the target was adapted</h3>
      <${Band} edges=${edges} middle=${drift} label="The machine's time over that of the adaptation" format=${(/** @type {number} */ value) => `× ${value.toFixed(2)}`} mark=${1} height=${130} token="--series-2" />`}
    <p class="note">${counted(periods.reduce((sum, one) => sum + one.scored, 0), "forecast that was measured later", "forecasts that were measured later")}; each point is ${count(periods[0].scored)} of them.</p></div>`;
}
