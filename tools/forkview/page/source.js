// Nodes that are asked over the standard Beacon API, whoever made them. What changed since the last answer is a frame.
//
// A node that dumps its fork choice (`debug/fork_choice`) tells blocks, weights and boost. One that does not, such as
// older Lodestars, is asked for its heads, whose ancestors are fetched one by one: then its weights are not known.
// Events make the page ask at once; without them, and for weights, which no event tells, it asks every second.

const POLL_MS = 1000;
const TIMEOUT_MS = 8000;
const BLOCKS_MAX = 8192; // in a dump; a longer one is refused
const STEPS_MAX = 96; // ancestors that are fetched in one round
const KEPT_MAX = 2048; // blocks that are kept of a node that does not dump
const TOPICS = 'head,block,chain_reorg,finalized_checkpoint';

const isRoot = text => typeof text === 'string' && /^0x[0-9a-f]{64}$/i.test(text);
const isNumber = value => /^[0-9]{1,20}$/.test(String(value));
const shown = value => (JSON.stringify(value) ?? 'nothing').slice(0, 60);
const root = (value, what) => { if (!isRoot(value)) throw new Error(`${what} is ${shown(value)}, no root`); return value.toLowerCase(); };
const number = (value, what) => { if (!isNumber(value)) throw new Error(`${what} is ${shown(value)}, no number`); return Number(value); };
const point = (value, what) => ({ epoch: number(value?.epoch, what + '.epoch'), root: root(value?.root, what + '.root') });

export class LiveNode {
  constructor({ id, name, url }, push) {
    Object.assign(this, { id, name, url: url.replace(/\/+$/, ''), push });
    this.client = '';
    this.last = { known: new Map(), head: null, boost: null, down: null };
    this.stopped = false;
    this.dumps = null; // whether it dumps its fork choice; not known yet
    this.wake = () => {};
  }

  async json(path) {
    let answer;
    try {
      answer = await fetch(this.url + path, { signal: AbortSignal.timeout(TIMEOUT_MS), headers: { accept: 'application/json' } });
    } catch (error) {
      throw new Error(error.name === 'TimeoutError' ? `no answer within ${TIMEOUT_MS / 1000} s`
        : 'cannot be reached, or does not allow pages of other origins (CORS)');
    }
    const text = await answer.text();
    if (!answer.ok) throw Object.assign(new Error(`${path}: ${answer.status} ${text.slice(0, 120)}`), { status: answer.status });
    try { return JSON.parse(text); } catch { throw new Error(`${path}: the answer is no JSON: ${text.slice(0, 60)}`); }
  }

  async run(interval = POLL_MS) {
    while (!this.stopped) {
      const woken = new Promise(done => { this.wake = done; });
      try {
        if (!this.client) this.client = String((await this.json('/eth/v1/node/version')).data?.version ?? 'a client without a name').slice(0, 80);
        await this.look();
        this.tell(false, '');
        this.listen();
      } catch (error) {
        this.tell(true, String(error.message ?? error));
      }
      await Promise.race([woken, new Promise(done => setTimeout(done, interval))]);
    }
  }

  stop() { this.stopped = true; this.stream?.close(); this.wake(); }

  // A stream that breaks off is opened again after a while; asking goes on meanwhile.
  listen() {
    if (this.stream || this.stopped) return;
    const stream = this.stream = new EventSource(`${this.url}/eth/v1/events?topics=${TOPICS}`);
    const soon = () => setTimeout(() => this.wake(), 60);
    for (const topic of TOPICS.split(',')) stream.addEventListener(topic, soon);
    stream.onerror = () => { stream.close(); setTimeout(() => { if (this.stream === stream) this.stream = null; }, 5000); };
  }

  async look() {
    if (this.dumps !== false) {
      try {
        const dump = await this.json('/eth/v1/debug/fork_choice');
        this.take(dump, await this.head());
        this.dumps = true;
        return;
      } catch (error) {
        if (this.dumps || ![404, 405, 501].includes(error.status)) throw error;
        this.dumps = false;
      }
    }
    await this.walk();
  }

  async head() { return root((await this.json('/eth/v1/beacon/headers/head')).data?.root, 'the root of its head'); }

  tell(down, why) {
    const changed = this.why !== why || this.last.down !== down;
    this.why = why;
    if (!changed) return;
    this.last.down = down;
    this.push({ t: Date.now(), node: this.id, down });
  }

