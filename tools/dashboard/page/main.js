// Puts the page together: sources, cards, keys.

import { branches } from './branches.js';
import { bytes, el, percent, toneClass } from './charts.js';
import { health, missTable, missedOf, nodeCard, settled, validatorCard } from './cards.js';
import { Source, fromAddress } from './source.js';

const byId = id => document.getElementById(id);
const sources = [];
const cards = new Map(); // by source: its element
const wide = new Set();

const dark = window.matchMedia('(prefers-color-scheme: dark)');
function theme(choice) {
  document.documentElement.classList.toggle('dark', choice === 'dark' || (choice !== 'light' && dark.matches));
}
theme(localStorage.getItem('theme'));
dark.addEventListener('change', () => theme(localStorage.getItem('theme')));
function otherTheme() {
  const next = document.documentElement.classList.contains('dark') ? 'light' : 'dark';
  localStorage.setItem('theme', next);
  theme(next);
}

function add({ name, url, wanted }) {
  if (sources.some(source => source.url === url.replace(/\/+$/, ''))) return;
  const source = Object.assign(new Source({ name, url }), { wanted });
  sources.push(source);
  source.run(draw);
  const query = new URLSearchParams(sources.filter(each => each.wanted !== 'validator').map(each => ['node', `${each.name}@${each.url}`]));
  byId('forkview').href = `../forkview/?${query}`;
}

const nodes = () => sources.filter(source => source.kind === 'beacon');
const clients = () => sources.filter(source => source.kind === 'validator');

// A client belongs to the node that it asks, or to the one whose name its own begins with.
function nodeOf(client) {
  const url = client.status?.beacon_node?.replace(/\/+$/, '');
  return nodes().find(node => node.url === url) ?? nodes().find(node => client.name.startsWith(`${node.name}/`));
}

function card(source) {
  let found = cards.get(source);
  if (!found) {
    found = el('article', { class: 'card', tabindex: 0, 'aria-label': source.name });
    found.addEventListener('keydown', event => {
      if ((event.key === 'Enter' || event.key === ' ') && event.target === found) { event.preventDefault(); toggle(source); }
    });
    // One button for all time, so that it keeps the focus while figures change around it.
    found.button = el('button', { class: 'more', title: 'All figures of the node, or fewer again (Space)' });
    found.button.addEventListener('click', () => toggle(source));
    cards.set(source, found);
  }
  const colours = { good: 'var(--good)', soso: 'var(--soso)', bad: 'var(--bad)', opt: 'var(--optimistic)' };
  found.style.setProperty('--mark', colours[health(source)[1]] ?? 'var(--line)');
  found.classList.toggle('wide', wide.has(source));
  found.button.setAttribute('aria-expanded', wide.has(source));
  found.button.textContent = wide.has(source) ? 'Less' : 'More';
  return found;
}

function toggle(source) {
  if (!wide.delete(source)) wide.add(source);
  draw();
}

function fill(source, parts) {
  const found = card(source), { button } = found, focused = document.activeElement === button;
  found.replaceChildren(...parts(button));
  if (focused) button.focus({ preventScroll: true });
}

let drawn = 0;
function draw() {
  // All answers that come within a moment are drawn at once.
  cancelAnimationFrame(drawn);
  drawn = requestAnimationFrame(() => {
    const lone = clients().filter(client => !nodeOf(client)), order = [...nodes(), ...lone];
    for (const node of nodes()) fill(node, button => nodeCard(node, clients().filter(client => nodeOf(client) === node), wide.has(node), button));
    for (const client of lone) fill(client, button => validatorCard(client, wide.has(client), button));
    const wanted = order.map(card), shown = [...byId('cards').children];
    if (wanted.length !== shown.length || wanted.some((each, index) => each !== shown[index])) byId('cards').replaceChildren(...wanted);
    byId('summary').replaceChildren(...summary());
    byId('misses').replaceChildren(...[missTable(clients())].filter(Boolean));
  });
}

function tile(label, value, detail, kind = '') {
  return el('div', { class: 'tile', 'data-tile': label }, el('h3', {}, label), el('b', { class: kind }, value), el('small', {}, detail));
}

