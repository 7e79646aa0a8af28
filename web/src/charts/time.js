/** Charts over time. */
import { html } from "../html.js";
import { absolute, compact, count } from "../format.js";
import { Legend } from "../ui/parts.js";
import { MARGIN, XAxis, YAxis, scale, timeTicks, useWidth } from "./plot.js";

/**
 * Bars that stand on each other, one for each span of time.
 * @param {{rows: {at: number, values: number[]}[], series: [string, string][], label: string, height?: number}} props
 */
export function StackedBars({ rows, series, label, height = 190 }) {
  const [ref, width] = useWidth();
  const from = rows[0].at;
  const step = rows.length > 1 ? rows[1].at - from : 3600;
  const to = rows[rows.length - 1].at + step;
  const most = Math.max(...rows.map((row) => row.values.reduce((sum, value) => sum + value, 0)), 1);
  const x = scale([from, to], [MARGIN.left, width - MARGIN.right]);
  const y = scale([0, most], [height - MARGIN.bottom, MARGIN.top]);
  const each = Math.max(1, (width - MARGIN.left - MARGIN.right) / rows.length - 1);
  const total = rows.reduce((sum, row) => sum + row.values.reduce((all, value) => all + value, 0), 0);
  return html`<figure class="stack"><div class="plot" ref=${ref} style=${{ height: `${height}px` }}>${width > 0 && html`
    <svg width=${width} height=${height} role="img" aria-label=${`${label}: ${count(total)} in all (${series.map(([name], index) => `${count(rows.reduce((sum, row) => sum + row.values[index], 0))} ${name}`).join(", ")}), at most ${count(most)} at once.`}>
      <${YAxis} scale=${y} width=${width} height=${height} format=${compact} whole />
      ${rows.map((row) => {
        let base = 0;
        return html`<g><title>${`${absolute(row.at)}: ${series.map(([name], index) => `${count(row.values[index])} ${name}`).join(", ")}`}</title>
          <rect x=${x(row.at)} y=${MARGIN.top} width=${each} height=${height - MARGIN.top - MARGIN.bottom} fill="transparent" />
          ${row.values.map((value, index) => {
            const top = y(base + value);
            const bottom = y(base);
            base += value;
            return value > 0 && html`<rect x=${x(row.at)} y=${top} width=${each} height=${Math.max(0.5, bottom - top)} style=${{ fill: `var(${series[index][1]})` }} />`;
          })}</g>`;
      })}
      <${XAxis} scale=${x} width=${width} height=${height} format=${String} ticks=${timeTicks(from, to, Math.floor(width / 70))} />
    </svg>`}</div><${Legend} items=${series} /></figure>`;
}

/**
 * A line with the band that it lies in.
 * @param {{edges: number[], middle: (number|null)[], low?: (number|null)[], high?: (number|null)[], label: string, format: (value: number) => string, height?: number, token?: string, zero?: boolean, top?: number, mark?: number}} props
 *   `top` is the end of the axis, `mark` a value to compare with
 */
export function Band({ edges, middle, low = middle, high = middle, label, format, height = 150, token = "--series-1", zero = false, top, mark }) {
  const [ref, width] = useWidth();
  const at = middle.map((_, index) => (edges[index] + edges[index + 1]) / 2);
  const known = [...middle, ...low, ...high].filter((value) => value !== null);
  if (!known.length) return html`<p class="muted small">${label}: nothing is known.</p>`;
  const marks = mark === undefined ? [] : [mark];
  const least = zero ? 0 : Math.min(...known, ...marks);
  const most = Math.max(...known, ...marks);
  const pad = (most - least) * 0.1 || most * 0.1 || 1;
  const x = scale([edges[0], edges[edges.length - 1]], [MARGIN.left, width - MARGIN.right]);
  const y = scale([zero ? 0 : least - pad, top ?? most + pad], [height - MARGIN.bottom, MARGIN.top]);
  const there = at.map((_, index) => index).filter((index) => middle[index] !== null);
  const line = (/** @type {any[]} */ values, /** @type {number[]} */ order) => order.map((index) => `${x(at[index]).toFixed(1)},${y(values[index]).toFixed(1)}`).join(" ");
  return html`<div class="plot" ref=${ref} style=${{ height: `${height}px` }}>${width > 0 && html`
    <svg width=${width} height=${height} role="img" aria-label=${`${label}: ${format(/** @type {number} */ (middle[there[0]]))} at first, ${format(/** @type {number} */ (middle[there[there.length - 1]]))} at last; between ${format(Math.min(...known))} and ${format(Math.max(...known))}.`}>
      <${YAxis} scale=${y} width=${width} height=${height} format=${format} />
      ${marks.map((value) => html`<line x1=${MARGIN.left} x2=${width - MARGIN.right} y1=${y(value)} y2=${y(value)} style=${{ stroke: "var(--muted)" }} stroke-dasharray="3 3" />`)}
      <polygon points=${`${line(low, there)} ${line(high, [...there].reverse())}`} style=${{ fill: `var(${token})` }} fill-opacity="0.18" />
      <polyline points=${line(middle, there)} fill="none" style=${{ stroke: `var(${token})` }} stroke-width="2" />
      ${there.map((index) => html`<circle cx=${x(at[index])} cy=${y(/** @type {number} */ (middle[index]))} r="3" style=${{ fill: there.length < 30 ? `var(${token})` : "transparent" }}><title>${`${absolute(at[index])}: ${format(/** @type {number} */ (middle[index]))}`}</title></circle>`)}
      <${XAxis} scale=${x} width=${width} height=${height} format=${String} ticks=${timeTicks(edges[0], edges[edges.length - 1], Math.max(2, Math.floor(width / 80)))} />
    </svg>`}</div>`;
}
