/** What charts share: a size that follows the page, scales, ticks, axes. */
import { html, useEffect, useState } from "../html.js";

export const MARGIN = { top: 8, right: 12, bottom: 34, left: 66 };

/** The width of an element, as it changes. @returns {[any, number]} */
export function useWidth() {
  const [element, setElement] = useState(/** @type {HTMLElement|null} */ (null));
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!element) return undefined; // a chart of nothing is a sentence
    const observer = new ResizeObserver((entries) => setWidth(Math.floor(entries[0].contentRect.width)));
    observer.observe(element);
    return () => observer.disconnect();
  }, [element]);
  return [setElement, width];
}

/** Without the zeros that tell nothing on an axis. @param {string} text */
const plain = (text) => text.replace(/(\d)\.0+(?=\D|$)/, "$1").replace(/(\.\d*?)0+(?=\D|$)/, "$1");

/** @typedef {{(value: number): number, invert: (place: number) => number, ticks: (most: number) => number[], log: boolean, domain: [number, number]}} Scale */

/** @param {[number, number]} domain @param {[number, number]} range @param {boolean} [log] @returns {Scale} */
export function scale(domain, range, log = false) {
  const [from, to] = log ? domain.map((value) => Math.log10(Math.max(value, 1e-300))) : domain;
  const span = to - from || 1;
  const place = /** @type {any} */ ((/** @type {number} */ value) => range[0] + (((log ? Math.log10(Math.max(value, 1e-300)) : value) - from) / span) * (range[1] - range[0]));
  place.invert = (/** @type {number} */ at) => {
    const value = from + ((at - range[0]) / (range[1] - range[0])) * span;
    return log ? 10 ** value : value;
  };
  place.ticks = (/** @type {number} */ most) => (log ? logTicks(from, to, most) : linearTicks(from, to, most));
  place.log = log;
  place.domain = domain;
  return place;
}

/** @param {number} from @param {number} to @param {number} most */
function linearTicks(from, to, most) {
  const raw = (to - from) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(raw || 1));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= raw) ?? raw;
  const ticks = [];
  for (let value = Math.ceil(from / step) * step; value <= to + step * 1e-9; value += step) ticks.push(Math.abs(value) < step * 1e-9 ? 0 : value);
  return ticks;
}

const MOST_TRIED = 8;

/** @param {number} from exponent @param {number} to exponent @param {number} most */
function logTicks(from, to, most) {
  const decades = to - from;
  if (!Number.isFinite(decades)) return [];
  const steps = decades * 3 <= most ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil(decades / most));
  let ticks = /** @type {number[]} */ ([]);
  for (let first = Math.floor(from); first < Math.floor(from) + every; first++) { // begun at another power, more may fit
    const found = [];
    for (let exponent = first; exponent <= Math.ceil(to); exponent += every) {
      for (const step of steps) {
        const value = step * 10 ** exponent;
        if (Math.log10(value) >= from - 1e-9 && Math.log10(value) <= to + 1e-9) found.push(value);
      }
    }
    if (found.length > ticks.length) ticks = found;
  }
  for (let wanted = Math.min(most, 4); ticks.length < 2 && wanted <= MOST_TRIED; wanted++) ticks = linearTicks(10 ** from, 10 ** to, wanted).filter((value) => value > 0);
  return ticks;
}

/** Ticks of time: minutes, hours or days. @param {number} from s @param {number} to s @param {number} most @returns {[number, string][]} */
export function timeTicks(from, to, most) {
  const steps = [60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 2 * 86_400, 7 * 86_400, 14 * 86_400, 30 * 86_400, 91 * 86_400, 365 * 86_400];
  const step = steps.find((one) => (to - from) / one <= most) ?? steps[steps.length - 1];
  const shift = new Date(from * 1000).getTimezoneOffset() * 60;
  const ticks = /** @type {[number, string][]} */ ([]);
  for (let at = Math.ceil((from - shift) / step) * step + shift; at <= to; at += step) {
    const date = new Date(at * 1000);
    const text = step < 86_400 && (date.getHours() || date.getMinutes())
      ? date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" })
      : date.toLocaleDateString(undefined, step >= 30 * 86_400 ? { month: "short", year: "2-digit" } : { day: "numeric", month: "short" });
    ticks.push([at, text]);
  }
  return ticks;
}

const CHARACTER = 6.8;
const WIDE = 12;
const WIDE_FROM = 0x1100;

/** How wide a character is, about: those of East Asia and pictures take the room of two. @param {string} character */
const widthOf = (character) => (/** @type {number} */ (character.codePointAt(0)) < WIDE_FROM ? CHARACTER : WIDE);

/** How wide a text is, about, in px. @param {string} text */
const widthOfText = (text) => [...text].reduce((sum, character) => sum + widthOf(character), 0);

/** As much of a label as fits, about. @param {string} text @param {number} room in px */
function fitting(text, room) {
  if (widthOfText(text) <= room) return text;
  let [shown, left] = ["", room - WIDE];
  for (const character of text) {
    left -= widthOf(character);
    if (left < 0) break;
    shown += character;
  }
  return `${shown}…`;
}

