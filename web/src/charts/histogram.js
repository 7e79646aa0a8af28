/** Histograms: all rows as a ghost, the wanted ones before it, and a range that can be drawn. */
import { html } from "../html.js";
import { compact, count } from "../format.js";
import { Brush, MARGIN, XAxis, YAxis, scale, timeTicks, useWidth } from "./plot.js";

/** @param {number[]} values */
const sum = (values) => values.reduce((all, value) => all + value, 0);

/**
 * @param {{data: {edges: number[], counts: number[], totals: number[], logarithmic: boolean}, label: string, format: (value: number) => string,
 *   onRange?: (from: number, to: number) => void, time?: boolean, height?: number}} props
 */
export function Histogram({ data, label, format, onRange, time = false, height = 150 }) {
  const [ref, width] = useWidth();
  const { edges, counts, totals, logarithmic } = data;
  const x = scale([edges[0], edges[edges.length - 1]], [MARGIN.left, width - MARGIN.right], logarithmic);
  const most = Math.max(...totals, 1);
  const top = counts.indexOf(Math.max(...counts));
  const y = scale([0, most], [height - MARGIN.bottom, MARGIN.top]);
  const bars = (/** @type {number[]} */ values, /** @type {string} */ token) => values.map((value, index) => value > 0 && html`
    <rect x=${x(edges[index]) + 0.5} width=${Math.max(0.8, x(edges[index + 1]) - x(edges[index]) - 1)} y=${Math.min(y(value), height - MARGIN.bottom - 1)} height=${Math.max(1, height - MARGIN.bottom - y(value))} style=${{ fill: `var(${token})` }}>
      <title>${`${format(edges[index])} to ${format(edges[index + 1])}: ${count(counts[index])} of ${count(totals[index])}`}</title></rect>`);
  return html`<div class="plot" ref=${ref} style=${{ height: `${height}px` }}>${width > 0 && html`
    <svg width=${width} height=${height} role="img" aria-label=${`${label}: ${count(sum(counts))} of ${count(sum(totals))} measurements, from ${format(edges[0])} to ${format(edges[edges.length - 1])}; most, ${count(Math.max(...counts))}, from ${format(edges[top])} to ${format(edges[top + 1])}.`}>
      <${YAxis} scale=${y} width=${width} height=${height} format=${compact} whole />
      ${bars(totals, "--ghost")}${bars(counts, "--series-1")}
      <${XAxis} scale=${x} width=${width} height=${height} format=${format} ticks=${time ? timeTicks(edges[0], edges[edges.length - 1], Math.max(2, Math.floor(width / 80))) : undefined} />
      ${onRange && html`<${Brush} width=${width} height=${height} axes="x" onBrush=${(/** @type {number[]} */ from, /** @type {number[]} */ to) => onRange(x.invert(from[0]), x.invert(to[0]))} />`}
    </svg>`}</div>`;
}
