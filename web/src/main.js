/** Starts the dashboard. */
import { html, render } from "./html.js";
import { begin } from "./api.js";
import { App } from "./shell.js";

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
root.replaceChildren();
render(html`<${App} />`, root);
begin().catch(() => {});
