/** Light, dark, or as the system has it. */
import { effect, signal } from "@preact/signals";

const NAME = "latcast.theme";
/** @type {import("@preact/signals").Signal<"system"|"light"|"dark">} */
export const theme = signal(/** @type {any} */ (localStorage.getItem(NAME)) || "system");
/** Grows when colours change: what is drawn on a canvas has to be drawn again. */
export const colours = signal(0);

effect(() => {
  const chosen = theme.value;
  if (chosen === "system") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", chosen);
  localStorage.setItem(NAME, chosen);
  colours.value = colours.peek() + 1;
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { colours.value++; });

/** @type {HTMLElement|null} */
let probe = null;
/** The colour of a token as a canvas takes it. @param {string} token such as `--accent` */
export function colour(token) {
  if (!probe) {
    probe = document.createElement("span");
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = `var(${token})`;
  return getComputedStyle(probe).color;
}