  // The dump of a fork choice.
  take(dump, head) {
    const list = dump?.fork_choice_nodes;
    if (!Array.isArray(list)) throw new Error('debug/fork_choice: there are no fork_choice_nodes');
    if (list.length > BLOCKS_MAX) throw new Error(`debug/fork_choice: ${list.length} blocks are more than the ${BLOCKS_MAX} that are shown`);
    const known = new Map();
    list.forEach((entry, place) => {
      const at = `debug/fork_choice: fork_choice_nodes[${place}]`;
      known.set(root(entry?.block_root, at + '.block_root'), {
        parent: entry.parent_root == null ? '0x' + '0'.repeat(64) : root(entry.parent_root, at + '.parent_root'),
        slot: number(entry.slot, at + '.slot'), weight: String(number(entry.weight, at + '.weight')),
        validity: String(entry.validity ?? 'valid').toLowerCase(),
      });
    });
    const boosted = dump.extra_data?.proposer_boost_root;
    const boost = isRoot(boosted) && !/^0x0+$/.test(boosted) ? boosted.toLowerCase() : null;
    this.give(known, { head, boost, justified: point(dump.justified_checkpoint, 'debug/fork_choice: justified_checkpoint'),
      finalized: point(dump.finalized_checkpoint, 'debug/fork_choice: finalized_checkpoint') });
  }

  // Its heads, and their ancestors down to what is known or final.
  async walk() {
    const [heads, points, head] = await Promise.all([this.json('/eth/v2/debug/beacon/heads'),
      this.json('/eth/v1/beacon/states/head/finality_checkpoints'), this.head()]);
    const justified = point(points.data?.current_justified, 'finality_checkpoints: current_justified');
    const finalized = point(points.data?.finalized, 'finality_checkpoints: finalized');
    if (!Array.isArray(heads.data)) throw new Error('debug/beacon/heads: there is no list of heads');
    const known = new Map(this.last.known), wanted = [head, ...heads.data.slice(0, 32).map((entry, place) => root(entry?.root, `debug/beacon/heads: [${place}].root`))];
    const optimistic = new Set(heads.data.filter(entry => entry.execution_optimistic).map(entry => entry.root.toLowerCase()));
    for (let steps = 0; wanted.length && steps < STEPS_MAX; steps++) {
      const next = wanted.shift();
      if (known.has(next)) continue;
      const { data } = await this.json('/eth/v1/beacon/headers/' + next), message = data?.header?.message;
      const parent = root(message?.parent_root, `headers/${next}: parent_root`), slot = number(message?.slot, `headers/${next}: slot`);
      known.set(next, { parent, slot, weight: undefined, validity: optimistic.has(next) ? 'optimistic' : 'valid' });
      if (next !== finalized.root && slot > 0) wanted.push(parent);
    }
    const kept = [...known].sort(([, a], [, b]) => b.slot - a.slot).slice(0, KEPT_MAX);
    this.give(new Map(kept), { head, boost: null, justified, finalized });
  }

  // A frame of what is different from the last answer.
  give(known, { head, boost, justified, finalized }) {
    const frame = { t: Date.now(), node: this.id };
    const blocks = [], weights = {}, validity = {}, removed = [...this.last.known.keys()].filter(root => !known.has(root));
    for (const [root, now] of known) {
      const before = this.last.known.get(root);
      if (!before) blocks.push({ root, parent: now.parent, slot: now.slot });
      if (now.weight !== undefined && before?.weight !== now.weight) weights[root] = now.weight;
      if ((before?.validity ?? 'valid') !== now.validity) validity[root] = now.validity;
    }
    if (blocks.length) frame.blocks = blocks;
    if (removed.length) frame.removed = removed;
    if (Object.keys(weights).length) frame.weights = weights;
    if (Object.keys(validity).length) frame.validity = validity;
    if (boost !== this.last.boost) frame.boost = boost;
    if (head !== this.last.head) frame.head = head;
    const points = JSON.stringify([justified, finalized]);
    if (points !== this.last.points) Object.assign(frame, { justified, finalized });
    this.last = { ...this.last, known, head, boost, points };
    if (Object.keys(frame).length > 2) this.push(frame);
  }

  block(root) { return this.json('/eth/v2/beacon/blocks/' + root); }
}

// The maker's name in a version: `Lodestar/v1.5.1/2115aa7` is Lodestar.
export const clientName = version => (String(version ?? '').match(/^[A-Za-z][A-Za-z0-9 _-]*/)?.[0] ?? '').trim();

// A recorded trace: a line of JSON with the network's facts and nodes, then a frame a line.
export function readTrace(text) {
  const lines = text.split('\n').map((line, place) => [line, place + 1]).filter(([line]) => line.trim());
  const parse = ([line, place]) => {
    try { return JSON.parse(line); } catch { throw new Error(`line ${place} of the trace is no JSON`); }
  };
  const header = parse(lines[0] ?? ['', 1]);
  if (header?.format !== 'interlock-trace-1') throw new Error('line 1 of the trace does not say "format": "interlock-trace-1"');
  const frames = lines.slice(1).map(line => {
    const frame = parse(line);
    if (typeof frame?.node !== 'string' || typeof frame.t !== 'number') throw new Error(`line ${line[1]} of the trace has no node or time`);
    const wrong = (frame.blocks ?? []).find(block => !isRoot(block?.root) || !isRoot(block.parent) || !Number.isInteger(block.slot));
    if (wrong) throw new Error(`line ${line[1]} of the trace has a block without root, parent or slot`);
    return frame;
  });
  return { header, frames };
}
