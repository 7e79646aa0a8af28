/** Forecasts of a target beside its measurements: how good, where not, and whether intervals hold what they say. */
import { html, useMemo, useState } from "../html.js";
import { useApi } from "../api.js";
import { Scatter } from "../charts/scatter.js";
import { count, familyOf, ms, percent, shortHash, signed, span } from "../format.js";
import { href } from "../router.js";
import { Badge, Bars, Card, Empty, Facts, Failed, Legend, Loading, Stats, Table, When } from "../ui/parts.js";
import { Contenders } from "../ui/contenders.js";
import { Record } from "../ui/record.js";
import { TargetHead } from "../ui/target.js";

const WORST = 12;
const LEAST_IN_GROUP = 2;

/** @param {number[]} values @param {number} share */
function quantile(values, share) {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : NaN;
}

/** @param {{id: string}} props */
export default function Quality({ id }) {
  const target = useApi(`targets/${id}`);
  const call = useApi(`targets/${id}/quality`);
  return html`<${TargetHead} id=${id} target=${target.data} />
    ${call.data ? (call.data.pairs.length ? html`<${Report} quality=${call.data} target=${target.data} id=${id} />` : html`<${Card}><${Empty} title="Nothing to compare with">Forecasts are compared with measurements, and this target has none yet.<//><//>`)
      : call.error ? html`<${Card}><${Failed} error=${call.error} again=${call.again} /><//>`
        : html`<${Card} title="Forecasting every measured network …" note="This takes some seconds for a target with thousands of networks."><${Loading} what="forecasts of every measured network" height=${420} /><//>`}`;
}

/** @param {{quality: any, target: any, id: string}} props */
function Report({ quality, target, id }) {
  const { pairs, over_time: record, adaptations } = quality;
  const [heldOut, setHeldOut] = useState(() => pairs.some((/** @type {any} */ pair) => !pair.support)); // where all were learned from, they are all there is to show
  const shown = useMemo(() => pairs.map((/** @type {any} */ pair, /** @type {number} */ place) => ({ ...pair, place })).filter((/** @type {any} */ pair) => !heldOut || !pair.support).map((/** @type {any} */ pair) => ({ ...pair, error: pair.predicted_ms / pair.measured_ms - 1, family: familyOf(pair) })), [pairs, heldOut]);
  const errors = /** @type {number[]} */ (shown.map((/** @type {any} */ pair) => Math.abs(pair.error)));
  const claimed = shown.filter((/** @type {any} */ pair) => pair.interval_ms);
  const inside = claimed.filter((/** @type {any} */ pair) => pair.interval_ms[0] <= pair.measured_ms && pair.measured_ms <= pair.interval_ms[1]);
  const supported = pairs.filter((/** @type {any} */ pair) => pair.support).length;
  const adaptation = target?.adaptation;
  return html`
    ${record.flags.length > 0 && html`<${Card} title="Needs attention"><ul class="alerts">${record.flags.map((/** @type {string} */ flag) => html`<li><span>${flag}</span></li>`)}</ul><//>`}
    <${Stats} items=${[
      ["Median error", percent(quantile(errors, 0.5)), `90 % are below ${percent(quantile(errors, 0.9))}`],
      ["Within 10 %", percent(errors.filter((error) => error <= 0.1).length / errors.length, 0), `${percent(errors.filter((error) => error <= 0.2).length / errors.length, 0)} within 20 %`],
      ["Intervals hold", claimed.length ? percent(inside.length / claimed.length, 0) : "–", "90 % are asked for"],
      ["Bias", signed(quantile(shown.map((/** @type {any} */ pair) => pair.error), 0.5)), "median signed error"],
      ["Networks", count(shown.length), supported ? `${count(supported)} in the support` : "not adapted: the base predictor"],
    ]} />
    <label class="row small check"><input type="checkbox" checked=${heldOut} onChange=${(/** @type {any} */ event) => setHeldOut(event.target.checked)} disabled=${!supported || supported === pairs.length} />Leave out networks that the predictor was adapted with</label>
    <div class="grid wide">
      <${Card} title="Forecast against measured" aside="bars are 90 % intervals; a point leads to its measurement">
        <${Scatter} diagonal label="Forecast against measured latency" xLabel="measured" yLabel="forecast" xFormat=${ms} yFormat=${ms} height=${400}
          points=${shown.map((/** @type {any} */ pair) => ({ x: pair.measured_ms, y: pair.predicted_ms, low: pair.interval_ms?.[0], high: pair.interval_ms?.[1], token: pair.support ? "--series-2" : "--series-1", href: pair.row ? href(`/measurements/${pair.row}`) : undefined, text: `${ms(pair.measured_ms)} measured, ${ms(pair.predicted_ms)} forecast (${signed(pair.error)}) · ${pair.family}` }))} />
        <${Legend} items=${heldOut ? [["held-out", "--series-1"]] : [["held-out", "--series-1"], ["in the support", "--series-2"]]} /><//>
      <div class="stack">
        <${Card} title="Median error by family"><${ByGroup} groups=${byFamily(shown)} /><//>
        <${Card} title="Calibration" note="How often measurements lie within the 90 % interval, by latency."><${Calibration} pairs=${claimed} /><//>
        <${Card} title="What answers"><${Facts} items=${adaptation ? [["Predictor", `adapted from ${adaptation.predictor_id}`], ["Adapted", html`<${When} at=${adaptation.created_unix_s} />`], ["Measured for it", count(adaptation.support.length)], ["Left-out error", percent(adaptation.metrics.support_loo_median_ape)], ["Sentinel meanwhile", ms(adaptation.metrics.sentinel_ms)]] : [["Predictor", "the base predictor, unadapted"], ["To do", html`<a href=${href(`/targets/${target?.id}/adapt`)}>Adapt it to this target</a>: ten measurements are enough`]]} /><//>
      </div>
    </div>
    <div class="grid wide">
      <${Card} title="Over time" aside=${record.scored ? `${count(record.scored)} in all` : ""} note="Forecasts as they stood when their networks were measured for the first time."><${Record} periods=${record.periods} level=${record.level} /><//>
      <div class="stack">
        <${Card} title="Median error by operator" note="Of the networks that have it."><${ByGroup} groups=${byOperator(shown, quality.operators)} /><//>
        <${Card} title="Error by number of measured networks" note="Of each adaptation when it was made, on its networks, each forecast without itself."><${BySamples} adaptations=${adaptations} /><//>
      </div>
    </div>
    <${Contenders} id=${id} />
    <${Card} title="Worst cases" flush><${Table} caption="Networks with the greatest errors" keyOf=${(/** @type {any} */ row) => row.row} rows=${[...shown].sort((one, other) => Math.abs(Math.log1p(other.error)) - Math.abs(Math.log1p(one.error))).slice(0, WORST)} columns=${[
      { name: "what", title: "Network", grow: true, cell: (/** @type {any} */ row) => html`<span class="cut">${row.graph ? html`<a href=${href(`/networks/${row.graph}`, { measurement: row.row, target: target?.id })} title=${row.text}>${row.text ?? shortHash(row.graph)}</a>` : row.text}</span>` },
      { name: "family", title: "Family", cell: (/** @type {any} */ row) => html`<span class="cut" title=${row.family}>${row.family}</span>` },
      { name: "measured", title: "Measured", right: true, cell: (/** @type {any} */ row) => html`<a href=${href(`/measurements/${row.row}`)}>${ms(row.measured_ms)}</a>` },
      { name: "forecast", title: "Forecast", right: true, cell: (/** @type {any} */ row) => ms(row.predicted_ms) },
      { name: "interval", title: "90 % interval", right: true, cell: (/** @type {any} */ row) => (row.interval_ms ? html`<span class="muted">${span(row.interval_ms[0], row.interval_ms[1])}</span>` : "–") },
      { name: "error", title: "Error", right: true, cell: (/** @type {any} */ row) => html`<${Badge} kind=${Math.abs(row.error) > 0.3 ? "bad" : "warn"}>${signed(row.error)}<//>` },
    ]} /><//>`;
}