function summary() {
  const known = nodes().filter(node => node.status && !node.why), up = known.length, all = nodes().length;
  const waiting = nodes().filter(node => !node.asked).length, silent = all - up - waiting;
  const detail = silent ? `${silent} unreachable` : waiting ? `${waiting} not asked yet` : 'all answer';
  const tiles = [tile('Nodes', `${up} / ${all}`, detail, silent ? 'bad' : waiting ? '' : 'good')];
  if (up) {
    const tips = branches(known, draw), slots = known.map(node => node.status.chain.head_slot), highest = Math.max(...slots), lowest = Math.min(...slots);
    tiles.push(tile('Heads', tips.length > 1 ? `${tips.length} branches` : 'one branch', highest === lowest ? `slot ${highest}` : `slots ${lowest} to ${highest}`, tips.length > 1 ? 'bad' : 'good'));
    const finalized = known.map(node => node.status.chain.finalized_epoch), chain = known[0].status.chain;
    const distance = Math.floor(known[0].clock(Date.now()) / chain.slots_per_epoch) - Math.min(...finalized);
    tiles.push(tile('Finality', `${distance} epochs`, `epoch ${Math.min(...finalized)} is final on all`, toneClass(-distance, -3, -5)));
    const votes = known.map(node => settled(node.status.participation?.epochs, Math.floor(node.status.chain.head_slot / chain.slots_per_epoch))).filter(Boolean);
    if (votes.length) {
      const least = votes.reduce((a, b) => b.target < a.target ? b : a);
      tiles.push(tile('Participation', percent(least.target), `epoch ${least.epoch}, head ${percent(least.head)}`, toneClass(least.target, .95, .667)));
    }
    const own = known.filter(node => node.status.process);
    if (own.length) {
      const cpu = own.reduce((sum, node) => sum + (node.line('cpu').at(-1) ?? 0), 0);
      tiles.push(tile('Resources', `${(100 * cpu).toFixed(0)} % CPU`, `${bytes(own.reduce((sum, node) => sum + node.status.process.resident_bytes, 0))} in ${own.length} node${own.length === 1 ? '' : 's'}`));
    }
  }
  if (clients().length) {
    const missed = clients().reduce((sum, client) => sum + missedOf(client), 0);
    const done = clients().flatMap(client => client.status?.duties ?? []).reduce((sum, duty) => sum + duty.done, 0);
    tiles.push(tile('Duties', missed ? `${missed} missed` : 'none missed', `${done} done by ${clients().length} client${clients().length === 1 ? '' : 's'}`, missed ? 'soso' : 'good'));
  }
  return tiles;
}

function clock() {
  const source = nodes().find(node => node.status), chain = source?.status.chain;
  if (!chain) return;
  const now = Date.now(), slot = source.clock(now);
  byId('clock').textContent = now < chain.genesis_time_ms
    ? `${chain.network}: genesis in ${Math.ceil((chain.genesis_time_ms - now) / 1000)} s`
    : `${chain.network ? `${chain.network}, ` : ''}slot ${slot}, epoch ${Math.floor(slot / chain.slots_per_epoch)}${chain.fork ? `, ${chain.fork}` : ''}`;
}

document.addEventListener('keydown', event => {
  if (event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey || byId('help-box').open) return;
  const order = [...byId('cards').children], at = order.indexOf(document.activeElement);
  const columns = getComputedStyle(byId('cards')).gridTemplateColumns.split(' ').length;
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
  if (event.key in steps && at >= 0) {
    event.preventDefault();
    order[at + steps[event.key]]?.focus();
  } else if (/^[1-9]$/.test(event.key)) order[Number(event.key) - 1]?.focus();
  else if (event.key === 't' || event.key === 'T') otherTheme();
  else if (event.key === 'f' || event.key === 'F') location.href = byId('forkview').href;
  else if (event.key === '?') byId('help-box').showModal();
});
byId('theme').addEventListener('click', otherTheme);
byId('help').addEventListener('click', () => byId('help-box').showModal());
byId('add').addEventListener('submit', event => {
  event.preventDefault();
  const url = byId('url').value;
  add({ name: url.replace(/^https?:\/\//, '').replace(/\/+$/, ''), url });
  byId('url').value = '';
});

for (const source of await fromAddress(location.search)) add(source);
setInterval(clock, 250);
