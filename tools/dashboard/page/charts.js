// Small pictures, drawn as elements; no text from outside is ever read as markup.

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'style') node.style.cssText = value; else if (value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter(child => child !== null && child !== undefined));
  return node;
}

function shape(tag, attributes, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// A line of the last values, from zero to the greatest, or to `max`.
export function spark(values, colour, max) {
  const [width, height] = [120, 30], top = Math.max(max ?? 0, ...values, 1e-9) * 1.08;
  const svg = shape('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', height: 30, 'aria-hidden': 'true' });
  if (values.length > 1) {
    // The line grows from the left until it fills the width, which a minute of it does.
    const x = index => index * width / Math.max(values.length - 1, 40);
    const points = values.map((value, index) => `${x(index).toFixed(1)},${(height - 1 - value / top * (height - 2)).toFixed(1)}`);
    svg.append(
      shape('polygon', { points: `${x(0).toFixed(1)},${height} ${points.join(' ')} ${x(values.length - 1).toFixed(1)},${height}`, fill: colour, opacity: .16 }),
      shape('polyline', { points: points.join(' '), fill: 'none', stroke: colour, 'stroke-width': 1.4, 'vector-effect': 'non-scaling-stroke' }),
    );
  }
  return svg;
}

// Epochs as bars from 0 to 100 %: the target as the bar, the head as its darker part. Two thirds, which finality needs, are a line.
export function epochBars(epochs, last) {
  const bars = epochs.slice(-12).map(votes => {
    const words = `epoch ${votes.epoch}: source ${percent(votes.source)}, target ${percent(votes.target)}, head ${percent(votes.head)}, of ${votes.active} validators`;
    const part = (share, more) => el('i', { style: `height:${100 * share}%;background:${tone(votes.target, .95, .667)};${more}` });
    return el('div', { title: words, class: votes.epoch === last ? 'grows' : undefined },
      el('span', {}, part(votes.target, 'opacity:.45'), part(votes.head, '')), el('small', {}, votes.epoch));
  });
  const newest = epochs.at(-1);
  const label = newest ? `Participation of epochs ${epochs.at(-bars.length).epoch} to ${newest.epoch}` : 'no epoch yet';
  return el('div', { class: 'epochs', role: 'img', 'aria-label': label }, bars.length ? bars : el('small', {}, 'no epoch yet'));
}

export const tone = (value, good, soso) => value >= good ? 'var(--good)' : value >= soso ? 'var(--soso)' : 'var(--bad)';
export const toneClass = (value, good, soso) => value >= good ? 'good' : value >= soso ? 'soso' : 'bad';
export const percent = value => value === undefined || value === null ? '–' : `${(100 * value).toFixed(value > .99995 || value === 0 ? 0 : 1)} %`;

export function bytes(count) {
  if (count === undefined || count === null) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) { count /= 1024; unit += 1; }
  return `${count.toFixed(count < 10 && unit > 0 ? 1 : 0)} ${units[unit]}`;
}

export const ms = value => value === undefined || value === null ? '–' : value >= 1000 ? `${(value / 1000).toFixed(1)} s` : `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;

// Parts of a whole, side by side, with their names below.
export function stack(parts) {
  const whole = parts.reduce((sum, part) => sum + part.value, 0);
  const bar = el('div', { class: 'stack' }, parts.map(part =>
    el('i', { style: `flex:${part.value || 0};background:${part.colour}`, title: `${part.name}: ${part.text ?? part.value}` })));
  const legend = el('div', { class: 'legend' }, parts.map(part =>
    el('span', {}, el('i', { style: `background:${part.colour}` }), `${part.name} ${part.text ?? part.value}`)));
  return whole > 0 ? [bar, legend] : [bar, el('div', { class: 'legend' }, 'none')];
}

// A square a slot.
export function strip(slots, first) {
  const known = new Map(slots.map(slot => [slot.slot, slot]));
  const cells = [];
  for (let slot = first; slot < first + 64; slot += 1) {
    const found = known.get(slot), sum = list => list.reduce((all, count) => all + count, 0);
    const due = found ? sum(found.due) : 0, done = found ? sum(found.done) : 0;
    const kind = !due ? '' : done >= due ? 'all' : done ? 'some' : 'none';
    const words = found ? `slot ${slot}: ${done} of ${due} duties done` : `slot ${slot}`;
    cells.push(el('i', { class: kind, title: words }));
  }
  return el('div', { class: 'strip', role: 'img', 'aria-label': 'Duties of the last slots' }, cells);
}