/** @param {any[]} pairs @returns {Map<string, number[]>} errors by name */
function byFamily(pairs) {
  const groups = new Map();
  for (const pair of pairs) { if (!groups.has(pair.family)) groups.set(pair.family, []); groups.get(pair.family).push(Math.abs(pair.error)); }
  return groups;
}

/** @param {any[]} pairs @param {Record<string, number[]>} operators places @returns {Map<string, number[]>} */
function byOperator(pairs, operators) {
  const errors = /** @type {Map<number, number>} */ (new Map(pairs.map((pair) => [pair.place, Math.abs(pair.error)])));
  return new Map(Object.entries(operators).map(([name, places]) => [name, places.flatMap((place) => errors.get(place) ?? [])]));
}

/** @param {{adaptations: import("../../types").Schema<"AdaptationError">[]}} props */
function BySamples({ adaptations }) {
  const newest = new Map(adaptations.filter((one) => one.median_ape !== null).map((one) => [one.samples, one]));
  if (!newest.size) return html`<${Empty} title="No adaptation was judged yet" />`;
  const rows = [...newest.values()].sort((one, other) => one.samples - other.samples).map((one) => ({ name: `${count(one.samples)}${one.active ? " (now)" : ""}`, value: /** @type {number} */ (one.median_ape), text: percent(one.median_ape) }));
  return html`<${Bars} rows=${rows} />`;
}

/** @param {{groups: Map<string, number[]>}} props */
function ByGroup({ groups }) {
  const rows = [...groups].filter(([, errors]) => errors.length >= LEAST_IN_GROUP).map(([name, errors]) => ({ name, value: quantile(errors, 0.5), text: `${percent(quantile(errors, 0.5))} of ${errors.length}` }));
  return rows.length ? html`<${Bars} rows=${rows.sort((one, other) => other.value - one.value).slice(0, 14)} />` : html`<${Empty} title="Too few networks" />`;
}

/** @param {{pairs: any[]}} props */
function Calibration({ pairs }) {
  if (pairs.length < 8) return html`<${Empty} title="Too few intervals" />`;
  const sorted = [...pairs].sort((one, other) => one.measured_ms - other.measured_ms);
  const parts = 4;
  const rows = Array.from({ length: parts }, (_, place) => {
    const part = sorted.slice((place * sorted.length) / parts, ((place + 1) * sorted.length) / parts);
    const held = part.filter((pair) => pair.interval_ms[0] <= pair.measured_ms && pair.measured_ms <= pair.interval_ms[1]).length / part.length;
    return { name: span(part[0].measured_ms, part[part.length - 1].measured_ms), value: held, of: 1, text: percent(held, 0) };
  });
  return html`<${Bars} rows=${rows} />`;
}
