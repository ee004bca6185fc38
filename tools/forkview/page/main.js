// Puts sources, record, layout, picture and texts together.

import { Record } from './world.js';
import { Layout } from './layout.js';
import { Picture } from './draw.js';
import { LiveNode, clientName, readTrace } from './source.js';
import { showNodes, showReorgs, showBlock, legendItems } from './panel.js';

const at = id => document.getElementById(id);
const palette = ['#e4572e', '#17a398', '#f3a712', '#8f5bd6', '#2e86ab', '#d1478c', '#6a994e', '#a7754d', '#577590', '#c0c400'];

const record = new Record(), layout = new Layout(), picture = new Picture(at('tree'));
const facts = { slotsPerEpoch: 32, secondsPerSlot: 12, genesisTime: null };
let nodes = [], chosen = null, selected = null, following = true, playing = true, live = true, traced = false, dirty = true;
let bodies = new Map(), problem = '', drawn = '', hasDashboard = false;

const nameOf = id => nodes.find(node => node.id === id)?.name ?? id;
const colorOf = id => palette[Math.max(0, nodes.findIndex(node => node.id === id)) % palette.length];

// Clients in the order of their first node: each has a shape.
function shapeOf(id) {
  const names = [...new Set(nodes.map(node => clientName(node.client)))].filter(Boolean);
  return Math.max(0, names.indexOf(clientName(nodes.find(node => node.id === id)?.client))) % 4;
}

function slotNow() {
  if (facts.genesisTime === null) return null;
  const time = live && !traced ? Date.now() : record.frames[Math.max(0, record.at - 1)]?.t ?? Date.now();
  return Math.max(0, (time / 1000 - facts.genesisTime) / facts.secondsPerSlot);
}

// All that the picture and the texts are made from.
function makeScene() {
  const world = record.world, shown = nodes.map(node => world.nodes.get(node.id)).filter(Boolean);
  const node = world.nodes.get(chosen) ?? shown[0] ?? null, head = node?.head ?? null, main = world.chainOf(head);
  const final = world.blocks.get(node?.finalized?.root)?.slot ?? -1;
  const weight = root => node?.weights.get(root) ?? 0;
  const most = Math.max(1, weight(node?.justified?.root), weight(node?.finalized?.root), ...(node?.weights.values() ?? []));
  const isFinal = root => main.has(root) && world.blocks.get(root).slot <= final;
  // A finalized block that fork choice has dropped had everybody's votes.
  const share = root => node?.weights.has(root) ? weight(root) / most : isFinal(root) ? 1 : 0;
  return { world, shown, node, main, layout, selected, weight, share, isFinal, justified: node?.justified?.root,
    slotsPerEpoch: facts.slotsPerEpoch, slotNow: slotNow(), colorOf, nameOf, shapeOf };
}

let scene = makeScene();

function refresh() {
  scene = makeScene();
  layout.arrange(scene.world, scene.node?.head);
  showNodes(at('nodes').tBodies[0], scene.world, nodes, scene, choose);
  showReorgs(at('reorgs'), scene.world, nameOf, reveal);
  showBlock(at('details'), scene.world, scene, nodes, bodies.get(selected), reveal);
  const time = at('time');
  time.max = record.frames.length;
  time.value = record.at;
  at('moment').textContent = `${record.at} of ${record.frames.length}`;
  at('speed').hidden = !traced;
  at('dashboard').hidden = traced || !hasDashboard;
  // A server's own node has no address here; its dashboard knows it.
  const named = nodes.every(node => node.url) ? '?' + new URLSearchParams(nodes.map(node => ['node', `${node.name}@${node.url}`])) : '';
  at('dashboard').href = '../dashboard/' + named;
  at('live').hidden = traced;
  if (problem) at('notice').textContent = problem;
  else at('notice').textContent = record.frames.length ? '' : nodes.length ? 'waiting for the first answer…' : 'no node yet: add one by its URL, or play a trace';
}

function frame() {
  if (following && scene.node) {
    const head = scene.world.blocks.get(scene.node.head)?.slot ?? 0;
    picture.follow(live && !traced ? Math.max(head, Math.min(scene.slotNow ?? head, head + 8)) : head);
  }
  const changed = dirty;
  if (dirty) { refresh(); dirty = false; }
  scene.slotNow = slotNow();
  scene.selected = selected;
  // A picture that would be the same is not drawn again; the line of the present moves ten times a slot.
  const { x, y, zoom, width, height } = picture;
  const looks = [x, y, zoom, width, height, selected, picture.color('back'), Math.floor((scene.slotNow ?? 0) * 10)].join();
  if (changed || looks !== drawn) picture.draw(scene);
  drawn = looks;
  const slot = scene.slotNow;
  at('clock').textContent = slot === null ? '' : `slot ${Math.floor(slot)} · epoch ${Math.floor(slot / facts.slotsPerEpoch)}`;
  requestAnimationFrame(frame);
}

function push(entry) {
  record.push(entry);
  if (live) record.seek(record.frames.length);
  dirty = true;
}

