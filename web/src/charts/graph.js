/** A network as a drawing that can be moved, zoomed and searched; colours are shares of time. */
import { html, useEffect, useMemo, useRef, useState } from "../html.js";
import { count } from "../format.js";
import { colour, colours } from "../theme.js";
import { NODE, layout } from "./layout.js";

const NAMES_FROM = 0.42;
const EDGES_FROM = 0.035;
const MOST_SCALE = 2.5;
const LEGIBLE = 0.85;
/** The first node stands below the buttons, in px. */
const TOP = 66;

/**
 * @param {{nodes: any[], shares: Map<number, number>, tokens?: Map<number, string>|null, chosen: number|null, marked: Set<number>, onChoose: (place: number|null) => void, textOf: (place: number) => string, height?: number}} props `tokens` are colours of nodes in place of those of their shares
 */
export function GraphDrawing({ nodes, shares, tokens = null, chosen, marked, onChoose, textOf, height = 560 }) {
  const canvas = useRef(/** @type {HTMLCanvasElement|null} */ (null));
  const places = useMemo(() => layout(nodes), [nodes]);
  const view = useRef({ x: 0, y: 0, scale: 1, set: false });
  const [width, setWidth] = useState(0);
  const frame = useRef(0);
  const shade = colours.value;
  const draw = () => {
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(() => paint(/** @type {HTMLCanvasElement} */ (canvas.current), { nodes, shares, tokens, chosen, marked, places, view: view.current, textOf }));
  };
  const fit = () => {
    const whole = Math.min(width / (places.width + NODE.width + 40), height / (places.height + NODE.height + 40), 1);
    const scale = Math.max(whole, Math.min(LEGIBLE, width / (places.width + NODE.width + 40), 1));
    view.current = { scale, x: width / 2 - (places.width / 2) * scale, y: whole >= scale ? (height - places.height * scale) / 2 : TOP, set: true };
  };
  const overview = () => {
    const scale = Math.min(width / (places.width + NODE.width + 40), height / (places.height + NODE.height + 40), 1);
    view.current = { scale, x: (width - places.width * scale) / 2, y: (height - places.height * scale) / 2, set: true };
    draw();
  };
  useEffect(() => {
    const observer = new ResizeObserver((entries) => setWidth(Math.floor(entries[0].contentRect.width)));
    observer.observe(/** @type {Element} */ (/** @type {HTMLCanvasElement} */ (canvas.current).parentElement));
    return () => observer.disconnect();
  }, []);
  useEffect(() => { view.current.set = false; }, [nodes]);
  const drawnWidth = useRef(0);
  useEffect(() => {
    if (width && drawnWidth.current && view.current.set) view.current.x += (width - drawnWidth.current) / 2; // what was in the middle stays there
    drawnWidth.current = width;
  }, [width]);
  useEffect(() => { if (width) { if (!view.current.set) fit(); draw(); } }, [width, nodes, shares, tokens, chosen, marked, shade]);
  useEffect(() => {
    if (chosen === null || !width) return;
    const { scale } = view.current;
    const [left, top] = [view.current.x + places.x[chosen] * scale, view.current.y + places.y[chosen] * scale];
    if (left < 40 || left > width - 40 || top < 40 || top > height - 40 || scale < NAMES_FROM) {
      const nearer = Math.max(scale, LEGIBLE);
      view.current = { scale: nearer, x: width / 2 - places.x[chosen] * nearer, y: height / 2 - places.y[chosen] * nearer, set: true };
      draw();
    }
  }, [chosen, nodes, width]);
  const zoom = (/** @type {number} */ factor, x = width / 2, y = height / 2) => {
    const old = view.current;
    const scale = Math.min(MOST_SCALE, Math.max(0.01, old.scale * factor));
    view.current = { scale, x: x - ((x - old.x) * scale) / old.scale, y: y - ((y - old.y) * scale) / old.scale, set: true };
    draw();
  };
  const drag = useRef(/** @type {null|{x: number, y: number, moved: boolean}} */ (null));
  useEffect(() => {
    const element = /** @type {HTMLCanvasElement} */ (canvas.current);
    const wheel = (/** @type {WheelEvent} */ event) => {
      event.preventDefault();
      zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0018)), event.offsetX, event.offsetY);
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  });
  const hit = (/** @type {number} */ left, /** @type {number} */ top) => {
    const { x, y, scale } = view.current;
    const [at, depth] = [(left - x) / scale, (top - y) / scale];
    for (let place = 0; place < nodes.length; place++) if (Math.abs(places.x[place] - at) <= NODE.width / 2 && Math.abs(places.y[place] - depth) <= NODE.height / 2) return place;
    return null;
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const moves = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] });
    if (moves[event.key]) { view.current.x += moves[event.key][0]; view.current.y += moves[event.key][1]; draw(); }
    else if (event.key === "+") zoom(1.25);
    else if (event.key === "-") zoom(0.8);
    else if (event.key === "0") overview();
    else if (event.key === "Escape") onChoose(null);
    else return;
    event.preventDefault();
  };
  return html`<div class="plot" style=${{ height: `${height}px`, overflow: "hidden", background: "var(--surface-2)", borderRadius: "var(--radius-s)" }}>
    <canvas ref=${canvas} tabindex="0" role="application" aria-label=${`The network, ${count(nodes.length)} nodes drawn, ${count(shares.size)} of them with a time; arrow keys move, plus and minus zoom, 0 shows all, Escape lets go of a node. The table of kernels below has the same figures.`} style=${{ width: `${width}px`, height: `${height}px`, cursor: "grab", touchAction: "none" }} onKeyDown=${keys}
      onPointerDown=${(/** @type {any} */ event) => { event.currentTarget.setPointerCapture(event.pointerId); drag.current = { x: event.clientX, y: event.clientY, moved: false }; }}
      onPointerMove=${(/** @type {PointerEvent} */ event) => { const from = drag.current; if (!from) return; const [dx, dy] = [event.clientX - from.x, event.clientY - from.y]; if (from.moved || Math.hypot(dx, dy) > 3) { view.current.x += dx; view.current.y += dy; drag.current = { x: event.clientX, y: event.clientY, moved: true }; draw(); } }}
      onPointerUp=${(/** @type {PointerEvent} */ event) => { if (drag.current && !drag.current.moved) onChoose(hit(event.offsetX, event.offsetY)); drag.current = null; }}></canvas>
    <div class="row" style=${{ position: "absolute", right: "10px", top: "10px" }}><button type="button" class="button" onClick=${() => zoom(1.3)} aria-label="Zoom in">+</button><button type="button" class="button" onClick=${() => zoom(0.77)} aria-label="Zoom out">−</button><button type="button" class="button" onClick=${overview}>All</button></div></div>`;
}

