// Nodes that are asked over the standard Beacon API, whoever made them. What changed since the last answer is a frame.

const POLL_MS = 1000; // between answers; the standard has no event for weights
const TIMEOUT_MS = 8000;

export class LiveNode {
  constructor({ id, name, url }, push) {
    Object.assign(this, { id, name, url: url.replace(/\/+$/, ''), push });
    this.client = '';
    this.last = { known: new Map(), head: null, boost: null, down: null };
    this.stopped = false;
  }

  async json(path) {
    const answer = await fetch(this.url + path, { signal: AbortSignal.timeout(TIMEOUT_MS), headers: { accept: 'application/json' } });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${(await answer.text()).slice(0, 200)}`);
    return answer.json();
  }

  async run(interval = POLL_MS) {
    while (!this.stopped) {
      try {
        if (!this.client) this.client = (await this.json('/eth/v1/node/version')).data.version;
        this.take(await this.json('/eth/v1/debug/fork_choice'), await this.head());
        this.tell(false, '');
      } catch (error) {
        this.tell(true, String(error.message ?? error));
      }
      await new Promise(done => setTimeout(done, interval));
    }
  }

  stop() { this.stopped = true; this.stream?.close(); }

  async head() { return (await this.json('/eth/v1/beacon/headers/head')).data.root; }

  tell(down, why) {
    this.why = why;
    if (this.last.down === down) return;
    this.last.down = down;
    this.push({ t: Date.now(), node: this.id, down });
  }

  // The dump of a fork choice, as a frame of what changed.
  take(dump, head) {
    if (!Array.isArray(dump.fork_choice_nodes)) throw new Error('its fork choice dump has no fork_choice_nodes');
    const frame = { t: Date.now(), node: this.id, blocks: [], weights: {}, validity: {}, removed: [] };
    const known = new Map();
    for (const entry of dump.fork_choice_nodes) {
      const root = entry.block_root, before = this.last.known.get(root);
      const now = { weight: String(entry.weight), validity: String(entry.validity ?? 'valid').toLowerCase() };
      known.set(root, now);
      if (!before) frame.blocks.push({ root, parent: entry.parent_root, slot: Number(entry.slot), hash: entry.execution_block_hash });
      if (before?.weight !== now.weight) frame.weights[root] = now.weight;
      if (before?.validity !== now.validity) frame.validity[root] = now.validity;
    }
    for (const root of this.last.known.keys()) if (!known.has(root)) frame.removed.push(root);
    const boost = dump.extra_data?.proposer_boost_root ?? null;
    if (boost !== this.last.boost) frame.boost = boost;
    if (head !== this.last.head) frame.head = head;
    const points = JSON.stringify([dump.justified_checkpoint, dump.finalized_checkpoint]);
    if (points !== this.last.points) {
      frame.justified = dump.justified_checkpoint;
      frame.finalized = dump.finalized_checkpoint;
    }
    const changed = frame.blocks.length || frame.removed.length || Object.keys(frame.weights).length
      || Object.keys(frame.validity).length || frame.boost !== undefined || frame.head || frame.finalized;
    this.last = { ...this.last, known, head, boost, points };
    if (changed) this.push(frame);
  }

  block(root) { return this.json('/eth/v2/beacon/blocks/' + root); }
}

// A recorded trace: a line of JSON with the network's facts and nodes, then a frame a line.
export function readTrace(text) {
  const lines = text.split('\n').filter(line => line.trim());
  const parse = (line, number) => {
    try { return JSON.parse(line); } catch { throw new Error(`line ${number + 1} is no JSON`); }
  };
  const header = parse(lines[0] ?? '', 0);
  if (header.format !== 'interlock-trace-1') throw new Error('line 1 does not say "format": "interlock-trace-1"');
  const frames = lines.slice(1).map((line, number) => {
    const frame = parse(line, number + 1);
    if (typeof frame.node !== 'string' || typeof frame.t !== 'number') throw new Error(`line ${number + 2} has no node or time`);
    return frame;
  });
  return { header, frames };
}