function choose(id) { chosen = id; dirty = true; }

// Chooses a block and shows where it stands.
function reveal(root) {
  const place = layout.places.get(root);
  if (place) { setFollowing(false); picture.reveal(place); }
  select(root);
}

async function select(root) {
  selected = root;
  dirty = true;
  if (!root || bodies.has(root) || traced) return;
  const owner = nodes.find(node => node.id === chosen && record.world.nodes.get(node.id)?.known.has(root))
    ?? nodes.find(node => record.world.nodes.get(node.id)?.known.has(root));
  if (!owner?.block) return;
  if (bodies.size > 64) bodies.clear();
  try { bodies.set(root, (await owner.block(root)).data); } catch (error) { bodies.set(root, { fault: String(error.message ?? error) }); }
  dirty = true;
}

function setLive(on) {
  live = on;
  at('live').setAttribute('aria-pressed', on);
  if (on) { record.seek(record.frames.length); setPlaying(true); }
  dirty = true;
}
function setPlaying(on) { playing = on; at('play').textContent = on ? 'Pause' : 'Play'; if (!on) { live = false; at('live').setAttribute('aria-pressed', false); } }
function setFollowing(on) { following = on; at('follow').setAttribute('aria-pressed', on); }
function seek(count) { setPlaying(false); record.seek(count); dirty = true; }

// A paused or traced record goes on by itself at the pace of its own times, faster for a trace.
setInterval(() => {
  if (live || !playing || record.at >= record.frames.length) return;
  const now = record.frames[Math.max(0, record.at - 1)].t;
  let to = record.at + 1;
  const pace = traced ? 100 * Number(at('speed').value) : 100;
  while (to < record.frames.length && record.frames[to].t <= now + pace) to++;
  record.seek(to);
  dirty = true;
}, 100);

// `NAME@URL` or a URL alone.
function named(text) {
  const [, name, url] = text.trim().match(/^(?:([^@/]+)@)?(.*)$/);
  const full = new URL(url, location); // refuses what is no URL
  return { id: name ?? url, name: name ?? full.host, url };
}

function addNode(entry) {
  if (nodes.some(node => node.id === entry.id)) throw new Error(`${entry.name} is there already`);
  problem = '';
  const node = new LiveNode(entry, push);
  nodes.push(node);
  chosen ??= node.id;
  node.run();
  learnFacts(node);
  dirty = true;
}

async function learnFacts(node) {
  try {
    const [spec, genesis] = await Promise.all([node.json('/eth/v1/config/spec'), node.json('/eth/v1/beacon/genesis')]);
    const slots = Number(spec.data.SLOTS_PER_EPOCH ?? 32), time = Number(genesis.data.genesis_time);
    const seconds = Number(spec.data.SLOT_DURATION_MS ?? 1000 * (spec.data.SECONDS_PER_SLOT ?? 12)) / 1000;
    if (!(slots > 0 && seconds > 0 && time >= 0)) throw new Error('numbers that are none');
    Object.assign(facts, { slotsPerEpoch: slots, secondsPerSlot: seconds, genesisTime: time });
    dirty = true;
  } catch { setTimeout(() => learnFacts(node), 2000); }
}

function play({ header, frames }) {
  nodes.forEach(node => node.stop?.());
  nodes = header.nodes ?? [...new Set(frames.map(entry => entry.node))].map(id => ({ id, name: id }));
  Object.assign(facts, { slotsPerEpoch: header.slots_per_epoch ?? 32, secondsPerSlot: header.seconds_per_slot ?? 12,
    genesisTime: header.genesis_ms === undefined ? null : header.genesis_ms / 1000 });
  Object.assign(record, new Record(), { frames });
  problem = '';
  [traced, live, chosen, selected] = [true, false, nodes[0]?.id, null];
  bodies = new Map();
  setPlaying(true);
  at('live').setAttribute('aria-pressed', false);
  live = false;
  dirty = true;
}

const fault = error => { problem = String(error.message ?? error); dirty = true; };

// ---- Hands ----

const canvas = at('tree');
let drag = null;
canvas.onpointerdown = event => { drag = { x: event.clientX, y: event.clientY, moved: false }; canvas.setPointerCapture(event.pointerId); };
canvas.onpointermove = event => {
  if (!drag) return;
  const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
  if (!drag.moved && Math.hypot(dx, dy) < 4) return;
  if (!drag.moved) setFollowing(false);
  Object.assign(drag, { x: event.clientX, y: event.clientY, moved: true });
  picture.x -= dx / picture.stepX();
  picture.y -= dy / picture.stepY();
};
canvas.onpointerup = event => {
  const box = canvas.getBoundingClientRect();
  if (drag && !drag.moved) select(picture.hit(layout, event.clientX - box.left, event.clientY - box.top));
  drag = null;
};
canvas.onwheel = event => {
  event.preventDefault();
  picture.zoomAt(event.clientX - canvas.getBoundingClientRect().left, Math.exp(-event.deltaY / 400));
};

