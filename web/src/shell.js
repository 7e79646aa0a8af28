/** What stands around every page: navigation, theme, who is signed in, whether the service answers. */
import { Fragment, html, useEffect, useRef, useState } from "./html.js";
import { away, generation, hasKey, reachable, session, signIn, signOut } from "./api.js";
import { href, mark, marked, matching, place, route } from "./router.js";
import { theme } from "./theme.js";
import { Empty, Failed, Head } from "./ui/parts.js";

const ROUTES = [
  route("/", () => import("./pages/overview.js")),
  route("/targets", () => import("./pages/targets.js")),
  route("/targets/:id", () => import("./pages/dataset.js")),
  route("/targets/:id/quality", () => import("./pages/quality.js")),
  route("/targets/:id/adapt", () => import("./pages/adapt.js")),
  route("/targets/:id/frontier", () => import("./pages/frontier.js")),
  route("/networks/:hash", () => import("./pages/network.js")),
  route("/devices/:id", () => import("./pages/device.js")),
  route("/try", () => import("./pages/try.js")),
  route("/jobs", () => import("./pages/jobs.js")),
  route("/jobs/:id", () => import("./pages/job.js")),
  route("/train", () => import("./pages/train.js")),
  route("/predictors/:id", () => import("./pages/predictor.js")),
  route("/compare", () => import("./pages/compare.js")),
  route("/measurements/:id", () => import("./pages/measurement.js")),
];
const NAVIGATION = [["Overview", "/"], ["Targets", "/targets"], ["Try it", "/try"], ["Compare", "/compare"], ["Train", "/train"], ["Jobs", "/jobs"]];

export function App() {
  const signedOut = useRef(false);
  const out = session.value !== null && !session.value.can_read;
  useEffect(() => {
    if (signedOut.current && !out) document.getElementById("main")?.focus();
    signedOut.current = out;
  }, [out]);
  if (session.value === null) return html`<${Banner} /><p class="starting">${reachable.value ? "Asking the service who you are …" : ""}</p>`;
  if (!session.value.can_read) return html`<${Banner} /><${SignIn} />`;
  return html`<div><a class="skip" href="#main" onClick=${toMain}>Skip to the page</a><${Banner} />
    <div class="shell"><${Side} /><main id="main" class="page" tabindex="-1"><${View} /></main></div></div>`;
}

/** @param {Event} event */
function toMain(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function Banner() {
  return reachable.value ? null : html`<div class="banner" role="status">The service does not answer. Trying again …</div>`;
}

function Side() {
  const current = place.value.path;
  return html`<div class="side">
    <a class="brand" href="#/"><img src="favicon.svg" alt="" />latcast</a>
    <nav class="nav" aria-label="Pages">${NAVIGATION.map(([name, to]) => html`<a href=${href(to)} aria-current=${isCurrent(to, current) ? "page" : undefined}>${name}</a>`)}</nav>
    <div class="foot">
      <label class="row"><span class="visually-hidden">Colours</span><select class="plain small" value=${theme.value} onChange=${(/** @type {any} */ event) => { theme.value = event.target.value; }}>
        <option value="system">System</option><option value="light">Light</option><option value="dark">Dark</option></select></label>
      ${hasKey() && html`<button type="button" class="button" onClick=${signOut}>Sign out</button>`}
      <span class="version">latcast ${session.value?.version}${session.value?.scope ? ` · ${session.value.scope}` : ""}</span>
      <a class="version" href="../docs">API</a>
    </div></div>`;
}

/** @param {string} to @param {string} current */
function isCurrent(to, current) {
  if (to === "/targets" && current.startsWith("/measurements/")) return true;
  if (to === "/train" && current.startsWith("/predictors/")) return true;
  if (to === "/try" && current.startsWith("/networks/")) return true;
  return to === "/" ? current === "/" : current === to || current.startsWith(`${to}/`);
}

function View() {
  const path = place.value.path;
  const found = matching(ROUTES, path);
  const [page, setPage] = useState(/** @type {any} */ ({ route: null, Page: null, error: null }));
  const last = useRef(path);
  useEffect(() => {
    let wanted = true;
    found?.route.load().then(
      (module) => { if (wanted) setPage({ route: found.route, Page: module.default, error: null }); },
      (error) => { if (wanted) { away(); setPage({ route: found.route, Page: null, error, since: generation.peek() }); } },
    );
    return () => { wanted = false; };
  }, [found?.route]);
  useEffect(() => {
    if (last.current === path) return undefined;
    last.current = path;
    scrollTo(0, 0);
    document.getElementById("main")?.focus({ preventScroll: true });
    return comeBack();
  }, [path]);
  if (!found) return html`<${Head} title="There is no such page" /><section class="card"><${Empty} title=${`Nothing stands at ${path}`}><a href="#/">To the overview</a><//></section>`;
  if (page.error && page.since !== generation.value) location.reload(); // browsers do not load a module again that failed
  if (page.error && page.route === found.route) return html`<${Failed} error=${{ message: "This page could not be loaded." }} again=${() => location.reload()} />`;
  if (page.route !== found.route) return html`<div class="skeleton" style=${{ height: "60vh" }} role="status"><span>Loading the page …</span></div>`;
  return html`<${Fragment} key=${path}><${page.Page} ...${found.params} query=${place.value.query} /><//>`;
}

const LONGEST_SEARCH_MS = 10_000;

/** Puts the keyboard where it was when this page was left, once that is there and unless somebody goes on meanwhile. */
function comeBack() {
  const wanted = mark();
  if (!wanted) return undefined;
  const until = performance.now() + LONGEST_SEARCH_MS;
  let frame = 0;
  const look = () => {
    if (document.activeElement?.id !== "main" && document.activeElement !== document.body) return;
    const found = marked(wanted);
    if (found) { found.focus({ preventScroll: true }); scrollTo(0, wanted.top); } else if (performance.now() < until) frame = requestAnimationFrame(look);
  };
  frame = requestAnimationFrame(look);
  return () => cancelAnimationFrame(frame);
}

function SignIn() {
  const [state, setState] = useState({ busy: false, error: /** @type {any} */ (null) });
  const field = useRef(/** @type {HTMLInputElement|null} */ (null));
  useEffect(() => field.current?.focus(), []);
  const submit = async (/** @type {any} */ event) => {
    event.preventDefault();
    const input = event.target.elements.key;
    setState({ busy: true, error: null });
    try {
      await signIn(input.value.trim());
    } catch (error) {
      setState({ busy: false, error });
      input.select();
    }
  };
  return html`<main class="signin"><form class="card" onSubmit=${submit}>
    <div class="brand"><img src="favicon.svg" alt="" />latcast</div>
    <h1>Sign in</h1>
    <p class="muted">This service asks for a key. An admin makes one with <code>latcast keys create client</code>.</p>
    <label class="field">Key<input ref=${field} name="key" type="password" autocomplete="off" required spellcheck="false" aria-invalid=${!!state.error} /></label>
    ${state.error && html`<p role="alert" class="badge bad" style=${{ whiteSpace: "normal", borderRadius: "6px", padding: "8px 12px" }}>${state.error.message}</p>`}
    <button class="button primary" disabled=${state.busy}>${state.busy ? "Signing in …" : "Sign in"}</button>
    <p class="small muted">The key stays in this tab and ends with it.</p>
  </form></main>`;
}
