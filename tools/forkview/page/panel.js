// The texts beside the picture: nodes, the chosen block, reorganizations.

import { clientName } from './source.js';

const short = root => root ? root.slice(0, 10) : '–';
const escape = text => String(text).replace(/[&<>"]/g, sign => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign]);
const link = root => `<button class="root" data-root="${escape(root)}">${short(root)}</button>`;

// Replaces what a box shows where it is different, and lets its roots choose their blocks.
function put(box, html, select) {
  if (box.last === html) return;
  box.last = html;
  const focused = document.activeElement?.dataset?.root;
  box.innerHTML = html;
  for (const button of box.querySelectorAll('button.root')) {
    button.onclick = () => select(button.dataset.root);
    if (focused && focused === button.dataset.root) button.focus();
  }
}

const marks = ['●', '■', '◆', '▲'];

export function showNodes(body, world, nodes, scene, choose) {
  const rows = nodes.map((node, number) => {
    const seen = world.nodes.get(node.id), head = world.blocks.get(seen?.head);
    // A head below all that is shown has lost its links: where it belongs is not known.
    const lowest = scene.layout.bySlot[0]?.slot ?? 0, below = head && head.slot < lowest;
    const aside = scene.node && head && !below && !scene.main.has(head.root) && !world.chainOf(head.root).has(scene.node.head);
    const title = [node.client, node.url, node.dumps === false && 'does not tell weights'].filter(Boolean).join('\n');
    const trouble = node.why ? `<tr class="why" data-id="${escape(node.id)}"><td></td><td colspan="4" class="warn">${escape(node.why)}</td></tr>` : '';
    return `<tr data-id="${escape(node.id)}" aria-selected="${scene.node?.id === node.id}" class="${seen?.down ? 'down' : ''}">
      <td style="color:${scene.colorOf(node.id)}">${marks[scene.shapeOf(node.id)]}</td>
      <td title="${escape(title)}"><button class="plain">${number < 9 ? `<kbd>${number + 1}</kbd> ` : ''}${escape(node.name)}</button> <small>${escape(clientName(node.client))}</small></td>
      <td class="mono${aside ? ' warn' : ''}"${aside ? ' title="on another branch than the chosen node"' : below ? ' title="behind: below all that is shown"' : ''}>${head ? head.slot : '–'} ${short(seen?.head)}${aside ? ' ≠' : below ? ' ↤' : ''}</td>
      <td>${escape(seen?.justified?.epoch ?? '–')}</td><td>${escape(seen?.finalized?.epoch ?? '–')}</td></tr>${trouble}`;
  });
  const html = rows.join('');
  if (body.last === html) return;
  body.last = html;
  body.innerHTML = html;
  for (const row of body.rows) row.onclick = () => choose(row.dataset.id);
}

export function showReorgs(list, world, nameOf, select) {
  put(list, world.reorgs.slice(-50).reverse().map(reorg =>
    `<li>slot ${reorg.slot}: <b>${escape(nameOf(reorg.node))}</b> left ${link(reorg.from)} for ${link(reorg.to)}, ${reorg.depth} slot${reorg.depth === 1 ? '' : 's'} deep</li>`).join('') || '<li class="none">none seen</li>', select);
}

// The chosen block: what it is, who knows it, and why it won or lost against its siblings.
export function showBlock(box, world, scene, nodes, body, select) {
  const block = world.blocks.get(scene.selected);
  if (!block) return put(box, `<h2>Block</h2><p>Choose one in the picture, with the mouse or with ←.</p><ul class="legend">${legendItems()}</ul>`, select);
  const knows = nodes.filter(node => world.nodes.get(node.id)?.known.has(block.root)).map(node => escape(node.name));
  const heads = nodes.filter(node => world.nodes.get(node.id)?.head === block.root).map(node => escape(node.name));
  const validity = scene.node?.validity.get(block.root) ?? 'valid';
  const children = (world.children.get(block.root) ?? []).filter(root => scene.layout.places.has(root));
  put(box, `<h2>Block ${short(block.root)}</h2><dl>
    <dt>slot</dt><dd>${block.slot} (epoch ${Math.floor(block.slot / scene.slotsPerEpoch)})</dd>
    <dt>root</dt><dd class="mono">${escape(block.root)}</dd>
    <dt>parent</dt><dd>${world.blocks.has(block.parent) ? link(block.parent) : `<span class="mono">${escape(short(block.parent))}</span>`}</dd>
    ${children.length ? `<dt>children</dt><dd>${children.map(link).join(' ')}</dd>` : ''}
    <dt>execution</dt><dd class="${validity === 'invalid' ? 'warn' : ''}">${escape(validity)}</dd>
    ${score(block, world, scene)}
    ${heads.length ? `<dt>head of</dt><dd>${heads.join(', ')}</dd>` : ''}
    <dt>known to</dt><dd>${knows.length === nodes.length ? 'all' : knows.join(', ') || 'nobody now'}</dd>
    </dl>${siblings(block, world, scene)}${contents(block, body, scene)}`, select);
}

const weight = gwei => gwei >= 1e9 || gwei === 0 ? (gwei / 1e9).toLocaleString('en', { maximumFractionDigits: 0 }) + ' ETH' : gwei + ' Gwei';

// True where the boosted block is this one or comes after it, so that its weight counts the boost.
const isBoosted = (root, world, scene) => scene.node?.boost ? world.chainOf(scene.node.boost).has(root) : false;

function score(block, world, scene) {
  if (!scene.node?.weights.has(block.root)) {
    return `<dt>weight</dt><dd>${scene.isFinal(block.root) ? 'final: no longer weighed' : 'not told by this node'}</dd>`;
  }
  const all = scene.weight(block.root), share = Math.round(100 * scene.share(block.root));
  const later = (world.children.get(block.root) ?? []).reduce((sum, root) => sum + scene.weight(root), 0);
  return `<dt>weight</dt><dd>${weight(all)}, ${share} % of the votes${isBoosted(block.root, world, scene) ? ', proposer boost counted' : ''}
      <div class="bar"><i style="width:${share}%"></i></div>
      ${weight(Math.max(0, all - later))} on the block itself, ${weight(Math.min(all, later))} on blocks after it</dd>`;
}

function siblings(block, world, scene) {
  const family = (world.children.get(block.parent) ?? []).filter(root => scene.layout.places.has(root));
  if (family.length < 2) return '';
  const invalid = root => scene.node?.validity.get(root) === 'invalid';
  const order = (a, b) => scene.weight(b) - scene.weight(a) || (a < b ? 1 : -1);
  family.sort(order);
  const rows = family.map(root => `<tr class="${root === block.root ? 'this' : ''}"><td>${link(root)}</td><td>${world.blocks.get(root).slot}</td>
    <td>${invalid(root) ? 'invalid' : weight(scene.weight(root))}</td><td>${isBoosted(root, world, scene) ? 'boost' : ''}</td>
    <td>${scene.main.has(root) ? 'won' : ''}</td></tr>`);
  const best = family.find(root => root !== block.root && !invalid(root)) ?? family.find(root => root !== block.root);
  const ours = scene.main.has(block.root), mine = scene.weight(block.root), theirs = scene.weight(best);
  const boosted = root => isBoosted(root, world, scene) ? ' with the boost of a timely proposal' : '';
  let why;
  if (invalid(block.root)) why = 'Lost: its payload is invalid, so neither it nor what builds on it counts.';
  else if (invalid(best) && ours) why = `Won: ${short(best)} has an invalid payload.`;
  else if (!scene.node?.weights.has(block.root) && !scene.node?.weights.has(best)) why = ours ? 'Won; this node does not tell weights.' : 'Lost; this node does not tell weights.';
  else if (mine === theirs) why = `Equal weights: the higher root wins, ${short(block.root > best ? block.root : best)}.`;
  else why = `${ours ? 'Won' : 'Lost'}: ${weight(mine)}${boosted(block.root)} against ${weight(theirs)}${boosted(best)} of ${short(best)}.`;
  if (!ours && mine > theirs && !invalid(block.root)) why += ' It is heavier and still not on the chain: its branch leads to no head that agrees with the justified checkpoint, or the node has not moved yet.';
  return `<div class="won"><p>${why}</p><table><thead><tr><th>sibling</th><th>slot</th><th>weight</th><th></th><th></th></tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

const ones = text => [...text.slice(2)].reduce((sum, digit) => sum + [0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4][parseInt(digit, 16)], 0);

// What a block holds: from the node's answer, or from the trace, which tells less.
function contents(block, body, scene) {
  if (body?.fault) return `<p class="warn">${escape(body.fault)}</p>`;
  try {
    if (body) return ofAnswer(body, scene);
    return block.votes ? facts(block.proposer, block.votes.map(([slot, count, head]) => ({ slot, count, head })), block.sync, [], block.slot, scene) : '';
  } catch {
    return '<p class="warn">the block that the node gave is not one of the Beacon API</p>';
  }
}

function ofAnswer({ message }, scene) {
  const inside = message.body, sync = inside.sync_aggregate?.sync_committee_bits;
  // A bit list ends with a bit that only marks its length.
  const votes = inside.attestations.map(vote => ({ slot: Number(vote.data.slot), head: vote.data.beacon_block_root, count: ones(vote.aggregation_bits) - 1 }));
  const names = ['deposits', 'voluntary_exits', 'attester_slashings', 'proposer_slashings', 'bls_to_execution_changes', 'blob_kzg_commitments'];
  const holds = names.filter(name => inside[name]?.length).map(name => `${inside[name].length} ${name.replaceAll('_', ' ')}`);
  const payload = inside.execution_payload, more = [];
  if (payload) more.push(['payload', `number ${escape(payload.block_number)}, ${payload.transactions?.length ?? '?'} transactions, <span class="mono">${escape(short(payload.block_hash))}</span>`]);
  if (holds.length) more.push(['holds', holds.join(', ')]);
  more.push(['graffiti', escape(graffiti(inside.graffiti))]);
  return facts(message.proposer_index, votes, sync && [ones(sync), (sync.length - 2) * 4], more, Number(message.slot), scene);
}

function facts(proposer, votes, sync, more, slot, scene) {
  const lines = votes.slice(0, 40).map(vote => `<tr><td>${escape(vote.slot)}</td><td>${escape(vote.count)}</td><td>${slot - vote.slot}</td>
    <td>${link(vote.head)}</td><td>${scene.main.has(vote.head) ? '' : 'other branch'}</td></tr>`);
  const count = votes.reduce((sum, vote) => sum + vote.count, 0);
  const rows = [['proposer', escape(proposer)], ...(sync ? [['sync votes', `${sync[0]} of ${sync[1]} (${Math.round(100 * sync[0] / sync[1])} %)`]] : []), ...more];
  return `<dl>${rows.map(([name, text]) => `<dt>${name}</dt><dd>${text}</dd>`).join('')}</dl>
    <h2>${votes.length} attestation${votes.length === 1 ? '' : 's'}, ${count} votes</h2>
    ${votes.length ? `<table><thead><tr><th>slot</th><th>votes</th><th>delay</th><th>for head</th><th></th></tr></thead><tbody>${lines.join('')}</tbody></table>` : ''}
    ${votes.length > 40 ? `<p>and ${votes.length - 40} more</p>` : ''}`;
}

function graffiti(hex) {
  const bytes = (hex ?? '0x').slice(2).match(/../g) ?? [];
  return bytes.map(byte => String.fromCharCode(parseInt(byte, 16))).join('').replace(/[^ -~]/g, '') || '–';
}

const legend = [
  ['chain', 'a block of the chosen node\'s chain; the filled part is its share of all votes'],
  ['fork', 'a block of another branch'], ['final', 'finalized'], ['justified', 'ring: the justified block'],
  ['boost', 'ring: boosted as the slot\'s timely proposal'], ['optimistic', 'dashes: no engine has executed its payload yet'],
  ['bad', 'crossed: its payload is invalid'], ['pick', 'ring: chosen'],
];

export const legendItems = () => legend.map(([colour, text]) => `<li><i class="dot${text.startsWith('ring') ? ' ring' : ''}" style="color:var(--${colour})"></i> ${text}</li>`).join('');
