/** Choosing a target out of all; the whole name of the chosen one can be read where it does not fit. */
import { html } from "../html.js";

/** @typedef {{id: string, label: string, device_name: string}} Named */

/** @param {Named} target */
const nameOf = (target) => `${target.label} · ${target.device_name}`;

/** @param {{name: string, hidden?: boolean, value: string|null|undefined, targets: Named[], none?: string, onPick: (id: string) => void}} props `none` is the option that chooses no target */
export function PickTarget({ name, hidden = false, value, targets, none, onPick }) {
  const chosen = targets.find((one) => one.id === value);
  return html`<label class="field">${hidden ? html`<span class="visually-hidden">${name}</span>` : name}<select value=${value ?? ""} title=${chosen && nameOf(chosen)} onChange=${(/** @type {any} */ event) => onPick(event.target.value)}>
    ${none && html`<option value="">${none}</option>`}${targets.map((one) => html`<option value=${one.id}>${nameOf(one)}</option>`)}</select></label>`;
}
