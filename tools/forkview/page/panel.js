// The texts beside the picture: nodes, the chosen block, reorganizations.

const short = root => root ? root.slice(0, 10) : '–';
const escape = text => String(text).replace(/[&<>"]/g, sign => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign]);

export function showNodes(body, world, nodes, scene, choose) {
  const rows = nodes.map((node, number) => {
    const seen = world.nodes.get(node.id), head = world.blocks.get(seen?.head);
    const behind = scene.node && seen && head && !scene.main.has(head.root) ? ' title="on another branch than the chosen node"' : '';
    return `<tr data-id="${escape(node.id)}" aria-selected="${scene.node?.id === node.id}" class="${seen?.down ? 'down' : ''}">
      <td><i class="dot" style="background:${scene.colorOf(node.id)}"></i></td>
      <td title="${escape([node.client, node.url, node.why].filter(Boolean).join('\n'))}">${number < 9 ? number + 1 + ' ' : ''}${escape(node.name)}</td>
      <td class="mono${behind ? ' warn' : ''}"${behind}>${head ? head.slot : '–'} ${short(seen?.head)}</td>
      <td>${seen?.justified?.epoch ?? '–'}</td><td>${seen?.finalized?.epoch ?? '–'}</td></tr>`;
  });
  const html = rows.join('');
  if (body.last === html) return;
  body.last = html;
  body.innerHTML = html;
  for (const row of body.rows) row.onclick = () => choose(row.dataset.id);
}

export function showReorgs(list, world, nameOf, select) {
  const html = world.reorgs.slice(-50).reverse().map(reorg =>
    `<li data-root="${escape(reorg.to)}">slot ${reorg.slot}: ${escape(nameOf(reorg.node))} left ${short(reorg.from)}, ${reorg.depth} slots deep, for ${short(reorg.to)}</li>`).join('') || '<li>none seen</li>';
  if (list.last === html) return;
  list.last = html;
  list.innerHTML = html;
  for (const item of list.children) if (item.dataset.root) item.onclick = () => select(item.dataset.root);
}

// The chosen block: what it is, who knows it, and why it won or lost against its siblings.
export function showBlock(box, world, scene, nodes, body) {
  const block = world.blocks.get(scene.selected);
  if (!block) { box.innerHTML = '<h2>Block</h2>Choose one in the picture.'; box.last = ''; return; }
  const knows = nodes.filter(node => world.nodes.get(node.id)?.known.has(block.root)).map(node => escape(node.name));
  const html = `<h2>Block ${short(block.root)}</h2><dl>
    <dt>slot</dt><dd>${block.slot} (epoch ${Math.floor(block.slot / scene.slotsPerEpoch)})</dd>
    <dt>root</dt><dd class="mono">${block.root}</dd>
    <dt>parent</dt><dd class="mono">${escape(block.parent)}</dd>
    <dt>execution</dt><dd>${escape(scene.node?.validity.get(block.root) ?? 'valid')}</dd>
    <dt>weight</dt><dd>${weight(scene.weight(block.root))} (${Math.round(100 * scene.share(block.root))} % of the votes)
      <div class="bar"><i style="width:${100 * scene.share(block.root)}%"></i></div></dd>
    <dt>known to</dt><dd>${knows.length === nodes.length ? 'all' : knows.join(', ') || 'nobody now'}</dd>
    </dl>${siblings(block, world, scene)}${contents(body, scene)}`;
  if (box.last === html) return;
  box.last = html;
  box.innerHTML = html;
}

const weight = gwei => gwei >= 1e9 ? (gwei / 1e9).toLocaleString('en', { maximumFractionDigits: 0 }) + ' ETH' : gwei + ' Gwei';

function siblings(block, world, scene) {
  const rivals = (world.children.get(block.parent) ?? []).filter(root => root !== block.root);
  if (!rivals.length) return '';
  const best = rivals.reduce((a, b) => scene.weight(b) > scene.weight(a) ? b : a);
  const mine = scene.weight(block.root), theirs = scene.weight(best), ours = scene.main.has(block.root);
  const boosted = root => scene.node?.boost === root ? ', with the boost of a timely proposer' : '';
  const invalid = root => scene.node?.validity.get(root) === 'invalid';
  let why;
  if (invalid(block.root)) why = 'Lost: its payload is invalid.';
  else if (invalid(best) && ours) why = `Won: ${short(best)} has an invalid payload.`;
  else if (mine === theirs) why = `Equal weights: the higher root wins, ${short(block.root > best ? block.root : best)}.`;
  else why = `${ours ? 'Won' : 'Lost'}: ${weight(mine)}${boosted(block.root)} against ${weight(theirs)}${boosted(best)} of ${short(best)}.`;
  if (!ours && mine > theirs && !invalid(block.root)) why += ' It is heavier and still not on the chain: its branch does not agree with the justified checkpoint.';
  return `<p class="won">${why}</p>`;
}

function contents(body, scene) {
  if (!body) return '';
  if (body.fault) return `<p class="warn">${escape(body.fault)}</p>`;
  const { message } = body, inside = message.body, sync = inside.sync_aggregate?.sync_committee_bits;
  const bits = text => [...text.slice(2)].reduce((sum, digit) => sum + [0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4][parseInt(digit, 16)], 0);
  // A bit list ends with a bit that only marks its length.
  const votes = inside.attestations.map(vote => ({ slot: Number(vote.data.slot), index: vote.data.index, head: vote.data.beacon_block_root, count: bits(vote.aggregation_bits) - 1 }));
  const lines = votes.slice(0, 40).map(vote => `<tr><td>${vote.slot}</td><td>${vote.count}</td><td>${message.slot - vote.slot}</td><td class="mono">${short(vote.head)}</td></tr>`);
  const operations = ['deposits', 'voluntary_exits', 'attester_slashings', 'proposer_slashings', 'bls_to_execution_changes', 'blob_kzg_commitments']
    .filter(name => inside[name]?.length).map(name => `${inside[name].length} ${name.replaceAll('_', ' ')}`);
  const payload = inside.execution_payload;
  return `<dl><dt>proposer</dt><dd>${escape(message.proposer_index)}</dd>
    ${sync ? `<dt>sync votes</dt><dd>${bits(sync)} of ${(sync.length - 2) * 4}</dd>` : ''}
    ${payload ? `<dt>payload</dt><dd>number ${escape(payload.block_number)}, ${payload.transactions?.length ?? '?'} transactions, <span class="mono">${short(payload.block_hash)}</span></dd>` : ''}
    ${operations.length ? `<dt>holds</dt><dd>${operations.join(', ')}</dd>` : ''}
    <dt>graffiti</dt><dd>${escape(graffiti(inside.graffiti))}</dd></dl>
    <h2>${votes.length} attestations, ${votes.reduce((sum, vote) => sum + vote.count, 0)} votes</h2>
    <table><thead><tr><th>slot</th><th>votes</th><th>delay</th><th>for head</th></tr></thead><tbody>${lines.join('')}</tbody></table>`;
}

function graffiti(hex) {
  const bytes = (hex ?? '0x').slice(2).match(/../g) ?? [];
  return bytes.map(byte => String.fromCharCode(parseInt(byte, 16))).join('').replace(/[^ -~]/g, '') || '–';
}

export const legend = [
  ['chain', 'a block of the chosen node\'s chain; the filled part is its share of all votes'],
  ['fork', 'a block of another branch'], ['final', 'finalized'], ['justified', 'ring: the justified block'],
  ['boost', 'ring: boosted as the slot\'s timely proposal'], ['optimistic', 'dashes: no engine has executed its payload yet'],
  ['bad', 'crossed: its payload is invalid'], ['pick', 'ring: chosen'],
];
