/** Numbers with units and one rounding, times near and far. */

const nothing = "–";

/** As it is shown: 9.996 is 10.0, not 10.00, and belongs to the unit that 10 belongs to. @param {number} value @param {number} places */
const rounded = (value, places) => (Math.abs(value) >= 999.5 ? Math.round(value) : Number(value.toPrecision(places)));

/** Three significant digits, without a power of ten. @param {number} value */
export function digits(value, places = 3) {
  if (value === 0) return "0";
  const shown = rounded(value, places);
  if (Math.abs(shown) >= 1000) return shown.toLocaleString("en");
  const decimals = Math.max(0, places - 1 - Math.floor(Math.log10(Math.abs(shown))));
  return shown.toFixed(Math.min(decimals, 6));
}

/** @param {number|null|undefined} value ms */
export function ms(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return nothing;
  if (value === 0) return "0 ms";
  const size = Math.abs(value);
  if (size < 0.001) return `${digits(value * 1e6)} ns`;
  if (size < 0.1) return `${digits(value * 1e3)} µs`;
  if (size < 10_000) return `${digits(value)} ms`;
  return `${digits(value / 1000)} s`;
}

/** The unit of a time, and how many of it one ms has. @param {number} value ms @returns {[string, number]} */
function unitOf(value) {
  const unit = ms(value).split(" ")[1];
  return [unit, { ns: 1e6, "µs": 1e3, ms: 1, s: 1e-3 }[unit] ?? 1];
}

/** Writes times in the unit of one of them, as an axis does. @param {number} reference ms @returns {(value: number) => string} */
export function msLike(reference) {
  const [unit, factor] = unitOf(reference);
  return (value) => `${digits(value * factor)} ${unit}`;
}

/** Two times with one unit. @param {number|null} from ms @param {number|null} to ms */
export function span(from, to) {
  if (from === null || to === null) return nothing;
  const [unit, factor] = unitOf(to);
  return `${digits(from * factor)}–${digits(to * factor)} ${unit}`;
}

/** @param {number|null|undefined} value @param {string} unit @param {string[]} prefixes @param {number} step */
function scaled(value, unit, prefixes, step) {
  if (value === null || value === undefined || !Number.isFinite(value)) return nothing;
  let place = 0;
  let size = value;
  while (Math.abs(rounded(size, 3)) >= step && place < prefixes.length - 1) { size /= step; place++; }
  return `${digits(size)} ${prefixes[place]}${unit}`;
}

/** @param {number|null|undefined} value */
export const flops = (value) => scaled(value, "FLOP", ["", "k", "M", "G", "T", "P"], 1000);
/** @param {number|null|undefined} value */
export const bytes = (value) => scaled(value, "B", ["", "Ki", "Mi", "Gi", "Ti"], 1024);
/** @param {number|null|undefined} value a fraction */
export function percent(value, places = 1) {
  if (value === null || value === undefined || !Number.isFinite(value)) return nothing;
  const size = Math.abs(value * 100);
  return `${(value * 100).toFixed(size >= 100 ? 0 : size > 0 && size < 0.1 ? 2 : places)} %`;
}
/** @param {number|null|undefined} value */
export const count = (value) => (value === null || value === undefined ? nothing : Math.round(value).toLocaleString("en"));
/** So many of something. @param {number} value @param {string} one @param {string} [more] */
export const counted = (value, one, more = `${one}s`) => `${count(value)} ${value === 1 ? one : more}`;
/** @param {number} value */
export function compact(value) {
  if (Math.abs(value) < 10_000) return count(value);
  return new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(value);
}
/** @param {number} value signed fraction */
export const signed = (value) => !Number.isFinite(value) ? nothing : `${value >= 0 ? "+" : "−"}${percent(Math.abs(value))}`;

/** @param {number|null|undefined} unix s */
export function absolute(unix) {
  return unix ? new Date(unix * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }) : nothing;
}

/** The time of day. @param {number|null|undefined} unix s */
export function clock(unix) {
  return unix ? new Date(unix * 1000).toLocaleTimeString(undefined, { timeStyle: "medium" }) : nothing;
}

/** @param {number|null|undefined} unix s @param {number} [now] ms */
export function relative(unix, now = Date.now()) {
  if (!unix) return "never";
  const seconds = unix - now / 1000;
  const size = Math.abs(seconds);
  if (size < 45) return seconds <= 0 ? "just now" : "in a moment";
  const units = /** @type {[Intl.RelativeTimeFormatUnit, number][]} */ ([["minute", 60], ["hour", 3600], ["day", 86_400], ["week", 604_800], ["month", 2_629_800], ["year", 31_557_600]]);
  let [unit, length] = units[0];
  for (const [name, each] of units) if (size >= each * 0.95) [unit, length] = [name, each];
  return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(Math.round(seconds / length), unit);
}

/** @param {number|null|undefined} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return nothing;
  if (seconds < 60) return `${digits(seconds, 2)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

/** A figure out of a predictor's record, whose name tells its unit. @param {string} name @param {any} value */
export function metric(name, value) {
  if (typeof value !== "number") return String(value);
  if (/(^|_)(ape|coverage|share)$/.test(name)) return percent(value);
  return name.endsWith("_ms") ? ms(value) : Number.isInteger(value) ? count(value) : digits(value);
}

/** @param {string} hash */
export const shortHash = (hash) => (hash.length > 18 ? `${hash.slice(0, 13)}…` : hash);

/** The family of a network by its architecture. @param {{space?: string|null, text?: string|null}} row */
export const familyOf = (row) => (["zoo", "kernels"].includes(row.space ?? "") ? `${row.space}/${(row.text ?? "").split("/")[0]}` : row.space ?? "own graphs");
