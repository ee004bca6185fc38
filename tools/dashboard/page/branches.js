// Which branch each node's head is on. Nodes are asked at different instants and may be behind, so heads that differ say
// little; what says all is whether a node that is further on has the other's head in its own chain.

const VERDICTS_MAX = 256;
const verdicts = new Map(); // by who is asked and for which root: whether it is in its chain, and under which head

// The nodes by branch, the highest branch first. `changed` is called when an answer moves a node to another branch.
export function branches(nodes, changed) {
  const tips = [];
  // Of nodes that are equally high, one of ours is asked.
  const order = (a, b) => b.status.chain.head_slot - a.status.chain.head_slot || Boolean(a.status.foreign) - Boolean(b.status.foreign);
  for (const node of [...nodes].sort(order)) {
    const tip = tips.find(tip => holds(tip[0], node, changed));
    if (tip) tip.push(node); else tips.push([node]);
  }
  return tips;
}

// What was answered last holds until the next answer, and before the first one nobody is said to differ.
function holds(holder, node, changed) {
  const { head_root: root, head_slot: slot } = node.status.chain, head = holder.status.chain.head_root;
  if (!root || !head || root === head) return true;
  const key = `${holder.url} ${node.url}`;
  let known = verdicts.get(key);
  if (!known) {
    if (verdicts.size >= VERDICTS_MAX) verdicts.delete(verdicts.keys().next().value);
    verdicts.set(key, known = { held: true, asked: '', waits: false });
  }
  const asked = `${root} ${head}`;
  if (known.asked !== asked && !known.waits) {
    known.waits = true;
    // A slot means the block of the node's own chain, while by a root nodes tell of blocks aside too.
    holder.json(`/eth/v1/beacon/headers/${slot}`)
      .then(answer => answer.data.root === root, error => error.status === 404 ? false : known.held)
      .then(held => {
        const moved = held !== known.held;
        Object.assign(known, { held, asked, waits: false });
        if (moved) changed();
      });
  }
  return known.held;
}
