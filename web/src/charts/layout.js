/** Places the nodes of a graph in layers: each below all that it reads of, near to what it is joined with. */

export const NODE = { width: 132, height: 30, gapX: 22, gapY: 34 };
const SWEEPS = 6;

/**
 * @param {{inputs: number[]}[]} nodes in an order in which every node stands after its inputs
 * @returns {{x: Float64Array, y: Float64Array, width: number, height: number}} centres
 */
export function layout(nodes) {
  const count = nodes.length;
  const rank = new Int32Array(count);
  const outputs = /** @type {number[][]} */ (Array.from({ length: count }, () => []));
  nodes.forEach((node, place) => {
    for (const input of node.inputs) { rank[place] = Math.max(rank[place], rank[input] + 1); outputs[input].push(place); }
  });
  // What is read late stands just above its reader: constants and side branches do not pile up at the top.
  for (let place = count - 1; place >= 0; place--) {
    if (!nodes[place].inputs.length && outputs[place].length) rank[place] = Math.min(...outputs[place].map((reader) => rank[reader])) - 1;
  }
  const least = count ? rank.reduce((low, value) => Math.min(low, value), 0) : 0;
  const layers = /** @type {number[][]} */ ([]);
  for (let place = 0; place < count; place++) (layers[rank[place] - least] ??= []).push(place);
  const x = new Float64Array(count);
  const step = NODE.width + NODE.gapX;
  for (const layer of layers) layer?.forEach((place, index) => { x[place] = (index - (layer.length - 1) / 2) * step; });
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    const order = down ? layers : [...layers].reverse();
    for (const layer of order) if (layer) settle(layer, x, (place) => (down ? nodes[place].inputs : outputs[place]), step);
  }
  const y = new Float64Array(count);
  layers.forEach((layer, depth) => layer?.forEach((place) => { y[place] = depth * (NODE.height + NODE.gapY); }));
  let [low, high] = [Infinity, -Infinity];
  for (const value of x) { low = Math.min(low, value); high = Math.max(high, value); }
  for (let place = 0; place < count; place++) x[place] -= low;
  return { x, y, width: count ? high - low : 0, height: Math.max(0, layers.length - 1) * (NODE.height + NODE.gapY) };
}

/** Moves each node of a layer towards its neighbours, without letting two overlap. @param {number[]} layer @param {Float64Array} x @param {(place: number) => number[]} near @param {number} step */
function settle(layer, x, near, step) {
  const wanted = new Map(layer.map((place) => {
    const others = near(place);
    return [place, others.length ? others.reduce((sum, other) => sum + x[other], 0) / others.length : x[place]];
  }));
  layer.sort((one, other) => /** @type {number} */ (wanted.get(one)) - /** @type {number} */ (wanted.get(other)));
  let left = -Infinity;
  let drift = 0;
  for (const place of layer) {
    const target = /** @type {number} */ (wanted.get(place));
    x[place] = Math.max(target, left + step);
    left = x[place];
    drift += x[place] - target;
  }
  const shift = drift / layer.length;
  for (const place of layer) x[place] -= shift;
}
