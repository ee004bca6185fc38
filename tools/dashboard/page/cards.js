// What a node and its validator client look like.

import { bytes, el, epochBars, ms, percent, spark, stack, strip, toneClass } from './charts.js';

const COLOURS = ['var(--c0)', 'var(--c1)', 'var(--c2)', 'var(--c3)', 'var(--c4)', 'var(--c5)', 'var(--c6)', 'var(--c7)'];
const CLIENTS = ['interlock', 'lighthouse', 'lodestar', 'nimbus', 'prysm', 'teku', 'grandine', 'caplin'];
const STAGES = ['checks', 'waited', 'signatures', 'transition', 'head'];

// A part of a card; of a title in two parts the second says how things stand.
const section = (title, ...children) => {
  const [name, detail] = [title].flat();
  return el('section', {}, el('h3', {}, name, detail ? el('small', {}, detail) : null), ...children);
};
const figure = (value, label, kind = '', title, name = label) => el('div', { title, 'data-figure': name }, el('b', { class: kind }, value), el('small', {}, label));
const time = ms => new Date(ms).toLocaleTimeString('en-GB');

// The last figures of who does not answer are of the time when it did.
const moment = source => source.why ? source.answered : Date.now();

// The last epoch whose votes cannot grow any more, where there is one.
export function settled(epochs, head) {
  return epochs?.findLast(votes => votes.epoch + 1 < head) ?? epochs?.at(-1);
}

export function health(source) {
  const status = source.status, chain = status?.chain;
  if (!source.asked) return ['asked', 'dim'];
  if (source.why) return [source.reached ? 'answers wrongly' : 'unreachable', 'bad'];
  if (status.kind === 'validator') return !status.reachable ? ['node unreachable', 'bad'] : !status.ready ? ['node not ready', 'soso'] : ['working', 'good'];
  if (status.sync.state === 'syncing') return [`${status.sync.distance} slots behind`, 'soso'];
  if (chain.optimistic) return ['optimistic', 'opt'];
  const late = source.clock(Date.now()) - chain.head_slot;
  return late > 3 ? [`no block for ${late} slots`, 'soso'] : ['in step', 'good'];
}

function heading(source, detail, toggle) {
  const [word, kind] = health(source);
  return el('header', {}, el('h2', {}, source.name), el('span', { class: 'version' }, detail ?? ''), el('span', { class: 'gap' }),
    el('span', { class: `pill ${kind}` }, word), toggle ?? null);
}

// What there is of a source: nothing but why, or its parts, which are marked where they are old.
function present(source, parts) {
  const why = source.why ? el('p', { class: 'why', role: 'status' }, source.why) : null;
  if (!source.status) return why ? [why] : [];
  if (!why) return parts;
  const seconds = Math.round((Date.now() - source.answered) / 1000);
  why.append(`. Stale: the figures of ${time(source.answered)}, ${seconds} s ago.`);
  return [why, el('div', { class: 'stale' }, parts)];
}

export function nodeCard(source, validators, wide, toggle) {
  const status = source.status;
  return [
    heading(source, status?.version, toggle),
    ...present(source, status?.kind === 'beacon' ? beacon(source, status, wide) : []),
    ...validators.flatMap(client => validator(client, wide, source)),
  ];
}

function beacon(source, status, wide) {
  const { chain, peers } = status, now = source.clock(moment(source));
  const epoch = Math.floor(now / chain.slots_per_epoch), distance = epoch - chain.finalized_epoch;
  const headEpoch = Math.floor(chain.head_slot / chain.slots_per_epoch);
  const all = settled(status.participation?.epochs, headEpoch), local = settled(status.local?.epochs, headEpoch);
  const late = Math.max(0, now - chain.head_slot);
  // In the first part of a slot its block is still on the way.
  const figures = el('div', { class: 'figures' },
    figure(chain.head_slot, late > 1 ? `${late} slots behind` : 'head slot', '', `at slot ${now} of the clock\n${chain.head_root ?? ''}`, 'head slot'),
    figure(distance, 'to finality', toneClass(-distance, -3, -5), `in epochs; finalized ${chain.finalized_epoch}, justified ${chain.justified_epoch}`),
    status.foreign ? null : figure(percent(all?.target), 'participation', all ? toneClass(all.target, .95, .667) : 'dim', all && `target of epoch ${all.epoch}`),
    status.foreign ? null : figure(percent(local?.target), 'inclusion', local ? toneClass(local.target, .98, .9) : 'dim',
      local ? `target of epoch ${local.epoch}, of ${local.active} validators that use this node` : 'of the validators that use this node: none yet'),
    figure(peers.total, 'peers', peers.total ? '' : 'bad'));
  const parts = [figures];
  const charts = el('div', { class: 'two' });
  if (status.participation) {
    charts.append(section('Participation by epoch', epochBars(status.participation.epochs, headEpoch - 1)));
  }
  charts.append(section('Peers by client', ...peerBars(peers)));
  parts.push(charts);
  if (status.process) parts.push(resources(source, status));
  if (status.imports) parts.push(imports(status, wide));
  if (status.queues) parts.push(queues(status.queues, wide));
  if (wide && !status.foreign) parts.push(more(status));
  if (status.foreign) parts.push(el('p', { class: 'note' }, 'A node of another maker: more than this the Beacon API does not tell.'));
  return parts;
}

