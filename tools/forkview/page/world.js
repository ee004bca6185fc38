// What is known of the network at one moment, and how it came to be.
//
// A frame is one thing that one node told: blocks it knows now, weights that changed, its head and checkpoints.
// Live nodes and recorded traces both give frames; the world at a moment is what its frames add up to, so that going
// back in time is adding up fewer of them.

const FRAMES_MAX = 20000; // beyond this the oldest half becomes the start of the record
const BLOCKS_MAX = 8192; // beyond this the blocks with the lowest slots are forgotten
const REORGS_MAX = 200;

export class World {
  constructor() {
    this.blocks = new Map(); // root → {root, parent, slot, proposer, hash}
    this.children = new Map(); // root → [root]
    this.nodes = new Map(); // id → Seen
    this.reorgs = [];
  }

  apply(frame) {
    let node = this.nodes.get(frame.node);
    if (!node) this.nodes.set(frame.node, node = new Seen(frame.node));
    for (const block of frame.blocks ?? []) this.add(block);
    for (const block of frame.blocks ?? []) node.known.add(block.root);
    for (const root of frame.removed ?? []) { node.known.delete(root); node.weights.delete(root); node.validity.delete(root); }
    for (const [root, weight] of Object.entries(frame.weights ?? {})) node.weights.set(root, Number(weight));
    for (const [root, validity] of Object.entries(frame.validity ?? {})) node.validity.set(root, validity);
    if (frame.justified) node.justified = frame.justified;
    if (frame.finalized) node.finalized = frame.finalized;
    if (frame.boost !== undefined) node.boost = frame.boost;
    if (frame.down !== undefined) node.down = frame.down;
    if (frame.head && frame.head !== node.head) {
      this.noticeReorg(frame, node);
      node.head = frame.head;
    }
  }

  add(block) {
    if (this.blocks.has(block.root)) return;
    this.blocks.set(block.root, block);
    if (!this.children.has(block.parent)) this.children.set(block.parent, []);
    this.children.get(block.parent).push(block.root);
    if (this.blocks.size > BLOCKS_MAX) this.forgetOldest();
  }

  forgetOldest() {
    const slots = [...this.blocks.values()].map(block => block.slot).sort((a, b) => a - b);
    const limit = slots[slots.length >> 2];
    for (const block of this.blocks.values()) {
      if (block.slot > limit) continue;
      this.blocks.delete(block.root);
      this.children.delete(block.root);
    }
  }

  noticeReorg(frame, node) {
    if (!node.head || !this.blocks.has(node.head) || !this.blocks.has(frame.head)) return;
    const common = this.commonAncestor(node.head, frame.head);
    if (!common || common.root === node.head) return;
    const depth = this.blocks.get(node.head).slot - common.slot;
    this.reorgs.push({ t: frame.t, node: frame.node, from: node.head, to: frame.head, common: common.root, depth, slot: this.blocks.get(frame.head).slot });
    if (this.reorgs.length > REORGS_MAX) this.reorgs.shift();
  }

  commonAncestor(a, b) {
    let x = this.blocks.get(a), y = this.blocks.get(b);
    while (x && y && x.root !== y.root) {
      if (x.slot >= y.slot) x = this.blocks.get(x.parent); else y = this.blocks.get(y.parent);
    }
    return x && y ? x : null;
  }

  // Roots from a block down to the oldest that is known.
  chainOf(root) {
    const chain = new Set();
    for (let block = this.blocks.get(root); block; block = this.blocks.get(block.parent)) chain.add(block.root);
    return chain;
  }
}

// One node's view.
class Seen {
  constructor(id) {
    this.id = id;
    this.known = new Set();
    this.weights = new Map();
    this.validity = new Map();
    this.head = null;
    this.justified = null;
    this.finalized = null;
    this.boost = null;
    this.down = false;
  }
}

// The frames in order, and the world at any of them.
export class Record {
  constructor() {
    this.frames = [];
    this.start = []; // frames that were dropped from the record, kept as one summary per node
    this.world = new World();
    this.at = 0; // frames that the world has taken in
  }

  push(frame) {
    const live = this.at === this.frames.length;
    this.frames.push(frame);
    if (this.frames.length > FRAMES_MAX) this.shorten();
    if (live) this.seek(this.frames.length);
  }

  // Moves the world to the moment after `count` frames.
  seek(count) {
    count = Math.max(0, Math.min(count, this.frames.length));
    if (count < this.at) {
      this.world = new World();
      for (const frame of this.start) this.world.apply(frame);
      this.at = 0;
    }
    while (this.at < count) this.world.apply(this.frames[this.at++]);
    return this.world;
  }

  // The first half of the frames becomes a summary: who knew what at its end.
  shorten() {
    const half = FRAMES_MAX >> 1;
    const world = new World();
    for (const frame of this.start.concat(this.frames.slice(0, half))) world.apply(frame);
    const t = this.frames[half - 1].t;
    this.start = [...world.nodes.values()].map(node => ({
      t, node: node.id, head: node.head, justified: node.justified, finalized: node.finalized, boost: node.boost,
      blocks: [...node.known].map(root => world.blocks.get(root)).filter(Boolean),
      weights: Object.fromEntries(node.weights), validity: Object.fromEntries(node.validity), down: node.down,
    }));
    this.frames = this.frames.slice(half);
    this.at = Math.max(0, this.at - half);
    const at = this.at;
    this.at = Infinity;
    this.seek(at);
  }
}
