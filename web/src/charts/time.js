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
    <svg width=${width} height=${height} role="img" aria-label=${`${label}: ${count(total)} in all, at most ${count(most)} at once.`}>
      <${YAxis} scale=${y} width=${width} height=${height} format=${compact} />
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