function step(key) {
  const world = scene.world, block = world.blocks.get(selected) ?? world.blocks.get(scene.node?.head);
  if (!block) return;
  if (!world.blocks.has(selected)) return select(block.root);
  const children = (world.children.get(block.root) ?? []).filter(root => layout.places.has(root));
  if (key === 'ArrowLeft') return world.blocks.has(block.parent) && select(block.parent);
  if (key === 'ArrowRight') return children.length && select(children.reduce((a, b) => scene.weight(b) > scene.weight(a) ? b : a));
  const mine = layout.places.get(block.root), sign = key === 'ArrowUp' ? -1 : 1;
  const near = layout.between(mine.slot - 4, mine.slot + 4).filter(place => (place.lane - mine.lane) * sign > 0);
  const cost = place => Math.abs(place.lane - mine.lane) * 10 + Math.abs(place.slot - mine.slot);
  if (near.length) select(near.reduce((a, b) => cost(b) < cost(a) ? b : a).root);
}

const shift = { ArrowLeft: [-4, 0], ArrowRight: [4, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
onkeydown = event => {
  if (event.target.matches('input:not([type=range])') || event.ctrlKey || event.metaKey || event.altKey) return;
  const { key } = event;
  if (shift[key] && event.target !== at('time')) {
    event.preventDefault();
    if (!event.shiftKey) return step(key);
    setFollowing(false);
    picture.x += shift[key][0];
    picture.y += shift[key][1];
  } else if (key === '+' || key === '=') picture.zoomAt(picture.width / 2, 1.25);
  else if (key === '-') picture.zoomAt(picture.width / 2, .8);
  else if (key === 'Home') setFollowing(true);
  else if (key === 'f' || key === 'F') fit();
  else if ((key === 'd' || key === 'D') && !at('dashboard').hidden) at('dashboard').click();
  else if (key === 'r' || key === 'R') at('reorgs').querySelector('button.root:last-of-type')?.click();
  else if (key === ' ' && !event.target.matches('button')) { event.preventDefault(); setPlaying(!playing); }
  else if (key === ',') seek(record.at - 1);
  else if (key === '.') seek(record.at + 1);
  else if (key === 'l' || key === 'L') setLive(true);
  else if (key === 't' || key === 'T') turn();
  else if (key === '?') at('help-box').showModal();
  else if (/^[1-9]$/.test(key) && nodes[key - 1]) choose(nodes[key - 1].id);
};

function fit() { setFollowing(false); picture.fit(layout); }

function shade(dark) {
  document.documentElement.classList.toggle('dark', dark);
  picture.colors();
}

function turn(dark = !document.documentElement.classList.contains('dark')) {
  shade(dark);
  try { localStorage.setItem('theme', dark ? 'dark' : 'light'); } catch { /* a page without storage forgets */ }
}

at('follow').onclick = () => setFollowing(!following);
at('fit').onclick = fit;
at('theme').onclick = () => turn();
at('help').onclick = () => at('help-box').showModal();
at('play').onclick = () => setPlaying(!playing);
at('back').onclick = () => seek(record.at - 1);
at('forth').onclick = () => seek(record.at + 1);
at('live').onclick = () => setLive(true);
at('time').oninput = event => seek(Number(event.target.value));
at('add').onsubmit = event => {
  event.preventDefault();
  try { addNode(named(at('url').value)); at('url').value = ''; } catch (error) { fault(error); }
};
at('trace').onchange = async event => {
  try { play(readTrace(await event.target.files[0].text())); } catch (error) { fault(error); }
};
at('legend').innerHTML = legendItems();
new ResizeObserver(() => picture.resize()).observe(canvas);

// ---- Start ----

function stored() { try { return localStorage.getItem('theme'); } catch { return null; } }
const wish = new URLSearchParams(location.search).get('theme') ?? stored();
const prefers = matchMedia('(prefers-color-scheme: dark)');
shade(wish ? wish === 'dark' : prefers.matches);
prefers.onchange = () => shade(prefers.matches);
picture.resize();
requestAnimationFrame(frame);

// Nodes serve it beside this page; what serves this page alone does not.
fetch('../dashboard/', { method: 'HEAD' }).then(answer => { hasDashboard = answer.ok; dirty = true; }).catch(() => {});

const query = new URLSearchParams(location.search);
const trace = query.get('trace');
if (trace) {
  fetch(trace).then(answer => answer.ok ? answer.text() : Promise.reject(new Error(`${trace}: ${answer.status}`)))
    .then(text => play(readTrace(text))).catch(fault);
} else {
  const given = query.getAll('node').map(named);
  const listed = given.length ? Promise.resolve(given) : fetch('nodes.json').then(answer => answer.json());
  listed.then(async list => {
    const { trace } = list;
    if (trace) play(readTrace(await (await fetch(trace)).text())); else (list.nodes ?? list).forEach(addNode);
  }).catch(fault);
}

// For tests: what the page shows, and how fast it draws.
globalThis.forkview = { record, layout, picture, facts, scene: () => scene, nodes: () => nodes, select, seek, push, fit, setPlaying, setFollowing, choose, addNode };