function peerBars(peers) {
  const names = Object.keys(peers.clients).sort((a, b) => total(peers.clients[b]) - total(peers.clients[a]));
  const colour = name => COLOURS[CLIENTS.indexOf(name)] ?? 'var(--dim)';
  const ways = names.map(name => peers.clients[name]);
  const sum = way => ways.reduce((all, counts) => all + (counts[way] ?? 0), 0);
  return [...stack(names.map(name => ({ name, value: total(peers.clients[name]), colour: colour(name) }))),
    el('div', { class: 'legend' }, `${sum('inbound')} dialled us, ${sum('outbound')} dialled by us`)];
}

const total = counts => Object.values(counts).reduce((sum, count) => sum + count, 0);

function resources(source, status) {
  const box = (name, value, detail, line, colour, max) => el('div', { class: 'spark-box' },
    el('h3', {}, name), el('div', { class: 'value' }, el('span', { 'data-figure': name }, value), el('small', {}, detail)), spark(line, colour, max));
  const cores = status.process.processors || 1, cpu = source.line('cpu'), busy = source.line('busy');
  return el('div', { class: 'sparks' },
    box('CPU', cpu.length ? `${(100 * cpu.at(-1)).toFixed(0)} %` : '–', `of ${100 * cores} %`, cpu, 'var(--c0)', .2),
    box('Memory', bytes(status.process.resident_bytes), '', source.line('rss'), 'var(--c3)'),
    status.core_busy_seconds === undefined
      ? box('Threads', status.process.threads, '', [], 'var(--c4)')
      : box('Core', busy.length ? `${(100 * busy.at(-1)).toFixed(1)} %` : '–', 'busy', busy, 'var(--c4)', .1),
    status.database
      ? box('Database', bytes(status.database.bytes), '', source.line('database'), 'var(--c2)')
      : box('Open files', status.process.open_fds, `of ${status.process.max_fds}`, [], 'var(--c2)'));
}

function imports(status) {
  const times = status.imports, count = times.total?.count ?? 0;
  const parts = STAGES.map((stage, index) => ({ name: stage, value: times[stage]?.p50_ms ?? 0, text: ms(times[stage]?.p50_ms), colour: COLOURS[index] }));
  const title = ['Block import', count ? `half within ${ms(times.total.p50_ms)}, 95 % within ${ms(times.total.p95_ms)}` : 'no live block yet'];
  return section(title, ...(count ? stack(parts) : []));
}

const words = queue => `${queue.name.replaceAll('_', ' ')} ${queue.bound ? `${queue.depth} / ${queue.bound}` : queue.depth}`;

// In short: a column a queue, as high as the root of its part, so that a little shows.
function queueColumns(all) {
  const fullest = all.filter(queue => queue.bound).reduce((a, b) => b.depth / b.bound > a.depth / a.bound ? b : a);
  const column = queue => {
    const part = queue.depth / (queue.bound ?? 64), colour = part > .8 ? 'var(--bad)' : part > .4 ? 'var(--soso)' : 'var(--good)';
    return el('div', { title: words(queue) }, el('i', { style: `height:${Math.min(100, 100 * Math.sqrt(part))}%;background:${colour}` }));
  };
  const detail = fullest.depth ? `the fullest is ${words(fullest)}` : `nothing waits in any of ${all.length}`;
  return section(['Queues', detail], el('div', { class: 'columns', role: 'img', 'aria-label': `Queues: ${detail}` }, all.map(column)));
}

function queues(all, wide) {
  if (!wide) return queueColumns(all);
  const one = queue => {
    const part = queue.bound ? queue.depth / queue.bound : 0, colour = part > .8 ? 'var(--bad)' : part > .4 ? 'var(--soso)' : 'var(--good)';
    return el('div', { class: 'queue', 'data-queue': queue.name, title: queue.bound ? `${queue.depth} of ${queue.bound}` : `${queue.depth}, bounded by what was given out` },
      el('span', { class: 'name' }, queue.name.replaceAll('_', ' ')),
      el('span', {}, queue.bound ? `${queue.depth} / ${queue.bound}` : queue.depth),
      el('div', { class: 'bar' }, el('i', { style: `width:${Math.min(100, 100 * part)}%;background:${colour}` })));
  };
  return section('Queues', el('div', { class: 'queues' }, all.map(one)));
}