/** How far a tick's text is moved, so that it ends within the chart. @param {number} place px @param {string} text @param {number} width of the chart in px */
const shiftOf = (place, text, width) => Math.min(0, width - place - widthOfText(text) / 2);

/** Ticks with their texts, as many as differ in them. @param {number[]} values @param {(value: number) => string} format @param {boolean} whole @returns {[number, string][]} */
function named(values, format, whole) {
  const all = values.filter((value) => !whole || Number.isInteger(value)).map((value) => /** @type {[number, string]} */ ([value, plain(format(value))]));
  for (let every = 1; ; every++) {
    const some = all.filter((_, place) => place % every === 0);
    if (new Set(some.map(([, text]) => text)).size === some.length) return some;
  }
}

/** @param {{scale: Scale, width: number, height: number, format: (value: number) => string, label?: string, ticks?: [number, string][], whole?: boolean}} props `whole`: there are no parts of what is counted */
export function XAxis({ scale: x, width, height, format, label, ticks, whole = false }) {
  const base = height - MARGIN.bottom;
  const shown = ticks ?? named(x.ticks(Math.max(2, Math.floor((width - 60) / 76))), format, whole);
  return html`<g class="axis"><line x1=${MARGIN.left} x2=${width - MARGIN.right} y1=${base} y2=${base} />
    ${shown.map(([value, text]) => html`<g transform=${`translate(${x(value)},${base})`}><line y2="4" /><text x=${shiftOf(x(value), text, width)} y="16" text-anchor="middle">${text}</text></g>`)}
    ${label && html`<text class="label" x=${width - MARGIN.right} y=${height - 2} text-anchor="end"><title>${label}</title>${fitting(label, width - MARGIN.right)}</text>`}</g>`;
}

/** @param {{scale: Scale, width: number, height: number, format: (value: number) => string, label?: string, whole?: boolean}} props `whole`: there are no parts of what is counted */
export function YAxis({ scale: y, width, height, format, label, whole = false }) {
  return html`<g class="axis">${named(y.ticks(Math.max(2, Math.floor(height / 48))), format, whole).map(([value, text]) => html`<g transform=${`translate(0,${y(value)})`}>
    <line class="gridline" x1=${MARGIN.left} x2=${width - MARGIN.right} /><text x=${MARGIN.left - 6} y="4" text-anchor="end">${text}</text></g>`)}
    ${label && html`<text class="label" x=${MARGIN.left} y=${MARGIN.top - 2} text-anchor="start" dy="-2"><title>${label}</title>${fitting(label, width - MARGIN.left)}</text>`}</g>`;
}

/**
 * Lets a person draw a range or a rectangle over a chart.
 * @param {{width: number, height: number, axes: "x"|"xy", onBrush: (from: [number, number], to: [number, number]) => void}} props
 */
export function Brush({ width, height, axes, onBrush }) {
  const [box, setBox] = useState(/** @type {null|number[]} */ (null));
  const begin = (/** @type {PointerEvent} */ event) => {
    const element = /** @type {SVGElement} */ (event.currentTarget);
    element.setPointerCapture(event.pointerId);
    const [x, y] = at(event);
    setBox([x, y, x, y]);
  };
  const at = (/** @type {PointerEvent} */ event) => {
    const bounds = /** @type {SVGElement} */ (/** @type {any} */ (event.currentTarget).ownerSVGElement).getBoundingClientRect();
    return [
      Math.min(Math.max(event.clientX - bounds.left, MARGIN.left), width - MARGIN.right),
      Math.min(Math.max(event.clientY - bounds.top, MARGIN.top), height - MARGIN.bottom),
    ];
  };
  const move = (/** @type {PointerEvent} */ event) => { if (box) { const [x, y] = at(event); setBox([box[0], box[1], x, y]); } };
  const end = () => {
    if (box && Math.abs(box[2] - box[0]) > 4) onBrush([Math.min(box[0], box[2]), Math.min(box[1], box[3])], [Math.max(box[0], box[2]), Math.max(box[1], box[3])]);
    setBox(null);
  };
  const [left, top, right, bottom] = box ?? [0, 0, 0, 0];
  const whole = axes === "x";
  return html`<g>
    <rect x=${MARGIN.left} y=${MARGIN.top} width=${Math.max(0, width - MARGIN.left - MARGIN.right)} height=${height - MARGIN.top - MARGIN.bottom} fill="transparent" style=${{ cursor: "crosshair", touchAction: "pan-y" }}
      onPointerDown=${begin} onPointerMove=${move} onPointerUp=${end} onPointerCancel=${() => setBox(null)} />
    ${box && html`<rect class="brush" pointer-events="none" x=${Math.min(left, right)} y=${whole ? MARGIN.top : Math.min(top, bottom)} width=${Math.abs(right - left)} height=${whole ? height - MARGIN.top - MARGIN.bottom : Math.abs(bottom - top)} />`}</g>`;
}
