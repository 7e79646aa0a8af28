/** Folds a long network into blocks: runs of nodes between which as few tensors cross as can be. */

/**
 * @typedef {{operator: string, inputs: number[], members: number[], folded: boolean}} Block
 * @typedef {{blocks: Block[], blockOf: Int32Array}} Folded
 */

const OPERATORS_NAMED = 2;

/**
 * @param {{operator: string, inputs: number[]}[]} nodes each after its inputs
 * @param {number} most blocks, about
 * @param {Set<number>} opened first members of the blocks whose nodes are wanted one by one
 * @returns {Folded} blocks in the order of their nodes; `inputs` are places of blocks
 */
export function fold(nodes, most, opened) {
  const ends = cuts(nodes, Math.max(1, Math.ceil(nodes.length / most)));
  const blockOf = new Int32Array(nodes.length);
  const groups = /** @type {number[][]} */ ([]);
  let start = 0;
  for (const end of ends) {
    const members = Array.from({ length: end - start }, (_, offset) => start + offset);
    for (const group of opened.has(start) ? members.map((one) => [one]) : [members]) {
      for (const one of group) blockOf[one] = groups.length;
      groups.push(group);
    }
    start = end;
  }
  const blocks = groups.map((members, place) => {
    const inputs = new Set(members.flatMap((one) => nodes[one].inputs.map((input) => blockOf[input])));
    inputs.delete(place);
    return { operator: named(nodes, members), inputs: [...inputs], members, folded: members.length > 1 };
  });
  return { blocks, blockOf };
}

/** Where blocks end: after at least `size` nodes, where the fewest tensors cross within the next `size`. @param {{inputs: number[]}[]} nodes @param {number} size */
function cuts(nodes, size) {
  const crossing = crossings(nodes);
  const ends = [];
  let start = 0;
  while (nodes.length - start > 2 * size) {
    let best = start + size;
    for (let end = start + size; end <= start + 2 * size; end++) if (crossing[end] < crossing[best]) best = end;
    ends.push(best);
    start = best;
  }
  if (nodes.length > start) ends.push(nodes.length);
  return ends;
}

/** How many nodes before each place are read at it or after it; those that read nothing themselves do not count. @param {{inputs: number[]}[]} nodes */
function crossings(nodes) {
  const last = nodes.map((_, place) => place);
  nodes.forEach((node, place) => { for (const input of node.inputs) last[input] = place; });
  const change = new Int32Array(nodes.length + 1);
  nodes.forEach((node, place) => { if (node.inputs.length) { change[place + 1] += 1; change[last[place] + 1] -= 1; } });
  for (let place = 1; place <= nodes.length; place++) change[place] += change[place - 1];
  return change;
}

/** @param {{operator: string}[]} nodes @param {number[]} members */
function named(nodes, members) {
  if (members.length === 1) return nodes[members[0]].operator;
  const often = new Map();
  for (const one of members) often.set(nodes[one].operator, (often.get(nodes[one].operator) ?? 0) + 1);
  const ranked = [...often].sort((one, other) => other[1] - one[1]).slice(0, OPERATORS_NAMED);
  return `${members.length} nodes: ${ranked.map(([name, count]) => `${count} ${name}`).join(", ")}`;
}
