// Shows the API's description and calls it. Whatever comes from it is set as text, never as markup.
"use strict";

const METHODS = ["get", "post", "put", "delete"];
let schemas = {};

function element(name, content = [], attributes = {}) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  for (const part of [content].flat()) made.append(part);
  return made;
}

function resolved(schema) {
  const name = schema && schema.$ref && schema.$ref.split("/").pop();
  return name ? { title: name, ...schemas[name] } : schema || {};
}

// The type of a schema in a few words.
function typeOf(schema = {}) {
  const { type, title, anyOf, oneOf, items, enum: values, const: only } = resolved(schema);
  if (values) return values.map((value) => JSON.stringify(value)).join(" | ");
  if (only !== undefined) return JSON.stringify(only);
  const either = anyOf || oneOf;
  if (either) return either.map(typeOf).join(" | ");
  if (type === "array") return `list of ${typeOf(items)}`;
  return schema.$ref ? title : type || "anything";
}

// A value that fits a schema, for a first try.
function example(schema = {}, depth = 0) {
  const own = resolved(schema);
  if (own.default !== undefined) return own.default;
  if (own.examples) return own.examples[0];
  if (own.const !== undefined) return own.const;
  if (own.enum) return own.enum[0];
  if (own.anyOf || own.oneOf) return example((own.anyOf || own.oneOf)[0], depth);
  if (own.type === "object") {
    const needed = new Set(own.required || []);
    const members = Object.entries(own.properties || {}).filter(([name]) => needed.has(name));
    return depth > 6 ? {} : Object.fromEntries(members.map(([name, of]) => [name, example(of, depth + 1)]));
  }
  if (own.type === "array") return own.minItems ? [example(own.items, depth + 1)] : [];
  return { string: "", integer: own.minimum ?? 0, number: own.minimum ?? 0, boolean: false }[own.type] ?? null;
}

// The fields of a schema and of those within it, each schema once.
function fields(schema, shown = new Set()) {
  const own = resolved(schema);
  const title = own.title || "";
  if (shown.has(title) && title) return [];
  shown.add(title);
  const rows = Object.entries(own.properties || {}).map(([name, of]) =>
    element("tr", [
      element("td", element("code", name)),
      element("td", typeOf(of) + ((own.required || []).includes(name) ? "" : ", may be left out")),
      element("td", of.description || resolved(of).description || ""),
    ])
  );
  const inner = [own.items, own.additionalProperties, ...(own.anyOf || own.oneOf || []), ...Object.values(own.properties || {})];
  const nested = inner.filter((of) => of && typeof of === "object").flatMap((of) => fields(of, shown));
  if (!rows.length) return nested;
  const heading = element("p", element("strong", title));
  return [heading, element("p", own.description || ""), element("table", rows), ...nested];
}

function inputs(parameters) {
  const rows = parameters.map((parameter) => {
    const input = element("input", [], { name: parameter.name, placeholder: typeOf(parameter.schema || {}) });
    const row = element("tr", [
      element("td", element("code", parameter.name + (parameter.required ? " *" : ""))),
      element("td", input),
      element("td", parameter.description || ""),
    ]);
    return { parameter, input, row };
  });
  return { rows, table: element("table", rows.map(({ row }) => row)) };
}

function address(path, rows) {
  const query = new URLSearchParams();
  for (const { parameter, input } of rows) {
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value !== "") query.append(parameter.name, input.value);
  }
  const text = query.toString();
  return new URL(path.slice(1) + (text ? `?${text}` : ""), new URL(".", location.href));
}

async function call(method, url, body, type, output) {
  const key = document.getElementById("key").value.trim();
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  if (body !== undefined) headers["Content-Type"] = type;
  output.textContent = "…";
  try {
    const response = await fetch(url, { method: method.toUpperCase(), headers, body, credentials: "omit" });
    let text = await response.text();
    try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* it is shown as it is */ }
    output.textContent = `${response.status} ${response.statusText}\n\n${text.slice(0, 100000)}`;
  } catch (error) {
    output.textContent = String(error);
  }
}

function bodyOf(operation) {
  const [type, media] = Object.entries((operation.requestBody || {}).content || {})[0] || [];
  if (!type) return { parts: [], value: () => undefined };
  if (type !== "application/json") {
    const file = element("input", [], { type: "file" });
    return { type, parts: [element("p", ["File: ", file])], value: () => file.files[0] };
  }
  const area = element("textarea");
  area.value = JSON.stringify(example(media.schema), null, 2);
  return { type, parts: [area, element("details", [element("summary", "Fields"), ...fields(media.schema)])], value: () => area.value };
}

function operationShown(method, path, operation) {
  const { rows, table } = inputs(operation.parameters || []);
  const body = bodyOf(operation);
  const output = element("pre");
  const send = element("button", "Call", { type: "button" });
  send.addEventListener("click", () => call(method, address(path, rows), body.value(), body.type, output));
  const streams = path.endsWith("/events");
  const answers = Object.entries(operation.responses || {}).flatMap(([, answer]) =>
    Object.values(answer.content || {}).filter(({ schema }) => schema && schema.$ref !== "#/components/schemas/Problem")
      .flatMap(({ schema }) => fields(schema)));
  return element("details", [
    element("summary", [element("span", method.toUpperCase(), { class: `method ${method.toUpperCase()}` }), element("code", path), ` ${operation.summary || ""}`]),
    element("p", operation.description || ""),
    table, ...body.parts, ...(streams ? [] : [element("p", send), output]),
    element("details", [element("summary", "Answer"), ...answers]),
  ]);
}

async function show() {
  const calls = document.getElementById("calls");
  const response = await fetch("openapi.json");
  if (!response.ok) throw new Error(`openapi.json: ${response.status}`);
  const description = await response.json();
  schemas = (description.components || {}).schemas || {};
  document.getElementById("version").textContent = description.info.version;
  document.getElementById("about").prepend(`${description.info.description} `);
  const groups = new Map();
  for (const [path, operations] of Object.entries(description.paths)) {
    for (const method of METHODS.filter((name) => operations[name])) {
      const tag = (operations[method].tags || ["other"])[0];
      groups.set(tag, [...(groups.get(tag) || []), operationShown(method, path, operations[method])]);
    }
  }
  for (const [tag, shown] of groups) calls.append(element("h2", tag), ...shown);
}

show().catch((error) => {
  document.getElementById("calls").append(element("p", `The description cannot be shown: ${error.message}`, { class: "error" }));
});
