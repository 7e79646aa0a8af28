/** Lets a new device in: a token for one registration, and the command that uses it. */
import { html, useEffect, useRef, useState } from "../html.js";
import { post, session, urlOf } from "../api.js";
import { relative } from "../format.js";
import { Code, Failed } from "./parts.js";

/** The service's own address. */
const server = () => new URL("../", urlOf("")).href.replace(/\/$/, "");

export function Enrol() {
  const [state, setState] = useState(/** @type {{made?: any, error?: any, busy?: boolean}} */ ({}));
  const button = useRef(/** @type {HTMLButtonElement|null} */ (null));
  const shown = useRef(false);
  useEffect(() => {
    if (shown.current && !state.made) button.current?.focus(); // where the keyboard was before the token
    shown.current = !!state.made;
  }, [state.made]);
  if (!session.value?.can_write) return null;
  const make = async () => {
    setState({ busy: true });
    try {
      setState({ made: await post("keys/enrolment", {}) });
    } catch (error) {
      setState({ error });
    }
  };
  if (!state.made) return html`<div class="row inset"><button ref=${button} type="button" class="button" disabled=${state.busy} onClick=${make}>Add a device</button>${state.error && html`<${Failed} error=${state.error} />`}</div>`;
  return html`<div class="stack inset" role="status"><p>Run this on the device. The token lets one device in and ends ${relative(state.made.expires_unix_s)}; it is shown once.</p>
    <${Code} text=${`latcast agent --server ${server()} \\\n  --token ${state.made.enrolment_token}`} />
    <div><button type="button" class="button" onClick=${() => setState({})}>Done</button></div></div>`;
}
