/** A base predictor: its card, its calibration, and whether it answers. */
import { html, useEffect, useState } from "../html.js";
import { getText, post, session, useApi } from "../api.js";
import { metric } from "../format.js";
import { Badge, Card, Copy, Empty, Facts, Failed, Head, Loaded, When } from "../ui/parts.js";

/** @param {{id: string}} props */
export default function Predictor({ id }) {
  const call = useApi(`predictors/${id}`);
  const [texts, setTexts] = useState(/** @type {any} */ ({}));
  const [error, setError] = useState(/** @type {any} */ (null));
  useEffect(() => {
    for (const [name, path] of [["card", "card"], ["picture", "calibration.svg"]]) getText(`predictors/${id}/${path}`).then((text) => setTexts((/** @type {any} */ old) => ({ ...old, [name]: text })), () => setTexts((/** @type {any} */ old) => ({ ...old, [name]: "" })));
  }, [id]);
  return html`<${Loaded} call=${call} what="the predictor" height=${300} page=${{ title: "Predictor", crumbs: [["Train", "/train"]] }}>${(/** @type {any} */ row) => html`
    <${Head} title=${row.kind} crumbs=${[["Train", "/train"]]} lead=${html`<span class="row">${row.active ? html`<${Badge} kind="good" dot>active<//>` : html`<${Badge}>not active<//>`}<span>made <${When} at=${row.created_unix_s} /></span></span>`}>
      ${session.value?.can_write && html`<button type="button" class=${row.active ? "button" : "button primary"} onClick=${() => post(`predictors/${id}/${row.active ? "deactivate" : "activate"}`, {}).then(call.again, setError)}>${row.active ? "Deactivate" : "Activate"}</button>`}<${Copy} text=${id} label="Copy id" /><//>
    ${error && html`<${Failed} error=${error} />`}
    <div class="grid wide"><${Card} title="Facts"><${Facts} items=${[["Id", html`<code class="small">${id}</code>`], ["Artifact", html`<code class="small">${row.artifact_digest}</code>`], ["Data set", row.dataset_id], ...Object.entries(row.metrics).filter(([, value]) => typeof value !== "object").map(([name, value]) => [name.replaceAll("_", " "), metric(name, value)])]} /><//>
      <${Card} title="Calibration">${texts.picture ? html`<img alt="Share of held-out latencies within intervals, against what these say" src=${`data:image/svg+xml,${encodeURIComponent(texts.picture)}`} style=${{ maxWidth: "100%", background: "white" }} />` : html`<${Empty} title="Nothing was held out" />`}<//></div>
    <${Card} title="Model card">${texts.card ? html`<pre class="code" tabindex="0" style=${{ whiteSpace: "pre-wrap" }}>${texts.card}</pre>` : html`<${Empty} title="It has no card" />`}<//>`}<//>`;
}
