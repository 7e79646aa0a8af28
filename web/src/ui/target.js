/** The head of every page about one target. */
import { html } from "../html.js";
import { href, place } from "../router.js";
import { TargetState } from "../pages/targets.js";
import { Badge, Head } from "./parts.js";

const TABS = [["Dataset", ""], ["Forecast quality", "/quality"], ["Adapt", "/adapt"], ["Frontier", "/frontier"]];

/** @param {{target: any, id: string, children?: any}} props */
export function TargetHead({ target, id, children }) {
  const base = `/targets/${id}`;
  return html`<div class="stack"><${Head} title=${target ? target.label : "Target"} crumbs=${[["Targets", "/targets"]]}
      lead=${target ? html`<span class="row"><span>${target.device_id ? html`<a href=${href(`/devices/${target.device_id}`)}>${target.device_name}</a>` : target.device_name}</span><${TargetState} target=${target} /><code class="small">${id}</code></span>` : html` `}>${children}<//>
    ${target?.adaptation?.warning && html`<p class="notice" role="note"><${Badge} kind="bad">poor adaptation<//> ${target.adaptation.warning}</p>`}
    <nav class="tabs" aria-label="Of this target">${TABS.filter(([name]) => name !== "Adapt" || !target?.origin).map(([name, path]) => html`<a href=${href(base + path)} aria-current=${place.value.path === base + path ? "page" : undefined}>${name}</a>`)}</nav></div>`;
}