function rows(title, head, lines) {
  return section(title, el('table', {},
    el('thead', {}, el('tr', {}, head.map((name, index) => el('th', { class: index ? 'n' : '' }, name)))),
    el('tbody', {}, lines.map(cells => el('tr', {}, cells.map((cell, index) => el('td', { class: index ? 'n' : '' }, cell)))))));
}

function more(status) {
  const { memory, counters, validators, engine } = status;
  const calls = Object.entries(engine.calls ?? {}).map(([call, times]) => [call.replaceAll('_', ' '), times.count, ms(times.p50_ms), ms(times.p95_ms)]);
  return el('div', { class: 'two' },
    rows('Memory', ['', ''], [
      ['states', memory.states], ['their pages', bytes(memory.state_bytes)], ['blocks', memory.blocks], ['blocks of fork choice', memory.fork_choice_blocks],
      ['data that waits', bytes(memory.data_bytes_pending)],
    ]),
    rows('Since the start', ['', ''], Object.entries(counters).map(([name, count]) => [name.replaceAll('_', ' '), count])),
    rows('Validators', ['', ''], Object.entries(validators).map(([name, count]) => [name, count])),
    calls.length ? rows(['Execution engine', engine.text], ['call', 'count', 'half', '95 %'], calls) : null);
}

const sum = object => Object.values(object).reduce((all, count) => all + count, 0);

export function missedOf(client) {
  return (client.status?.duties ?? []).reduce((all, duty) => all + sum(duty.missed), 0);
}

function validator(client, wide, node) {
  const status = client.status, parts = status ? duties(client, status, wide || !node) : [];
  const detail = status && `${status.active_keys} of ${status.keys} keys active`;
  return [node ? heading(client, detail) : null, ...present(client, parts)].filter(part => part !== null);
}

function duties(client, status, wide) {
  const last = status.slots.at(-1)?.slot ?? 0, missed = missedOf(client);
  const reasons = {};
  for (const duty of status.duties) {
    for (const [reason, count] of Object.entries(duty.missed)) reasons[reason] = (reasons[reason] ?? 0) + count;
  }
  const words = Object.entries(reasons).map(([reason, count]) => `${count} ${reason.replaceAll('_', ' ')}`).join(', ');
  const detail = missed ? `${missed} missed since the start: ${words}` : 'none missed since the start';
  const parts = [section(['Duties by slot', detail], strip(status.slots, Math.max(0, last - 63)))];
  if (wide) {
    const lines = status.duties.filter(duty => duty.due || duty.done || sum(duty.missed))
      .map(duty => [duty.duty.replaceAll('_', ' '), duty.due, duty.done, sum(duty.missed), ms(duty.p50_ms), ms(duty.p95_ms)]);
    parts.push(rows('Since the start', ['duty', 'due', 'done', 'missed', 'half done within', '95 %'], lines));
    const asked = status.questions.filter(question => question.count)
      .map(question => [question.question.replaceAll('_', ' '), question.count, question.failed, ms(question.p50_ms), ms(question.p95_ms)]);
    parts.push(rows('Questions to node and signer', ['', 'asked', 'failed', 'half within', '95 %'], asked), resources(client, status));
  }
  return parts;
}

// A validator client whose node is not among those that are shown.
export function validatorCard(client, wide, toggle) {
  return [heading(client, client.status?.version, toggle), ...validator(client, wide, null)];
}

// What was missed, by whoever missed it, the newest first.
export function missTable(clients) {
  const all = clients.flatMap(client => (client.status?.misses ?? []).map(miss => ({ ...miss, client: client.name })));
  if (!all.length) return null;
  all.sort((a, b) => (b.slot ?? 0) - (a.slot ?? 0));
  const names = miss => `${miss.validators.join(', ')}${miss.count > miss.validators.length ? ` and ${miss.count - miss.validators.length} more` : ''}`;
  return el('div', {}, el('h3', {}, 'Missed duties', el('small', {}, 'the newest first')), el('table', {},
    el('thead', {}, el('tr', {}, ['client', 'what', 'validators', 'why'].map(name => el('th', {}, name)))),
    el('tbody', {}, all.slice(0, 40).map(miss => el('tr', {}, el('td', {}, miss.client), el('td', {}, miss.what), el('td', {}, names(miss)), el('td', {}, miss.why))))));
}
