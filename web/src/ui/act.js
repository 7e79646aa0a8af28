/** What changes something for everybody: asked once more before it is done. */
import { html, useEffect, useRef, useState } from "../html.js";

/**
 * @param {{label: string, question: string, run: () => Promise<any>, danger?: boolean}} props
 */
export function Act({ label, question, run, danger = false }) {
  const [state, setState] = useState(/** @type {{asking?: boolean, busy?: boolean, error?: any}} */ ({}));
  const act = async () => {
    setState({ asking: true, busy: true });
    try {
      await run();
      setState({});
    } catch (error) {
      setState({ error });
    }
  };
  const asked = useRef(false);
  const button = useRef(/** @type {HTMLButtonElement|null} */ (null));
  useEffect(() => {
    if (!state.asking && asked.current) button.current?.focus(); // where the keyboard was before the question
    asked.current = !!state.asking;
  }, [state.asking]);
  if (!state.asking) return html`<button ref=${button} type="button" class=${`button ${danger ? "danger" : ""}`} onClick=${() => setState({ asking: true })}>${label}</button>${state.error && html`<span role="alert" class="badge bad wrap">${state.error.message}</span>`}`;
  return html`<span class="row ask" role="group" aria-label=${question} onKeyDown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") setState({}); }}>
    <span class="small">${question}</span>
    <button type="button" class=${`button ${danger ? "danger" : "primary"}`} disabled=${state.busy} onClick=${act} ref=${(/** @type {HTMLElement|null} */ element) => element?.focus()}>${state.busy ? "Wait …" : label}</button>
    <button type="button" class="button" disabled=${state.busy} onClick=${() => setState({})}>No</button></span>`;
}