/** @param {HTMLCanvasElement} element @param {any} scene */
function paint(element, { nodes, shares, tokens, chosen, marked, places, view, textOf }) {
  if (!element) return;
  const ratio = devicePixelRatio || 1;
  const [width, height] = [element.clientWidth, element.clientHeight];
  if (element.width !== Math.round(width * ratio)) element.width = Math.round(width * ratio);
  if (element.height !== Math.round(height * ratio)) element.height = Math.round(height * ratio);
  const context = /** @type {CanvasRenderingContext2D} */ (element.getContext("2d"));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.setTransform(ratio * view.scale, 0, 0, ratio * view.scale, ratio * view.x, ratio * view.y);
  const margin = 200;
  const [left, right] = [-view.x / view.scale - margin, (width - view.x) / view.scale + margin];
  const [top, bottom] = [-view.y / view.scale - margin, (height - view.y) / view.scale + margin];
  const seen = (/** @type {number} */ place) => places.x[place] > left && places.x[place] < right && places.y[place] > top && places.y[place] < bottom;
  if (view.scale > EDGES_FROM) {
    context.strokeStyle = colour("--line-strong");
    context.lineWidth = Math.max(1, 0.6 / view.scale);
    context.globalAlpha = 0.6;
    context.beginPath();
    for (let place = 0; place < nodes.length; place++) {
      for (const input of nodes[place].inputs) {
        if (!seen(place) && !seen(input)) continue;
        const [x0, y0, x1, y1] = [places.x[input], places.y[input] + NODE.height / 2, places.x[place], places.y[place] - NODE.height / 2];
        const bend = Math.min(60, (y1 - y0) / 2);
        context.moveTo(x0, y0);
        context.bezierCurveTo(x0, y0 + bend, x1, y1 - bend, x1, y1);
      }
    }
    context.stroke();
    context.globalAlpha = 1;
  }
  const [surface, line, ink, inverse, accent] = ["--surface", "--line-strong", "--ink", "--bg", "--accent"].map(colour);
  const heat = ["--heat-0", "--heat-1", "--heat-2", "--heat-3"].map(colour);
  const paints = new Map([...new Set(tokens?.values() ?? [])].map((token) => [token, colour(token)]));
  const most = Math.max(...shares.values(), 1e-9);
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = "12px system-ui, sans-serif";
  const named = view.scale >= NAMES_FROM;
  for (let place = 0; place < nodes.length; place++) {
    if (!seen(place)) continue;
    const share = shares.get(place);
    const level = share === undefined ? -1 : Math.min(3, Math.floor(4 * Math.sqrt(share / most) * 0.999));
    const fill = tokens ? paints.get(tokens.get(place) ?? "") : level < 0 ? undefined : heat[level];
    context.fillStyle = fill ?? surface;
    const [x, y] = [places.x[place] - NODE.width / 2, places.y[place] - NODE.height / 2];
    if (named) { context.beginPath(); context.roundRect(x, y, NODE.width, NODE.height, 6); context.fill(); } else context.fillRect(x, y, NODE.width, NODE.height);
    const picked = place === chosen || marked.has(place);
    if (named || picked) {
      context.strokeStyle = picked ? accent : line;
      context.lineWidth = picked ? 3 : 1;
      if (named) context.stroke(); else context.strokeRect(x, y, NODE.width, NODE.height);
    }
    if (named) {
      context.fillStyle = (tokens ? fill : level >= 2) ? inverse : ink;
      context.fillText(textOf(place), places.x[place], places.y[place] + 0.5, NODE.width - 12);
    }
  }
}
