// Where blocks stand: their slot across, a lane down. Lane 0 is the chain of the chosen node's head; every branch
// keeps the lane that it was given first, so that the picture does not jump when a head moves.

export class Layout {
  constructor() {
    this.kept = new Map(); // first block of a branch → lane
    this.places = new Map(); // root → {root, slot, lane}
    this.bySlot = [];
    this.top = 0;
    this.bottom = 0;
  }

  // Places every block, also those of branches that nodes have dropped since: they are what forks leave behind.
  arrange(world, head) {
    const main = world.chainOf(head);
    const blocks = [...world.blocks.values()];
    blocks.sort((a, b) => a.slot - b.slot || (a.root < b.root ? -1 : 1));
    const visible = new Set(blocks.map(block => block.root));
    const last = new Map(); // lane → last slot that is taken
    this.places = new Map();
    const put = (block, lane) => {
      this.places.set(block.root, { root: block.root, parent: block.parent, slot: block.slot, lane });
      last.set(lane, Math.max(last.get(lane) ?? -1, block.slot));
    };
    for (const block of blocks) if (main.has(block.root)) put(block, 0);
    for (const block of blocks) {
      if (this.places.has(block.root)) continue;
      const lane = this.laneFor(world, block, last, visible);
      this.kept.set(block.root, lane);
      this.follow(world, block, lane, visible, put);
    }
    this.finish(blocks);
  }

  // The lane nearest to the parent's that is free from the parent on.
  laneFor(world, block, last, visible) {
    const parent = this.places.get(block.parent);
    const from = visible.has(block.parent) ? (parent?.slot ?? block.slot) : block.slot;
    const free = lane => lane !== 0 && (last.get(lane) ?? -1) < from;
    const kept = this.kept.get(block.root);
    if (kept !== undefined && free(kept)) return kept;
    for (let step = 1; ; step++) {
      if (free(step)) return step;
      if (free(-step)) return -step;
    }
  }

  // The rest of a branch: at each fork on along the child with most descendants.
  follow(world, block, lane, visible, put) {
    let next = block;
    while (next) {
      put(next, lane);
      const children = (world.children.get(next.root) ?? []).filter(root => visible.has(root) && !this.places.has(root));
      next = children.map(root => world.blocks.get(root)).sort((a, b) => depth(world, b.root) - depth(world, a.root))[0];
    }
  }

  finish(blocks) {
    const order = blocks.map(block => this.places.get(block.root)).filter(Boolean);
    this.bySlot = order.sort((a, b) => a.slot - b.slot);
    this.top = Math.min(0, ...order.map(place => place.lane));
    this.bottom = Math.max(0, ...order.map(place => place.lane));
    if (this.kept.size > 10000) this.kept.clear();
  }

  // The places with slots between two, found by halving.
  between(from, to) {
    const list = this.bySlot;
    let low = 0, high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (list[middle].slot < from) low = middle + 1; else high = middle;
    }
    let end = low;
    while (end < list.length && list[end].slot <= to) end++;
    return list.slice(low, end);
  }
}

// How many slots a block's longest branch goes on, without recursion and only as far as 64 blocks.
function depth(world, root) {
  let level = [root], count = 0;
  while (level.length && count < 64) {
    level = level.flatMap(root => world.children.get(root) ?? []).slice(0, 64);
    count++;
  }
  return count;
}
