// The picture: epochs as stripes, blocks, the votes below them, heads as flags.

const WIDTH = 26, HEIGHT = 18; // of a block at zoom 1, in pixels
const STEP_X = 44, STEP_Y = 62;

export class Picture {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d');
    this.zoom = 1;
    this.x = 0; // slot at the left edge
    this.y = 0; // lane in the middle
    this.colors();
  }

  colors() {
    const style = getComputedStyle(document.documentElement);
    this.color = name => this.cache[name] ??= style.getPropertyValue('--' + name).trim();
    this.cache = {};
  }

  resize() {
    const box = this.canvas.getBoundingClientRect(), ratio = devicePixelRatio || 1;
    this.width = box.width;
    this.height = box.height;
    this.canvas.width = Math.round(box.width * ratio);
    this.canvas.height = Math.round(box.height * ratio);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  stepX() { return STEP_X * this.zoom; }
  stepY() { return STEP_Y * Math.max(this.zoom, .35); }
  toX(slot) { return (slot - this.x) * this.stepX(); }
  toY(lane) { return this.height / 2 + (lane - this.y) * this.stepY(); }

  zoomAt(px, factor) {
    const slot = this.x + px / this.stepX();
    this.zoom = Math.min(3, Math.max(.04, this.zoom * factor));
    this.x = slot - px / this.stepX();
  }

  // Keeps a slot at four fifths of the width.
  follow(slot) { this.x = slot - .8 * this.width / this.stepX(); this.y = 0; }

  // The block at a point, if there is one.
  hit(layout, px, py) {
    const slot = this.x + px / this.stepX(), reach = Math.max(.6, 8 / this.stepX());
    let best = null, distance = 14;
    for (const place of layout.between(slot - reach, slot + reach)) {
      const d = Math.hypot(this.toX(place.slot) - px, this.toY(place.lane) - py);
      if (d < distance) { best = place; distance = d; }
    }
    return best?.root ?? null;
  }

  draw(scene) {
    const { context: c } = this;
    c.fillStyle = this.color('back');
    c.fillRect(0, 0, this.width, this.height);
    this.stripes(scene);
    const from = this.x - 2, to = this.x + this.width / this.stepX() + 2;
    const places = scene.layout.between(from, to);
    this.edges(scene, places, to);
    for (const place of places) this.block(scene, place);
    this.flags(scene);
  }

  stripes({ slotsPerEpoch, slotNow }) {
    const c = this.context, first = Math.floor(this.x / slotsPerEpoch), width = slotsPerEpoch * this.stepX();
    const every = width < 40 ? Math.ceil(40 / width) : 1;
    c.font = '11px system-ui, sans-serif';
    for (let epoch = Math.max(0, first); this.toX(epoch * slotsPerEpoch) < this.width; epoch++) {
      const x = this.toX((epoch - .5 / slotsPerEpoch) * slotsPerEpoch);
      if (epoch % 2) { c.fillStyle = this.color('stripe'); c.fillRect(x, 0, width, this.height); }
      if (epoch % every) continue;
      c.fillStyle = this.color('dim');
      c.textAlign = 'left';
      c.fillText('epoch ' + epoch, x + 4, 14);
    }
    if (slotNow !== null) {
      c.strokeStyle = this.color('dim');
      c.setLineDash([2, 4]);
      c.beginPath(); c.moveTo(this.toX(slotNow), 20); c.lineTo(this.toX(slotNow), this.height); c.stroke();
      c.setLineDash([]);
    }
  }

  edges({ layout, main }, places, to) {
    const c = this.context;
    const line = (place, parent) => {
      const [x0, y0, x1, y1] = [this.toX(parent.slot), this.toY(parent.lane), this.toX(place.slot), this.toY(place.lane)];
      c.moveTo(x0, y0);
      if (y0 === y1) c.lineTo(x1, y1); else c.bezierCurveTo(x0 + .5 * this.stepX(), y1, x0 + .5 * this.stepX(), y1, x1, y1);
    };
    for (const onMain of [false, true]) {
      c.beginPath();
      for (const place of places) {
        const parent = layout.places.get(place.parent);
        if (parent && main.has(place.root) === onMain) line(place, parent);
      }
      c.strokeStyle = this.color(onMain ? 'chain' : 'fork');
      c.lineWidth = onMain ? 2.5 : 1.5;
      c.stroke();
    }
  }

  block(scene, place) {
    const c = this.context, x = this.toX(place.slot), y = this.toY(place.lane), { root } = place;
    const scale = Math.min(1.4, Math.max(.25, this.zoom)), w = WIDTH * scale, h = HEIGHT * scale;
    const { node } = scene, validity = node?.validity.get(root) ?? 'valid';
    const unknown = node && !node.known.has(root);
    const tone = validity === 'invalid' ? 'bad' : scene.isFinal(root) ? 'final' : scene.main.has(root) ? 'chain' : 'fork';
    c.globalAlpha = unknown ? .45 : 1;
    c.beginPath();
    c.roundRect(x - w / 2, y - h / 2, w, h, 4 * scale);
    c.fillStyle = this.color('back');
    c.fill();
    // The share of all votes that stands behind the block fills it from below.
    const share = scene.share(root);
    c.save(); c.clip();
    c.fillStyle = this.color(tone); c.globalAlpha *= .85;
    c.fillRect(x - w / 2, y + h / 2 - h * share, w, h * share);
    c.restore();
    c.strokeStyle = this.color(tone);
    c.lineWidth = 1.5;
    if (validity === 'optimistic') { c.strokeStyle = this.color('optimistic'); c.setLineDash([3, 2]); }
    c.stroke();
    c.setLineDash([]);
    if (scene.justified === root) this.ring(x, y, w, h, 'justified');
    if (node?.boost === root) this.ring(x, y, w, h, 'boost');
    if (scene.selected === root) this.ring(x, y, w + 5, h + 5, 'pick');
    if (validity === 'invalid') this.cross(x, y, w, h);
    if (this.zoom > .75) {
      c.fillStyle = this.color('text');
      c.font = '10px ui-monospace, monospace';
      c.textAlign = 'center';
      c.fillText(root.slice(2, 6), x, y + h / 2 + 11);
      c.fillStyle = this.color('dim');
      c.fillText(place.slot, x, y + h / 2 + 22);
    }
    c.globalAlpha = 1;
  }

  ring(x, y, w, h, name) {
    const c = this.context;
    c.strokeStyle = this.color(name);
    c.lineWidth = 2.5;
    c.beginPath(); c.roundRect(x - w / 2 - 4, y - h / 2 - 4, w + 8, h + 8, 6); c.stroke();
  }

  cross(x, y, w, h) {
    const c = this.context;
    c.strokeStyle = this.color('bad');
    c.lineWidth = 2;
    c.beginPath();
    c.moveTo(x - w / 2, y - h / 2); c.lineTo(x + w / 2, y + h / 2);
    c.moveTo(x + w / 2, y - h / 2); c.lineTo(x - w / 2, y + h / 2);
    c.stroke();
  }

  // A flag for each node over its head, one above the other.
  flags({ layout, shown, colorOf, nameOf, node }) {
    const c = this.context, stacked = new Map();
    c.font = '11px system-ui, sans-serif';
    c.textAlign = 'left';
    for (const seen of shown) {
      const place = layout.places.get(seen.head);
      if (!place) continue;
      const level = stacked.get(seen.head) ?? 0;
      stacked.set(seen.head, level + 1);
      // Below a lower lane, so that flags do not lie on the chain above it.
      const side = place.lane > 0 ? 1 : -1, room = side > 0 && this.zoom > .75 ? 44 : 22;
      const x = this.toX(place.slot), y = this.toY(place.lane) + side * (room + 14 * level);
      c.fillStyle = colorOf(seen.id);
      c.beginPath(); c.arc(x, y, 4.5, 0, 7); c.fill();
      c.fillStyle = this.color(seen === node ? 'text' : 'dim');
      c.fillText(nameOf(seen.id), x + 8, y + 4);
    }
  }
}
