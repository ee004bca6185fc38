// Where figures come from: our own route of a beacon node or validator client, or the Beacon API of any other node.

const POLL_MS = 1500;
const TIMEOUT_MS = 6000;
const HISTORY_MAX = 160; // points of a line: four minutes

export class Source {
  constructor({ name, url }) {
    Object.assign(this, { name, url: url.replace(/\/+$/, ''), status: null, why: '', asked: false, reached: false, answered: 0, history: [], stopped: false });
  }

  get kind() { return this.status?.kind ?? this.wanted ?? 'beacon'; }

  async json(path) {
    const ask = fetch(this.url + path, { signal: AbortSignal.timeout(TIMEOUT_MS), headers: { accept: 'application/json' } });
    const answer = await ask.catch(error => {
      // A browser does not say which of the two it was.
      const why = error.name === 'TimeoutError' ? `no answer within ${TIMEOUT_MS / 1000} s` : 'cannot be reached, or lets no page of another address ask';
      throw new Error(`${this.url}: ${why}`);
    });
    this.reached = true;
    if (!answer.ok) throw Object.assign(new Error(`${this.url}${path}: ${answer.status}`), { status: answer.status });
    const text = await answer.text();
    try {
      return JSON.parse(text);
    } catch {
      throw new Error(`${this.url}${path}: the answer is no JSON: ${text.slice(0, 60)}`);
    }
  }

  async run(changed) {
    while (!this.stopped) {
      this.reached = false;
      try {
        this.take(await this.ask());
        this.why = '';
      } catch (error) {
        this.why = String(error.message ?? error);
      }
      this.asked = true;
      changed(this);
      await new Promise(done => setTimeout(done, POLL_MS));
    }
  }

  async ask() {
    if (this.foreign) return this.askForeign();
    try {
      const status = await this.json('/interlock/v1/status');
      if (status?.kind !== 'beacon' && status?.kind !== 'validator') throw new Error(`${this.url}: its status is of no kind that is known`);
      return status;
    } catch (error) {
      if (error.status !== 404) throw error;
      // A node of another maker: what every node tells.
      const status = await this.askForeign();
      this.foreign = true;
      return status;
    }
  }

  async askForeign() {
    const [syncing, header, points, peers, version] = await Promise.all([
      this.json('/eth/v1/node/syncing'),
      this.json('/eth/v1/beacon/headers/head'),
      this.json('/eth/v1/beacon/states/head/finality_checkpoints'),
      this.json('/eth/v1/node/peers?state=connected'),
      this.version ?? this.json('/eth/v1/node/version'),
    ]);
    this.version = version;
    this.rules ??= await this.foreignRules();
    const clients = {};
    for (const peer of peers.data) {
      const name = (peer.agent || 'unknown').split('/')[0].toLowerCase() || 'unknown';
      (clients[name] ??= {})[peer.direction] = (clients[name][peer.direction] ?? 0) + 1;
    }
    const slot = this.clock(Date.now());
    return {
      kind: 'beacon', foreign: true, version: version.data.version, time_ms: Date.now(),
      chain: {
        ...this.rules, slot, epoch: Math.floor(slot / this.rules.slots_per_epoch), head_slot: Number(header.data.header.message.slot),
        optimistic: syncing.data.is_optimistic === true, head_root: header.data.root,
        justified_epoch: Number(points.data.current_justified.epoch), finalized_epoch: Number(points.data.finalized.epoch),
      },
      sync: { state: syncing.data.is_syncing ? 'syncing' : 'synced', distance: Number(syncing.data.sync_distance) },
      peers: { total: peers.data.length, clients },
    };
  }

  async foreignRules() {
    const [genesis, spec] = await Promise.all([this.json('/eth/v1/beacon/genesis'), this.json('/eth/v1/config/spec')]);
    const slot_ms = Number(spec.data.SLOT_DURATION_MS ?? 1000 * Number(spec.data.SECONDS_PER_SLOT));
    return {
      network: spec.data.CONFIG_NAME ?? '', genesis_time_ms: 1000 * Number(genesis.data.genesis_time), slot_ms,
      slots_per_epoch: Number(spec.data.SLOTS_PER_EPOCH),
    };
  }

  clock(now) {
    const rules = this.status?.chain ?? this.rules;
    return rules ? Math.max(0, Math.floor((now - rules.genesis_time_ms) / rules.slot_ms)) : 0;
  }

  // Keeps what lines are drawn of: shares of a processor come from two readings.
  take(status) {
    const now = performance.now() / 1000, before = this.history.at(-1), use = status.process;
    const point = { at: now, rss: use?.resident_bytes, cpu_seconds: use?.cpu_seconds, busy_seconds: status.core_busy_seconds };
    const share = name => before?.[name] !== undefined && point[name] >= before[name]
      ? (point[name] - before[name]) / Math.max(now - before.at, .001) : undefined;
    point.cpu = share('cpu_seconds');
    point.busy = share('busy_seconds');
    point.queue = Math.max(0, ...(status.queues ?? []).filter(q => q.bound).map(q => q.depth / q.bound));
    point.database = status.database?.bytes;
    this.history.push(point);
    if (this.history.length > HISTORY_MAX) this.history.shift();
    this.status = status;
    this.answered = Date.now();
  }

  line(name) { return this.history.map(point => point[name]).filter(value => value !== undefined); }
}

// The sources that the address names, or those that the server lists.
export async function fromAddress(search) {
  const query = new URLSearchParams(search);
  const named = (text, wanted) => {
    const at = text.indexOf('@');
    return { name: at > 0 ? text.slice(0, at) : text, url: text.slice(at + 1), wanted };
  };
  const all = [...query.getAll('node').map(text => named(text, 'beacon')), ...query.getAll('validator').map(text => named(text, 'validator'))];
  if (all.length) return all;
  const { nodes } = await (await fetch('nodes.json')).json();
  return nodes.map(node => ({ name: node.name, url: node.url || location.origin, wanted: 'beacon' }));
}
