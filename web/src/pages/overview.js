/** The fleet at a glance: what is wrong, what waits, what happens, how good the forecasts are. */
import { html } from "../html.js";
import { useApi } from "../api.js";
import { compact, count, percent } from "../format.js";
import { href } from "../router.js";
import { Enrol } from "../ui/enrol.js";
import { Badge, Card, Empty, Head, Loaded, Stats, Table, When } from "../ui/parts.js";
import { Record } from "../ui/record.js";
import { TargetState, errorOf } from "./targets.js";
import { StackedBars } from "../charts/time.js";

export default function Overview() {
  const call = useApi("overview", {}, { every: 5 });
  return html`<${Head} title="Overview" lead="Devices, work and forecasts, as of now." />
    <${Loaded} call=${call} what="the overview" height=${480}>${(/** @type {import("../../types").Schema<"OverviewOut">} */ data) => html`
      <${Stats} items=${[
        ["Devices online", html`${data.devices_online} <span class="muted">of ${data.devices.length}</span>`, data.devices.length ? undefined : "none registered yet"],
        ["Targets", count(data.targets.length), `${count(data.targets.filter((/** @type {any} */ one) => one.adaptation).length)} adapted`],
        ["Measurements", compact(data.measurements), `${count(data.failed)} failed, ${percent(data.measurements ? data.noisy / data.measurements : 0)} noisy`],
        ["Jobs waiting", count(data.jobs.queued ?? 0), `${count(data.jobs.leased ?? 0)} in progress`],
      ]} />
      ${data.alerts.length > 0 && html`<${Card} title="Needs attention"><ul class="alerts">${data.alerts.map((/** @type {any} */ alert) => html`<li>
        <${Badge} kind=${alert.level === "error" ? "bad" : "warn"} title=${alert.subject}><span class="cut">${alert.subject}</span><//><span>${alert.text}</span></li>`)}</ul><//>`}
      <div class="grid wide">
        <div class="stack gap"><${Card} title="Activity" aside="measurements an hour, last two days" >
          ${data.activity.some((/** @type {any} */ one) => one.measured + one.failed > 0)
            ? html`<${StackedBars} label="Measurements an hour over the last two days" rows=${data.activity.map((/** @type {any} */ one) => ({ at: one.at_unix_s, values: [one.measured - one.noisy, one.noisy, one.failed] }))} series=${[["steady", "--series-1"], ["noisy", "--series-2"], ["failed", "--bad"]]} />`
            : html`<${Empty} title="Nothing measured in the last two days" />`}
        <//><${Card} title="Forecasts over time" aside="of all targets"><${Record} periods=${data.forecasts} /><//></div>
        <div class="stack gap"><${Card} title="Queue" aside=${html`<a href=${href("/jobs")}>all jobs</a>`} flush>
          ${data.queue.length ? html`<${Table} caption="Jobs that wait or run" rows=${data.queue.map((/** @type {any} */ row, /** @type {number} */ place) => ({ ...row, why: row.waiting !== data.queue[place - 1]?.waiting && row.waiting }))} columns=${QUEUE} />` : html`<${Empty} title="Nothing waits" >Every job is done.<//>`}
        <//><${Card} title="Devices" flush>${data.devices.length ? html`<${Table} caption="Devices" rows=${data.devices} columns=${DEVICES} />` : html`<${Empty} title="No device yet">Start an agent on one: <code>latcast agent</code>.<//>`}<${Enrol} /><//></div>
      </div>
      <${Card} title="Targets" aside=${html`<a href=${href("/targets")}>all targets</a>`} flush>
        ${data.targets.length ? html`<${Table} caption="Targets with the most measurements" rows=${[...data.targets].sort((one, other) => other.measurements - one.measurements).slice(0, 8)} columns=${TARGETS} />`
          : html`<${Empty} title="No target yet">Start an agent on a device: <code>latcast agent</code>. It registers what it can measure.<//>`}
      <//>`}<//>`;
}

const QUEUE = [
  { name: "kind", title: "Job", cell: (/** @type {any} */ row) => html`<a href=${href(`/jobs/${row.id}`)}>${row.kind}</a>` },
  { name: "state", title: "State", cell: (/** @type {any} */ row) => (row.state === "leased" ? html`<${Badge} kind="accent" dot>running<//>` : row.waiting ? html`<${Badge} kind="warn" title=${row.waiting}>waits<//>` : html`<${Badge}>queued<//>`) },
  { name: "what", title: "Of", grow: true, cell: (/** @type {any} */ row) => html`<span class="cut" title=${row.what}>${row.what}</span>${row.why && html`<span class="small muted why" title=${row.why}>${row.why}</span>`}` },
  { name: "since", title: "Since", right: true, cell: (/** @type {any} */ row) => html`<${When} at=${row.created_unix_s} />` },
];
const DEVICES = [
  { name: "name", title: "Device", grow: true, cell: (/** @type {any} */ row) => html`<a class="cut" href=${href(`/devices/${row.id}`)} title=${row.device.processor}>${row.name}</a>` },
  { name: "state", title: "State", cell: (/** @type {any} */ row) => html`<${DeviceState} device=${row} />` },
  { name: "seen", title: "Last call", right: true, cell: (/** @type {any} */ row) => html`<${When} at=${row.seen_unix_s} />` },
];

/** @param {{device: import("../../types").Schema<"DeviceOut">}} props */
export function DeviceState({ device }) {
  return html`<span class="row">${device.online ? html`<${Badge} kind="good" dot>online<//>` : html`<${Badge} kind="warn" dot>away<//>`}
    ${device.quarantined_unix_s && html`<${Badge} kind="bad" title="What its agent reports is hidden">in quarantine<//>`}${device.hidden_unix_s && html`<${Badge}>hidden<//>`}</span>`;
}

const TARGETS = [
  { name: "label", title: "Target", grow: true, cell: (/** @type {any} */ row) => html`<a class="cut" href=${href(`/targets/${row.id}`)} title=${row.label}>${row.label}</a>` },
  { name: "state", title: "State", cell: (/** @type {any} */ row) => html`<${TargetState} target=${row} />` },
  { name: "measurements", title: "Measurements", right: true, cell: (/** @type {any} */ row) => count(row.measurements) },
  { name: "error", title: html`<abbr title="Median absolute error on networks of the support, each forecast without itself">Error</abbr>`, right: true, cell: errorOf },
  { name: "adapted", title: "Adapted", right: true, cell: (/** @type {any} */ row) => (row.adaptation ? html`<${When} at=${row.adaptation.created_unix_s} />` : html`<span class="muted">not yet</span>`) },
];
