/** Points, or where there are too many their density, on two logarithmic axes. */
import { html, useEffect, useRef, useState } from "../html.js";
import { count } from "../format.js";
import { colour, colours } from "../theme.js";
import { Brush, MARGIN, XAxis, YAxis, scale, useWidth } from "./plot.js";

const HIT = 12;

/** @param {CanvasRenderingContext2D} canvas @param {number} width @param {number} height */
function prepared(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  canvas.canvas.width = width * ratio;
  canvas.canvas.height = height * ratio;
  canvas.setTransform(ratio, 0, 0, ratio, 0, 0);
  canvas.clearRect(0, 0, width, height);
}

const EMPTY = { x_edges: [1, 2], y_edges: [1, 2], counts: [[0]] };

/**
 * @param {{points: {x: number, y: number, low?: number, high?: number, text: string, href?: string, token?: string}[]|null, grid?: {x_edges: number[], y_edges: number[], counts: number[][]},
 *   xLabel: string, yLabel: string, xFormat: (value: number) => string, yFormat: (value: number) => string, label: string, height?: number, diagonal?: boolean,
 *   onBox?: (x: [number, number], y: [number, number]) => void}} props
 */
export function Scatter({ points, grid = EMPTY, xLabel, yLabel, xFormat, yFormat, label, height = 330, diagonal = false, onBox }) {
  const [ref, width] = useWidth();
  const canvas = useRef(/** @type {HTMLCanvasElement|null} */ (null));
  const [near, setNear] = useState(/** @type {any} */ (null));
  const xs = points ? extent(points.map((point) => point.x)) : [grid.x_edges[0], grid.x_edges[grid.x_edges.length - 1]];
  const ys = points ? extent(points.flatMap((point) => [point.y, point.low ?? point.y, point.high ?? point.y])) : [grid.y_edges[0], grid.y_edges[grid.y_edges.length - 1]];
  const both = /** @type {[number, number]} */ (diagonal ? [Math.min(xs[0], ys[0]), Math.max(xs[1], ys[1])] : null);
  const x = scale(both ?? /** @type {any} */ (xs), [MARGIN.left, width - MARGIN.right], true);
  const y = scale(both ?? /** @type {any} */ (ys), [height - MARGIN.bottom, MARGIN.top], true);
  const shade = colours.value;
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || !width) return;
    prepared(context, width, height);
    if (diagonal) drawDiagonal(context, x, y, both);
    if (points) drawPoints(context, points, x, y);
    else drawGrid(context, grid, x, y);
  }, [points, grid, width, height, shade]);
  const move = (/** @type {PointerEvent} */ event) => {
    if (!points) return;
    const bounds = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    const [left, top] = [event.clientX - bounds.left, event.clientY - bounds.top];
    let best = null;
    let distance = HIT;
    for (const point of points) {
      const away = Math.hypot(x(point.x) - left, y(point.y) - top);
      if (away < distance) { distance = away; best = point; }
    }
    setNear(best);
  };
  return html`<div class="plot" ref=${ref} style=${{ height: `${height}px` }} onPointerMove=${move} onPointerLeave=${() => setNear(null)} onClick=${() => near?.href && !onBox && (location.hash = near.href)}
      onDblClick=${() => near?.href && (location.hash = near.href)}>
    <canvas ref=${canvas} style=${{ width: `${width}px`, height: `${height}px` }} aria-hidden="true"></canvas>
    ${width > 0 && html`<svg width=${width} height=${height} role="img" aria-label=${`${label}: ${count(points ? points.length : grid.counts.flat().reduce((sum, value) => sum + value, 0))} ${points ? "points" : "measurements as a density"}; ${xLabel} from ${xFormat(x.domain[0])} to ${xFormat(x.domain[1])}, ${yLabel} from ${yFormat(y.domain[0])} to ${yFormat(y.domain[1])}.`}>
      <${YAxis} scale=${y} width=${width} height=${height} format=${yFormat} label=${yLabel} />
      <${XAxis} scale=${x} width=${width} height=${height} format=${xFormat} label=${xLabel} />
      ${near && html`<circle cx=${x(near.x)} cy=${y(near.y)} r="6" fill="none" style=${{ stroke: "var(--ink)" }} stroke-width="2" />`}
      ${onBox && html`<${Brush} width=${width} height=${height} axes="xy" onBrush=${(/** @type {number[]} */ from, /** @type {number[]} */ to) => onBox([x.invert(from[0]), x.invert(to[0])], [y.invert(to[1]), y.invert(from[1])])} />`}
    </svg>`}
    ${near && html`<div class="tip" style=${{ left: `${Math.min(Math.max(x(near.x), 110), width - 110)}px`, top: `${y(near.y)}px`, maxWidth: "min(420px, 90%)", overflow: "hidden", textOverflow: "ellipsis" }}>${near.text}</div>`}</div>`;
}

/** @param {number[]} values @returns {[number, number]} */
function extent(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) if (value > 0) { if (value < low) low = value; if (value > high) high = value; }
  if (!Number.isFinite(low)) return [0.1, 10];
  return [low / 1.12, high * 1.12];
}

/** @param {CanvasRenderingContext2D} context @param {any[]} points @param {any} x @param {any} y */
function drawPoints(context, points, x, y) {
  const tokens = [...new Set(points.map((point) => point.token ?? "--series-1"))];
  const radius = points.length > 1500 ? 2 : 3;
  for (const token of tokens) {
    context.fillStyle = context.strokeStyle = colour(token);
    for (const point of points) {
      if ((point.token ?? "--series-1") !== token) continue;
      const [left, top] = [x(point.x), y(point.y)];
      if (point.low) {
        context.globalAlpha = 0.28;
        context.beginPath();
        context.moveTo(left, y(point.low));
        context.lineTo(left, y(point.high));
        context.stroke();
      }
      context.globalAlpha = token === "--series-2" ? 1 : points.length > 400 ? 0.5 : 0.75;
      context.beginPath();
      context.arc(left, top, token === "--series-2" ? radius + 0.5 : radius, 0, 7);
      context.fill();
    }
  }
  context.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} context @param {any} grid @param {any} x @param {any} y */
function drawGrid(context, grid, x, y) {
  const most = Math.log1p(Math.max(...grid.counts.map((/** @type {number[]} */ column) => Math.max(...column))));
  const shades = ["--heat-0", "--heat-1", "--heat-2", "--heat-3"].map(colour);
  grid.counts.forEach((/** @type {number[]} */ column, /** @type {number} */ place) => column.forEach((value, row) => {
    if (!value) return;
    context.fillStyle = shades[Math.min(3, Math.floor((4 * Math.log1p(value)) / (most * 1.0001)))];
    const [left, right, bottom, top] = [x(grid.x_edges[place]), x(grid.x_edges[place + 1]), y(grid.y_edges[row]), y(grid.y_edges[row + 1])];
    context.fillRect(left, top, right - left + 0.4, bottom - top + 0.4);
  }));
}

/** @param {CanvasRenderingContext2D} context @param {any} x @param {any} y @param {[number, number]} both */
function drawDiagonal(context, x, y, both) {
  context.strokeStyle = colour("--line-strong");
  context.lineWidth = 1;
  context.setLineDash([4, 4]);
  context.beginPath();
  context.moveTo(x(both[0]), y(both[0]));
  context.lineTo(x(both[1]), y(both[1]));
  context.stroke();
  context.setLineDash([]);
}
