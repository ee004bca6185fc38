// The picture: epochs as stripes, blocks, the votes below them, heads as flags.

const WIDTH = 26, HEIGHT = 18; // of a block at zoom 1, in pixels
const STEP_X = 44, STEP_Y = 62;
const ZOOM_MIN = .01, ZOOM_MAX = 3;

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
  stepY() { return STEP_Y * Math.max(this.zoom, .55); }
  toX(slot) { return (slot - this.x) * this.stepX(); }
  toY(lane) { return this.height / 2 + (lane - this.y) * this.stepY(); }

  zoomAt(px, factor) {
    const slot = this.x + px / this.stepX();
    this.zoom = Math.min(ZOOM_MAX, Math.max(ZOOM_MIN, this.zoom * factor));
    this.x = slot - px / this.stepX();
  }

  // Shows everything that is placed.
  fit(layout) {
    const first = layout.bySlot[0]?.slot ?? 0, last = layout.bySlot.at(-1)?.slot ?? 0;
    const room = this.width - 170; // for the names of the heads at the right
    const across = room / ((last - first + 2) * STEP_X), down = this.height / ((layout.bottom - layout.top + 3) * STEP_Y);
    this.zoom = Math.min(1.2, Math.max(ZOOM_MIN, Math.min(across, down)));
    this.x = (first + last) / 2 - .5 * (room + 60) / this.stepX();
    this.y = (layout.top + layout.bottom) / 2;
  }

  // Brings a block into the picture where it is not.
  reveal(place) {
    const x = this.toX(place.slot), y = this.toY(place.lane);
    if (x < 30 || x > this.width - 60) this.x = place.slot - .5 * this.width / this.stepX();
    if (y < 30 || y > this.height - 40) this.y = place.lane;
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
    this.edges(scene, places);
    if (this.zoom > .3) for (const place of places) this.block(scene, place);
    else this.far(scene, places);
    this.flags(scene);
  }

  stripes({ slotsPerEpoch, slotNow }) {
    const c = this.context, first = Math.floor(this.x / slotsPerEpoch), width = slotsPerEpoch * this.stepX();
    const every = width < 64 ? Math.ceil(64 / width) : 1;
    c.font = '11px system-ui, sans-serif';
    for (let epoch = Math.max(0, first); this.toX(epoch * slotsPerEpoch) < this.width; epoch++) {
      const x = this.toX((epoch - .5 / slotsPerEpoch) * slotsPerEpoch);
      if (epoch % 2) { c.fillStyle = this.color('stripe'); c.fillRect(x, 0, width, this.height); }
    }
    c.fillStyle = this.color('dim');
    c.textAlign = 'left';
    for (let epoch = Math.max(0, first); this.toX(epoch * slotsPerEpoch) < this.width; epoch++) {
      if (epoch % every === 0) c.fillText('epoch ' + epoch, this.toX((epoch - .5 / slotsPerEpoch) * slotsPerEpoch) + 4, 14);
    }
    if (slotNow !== null) {
      c.strokeStyle = this.color('dim');
      c.setLineDash([2, 4]);
      c.beginPath(); c.moveTo(this.toX(slotNow), 20); c.lineTo(this.toX(slotNow), this.height); c.stroke();
      c.setLineDash([]);
      c.textAlign = 'center';
      this.write('now', this.toX(slotNow), this.height - 8);
    }
  }

  // A text that can be read over lines.
  write(text, x, y) {
    const c = this.context, tone = c.fillStyle;
    c.strokeStyle = this.color('back'); c.lineWidth = 3; c.lineJoin = 'round';
    c.strokeText(text, x, y);
    c.fillStyle = tone;
    c.fillText(text, x, y);
  }

  edges({ layout, main }, places) {
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
        // From far away, blocks of one lane touch each other.
        if (this.zoom <= .3 && parent?.lane === place.lane && place.slot - parent.slot < 2) continue;
        if (parent && main.has(place.root) === onMain) line(place, parent);
      }
      c.strokeStyle = this.color(onMain ? 'chain' : 'fork');
      c.lineWidth = onMain ? 2.5 : 1.5;
      c.stroke();
    }
  }

  tone({ main, isFinal }, root, validity) {
    return validity === 'invalid' ? 'bad' : isFinal(root) ? 'final' : main.has(root) ? 'chain' : 'fork';
  }

  // Blocks from far away: bars as wide as their slots, so that gaps can be seen. A thousand of them are drawn many times
  // a second, so they are drawn colour by colour and without lines.
  far(scene, places) {
    const c = this.context, { node } = scene, w = Math.min(WIDTH * this.zoom, .75 * this.stepX()), width = Math.max(1, w), h = 11;
    const groups = { bad: [], final: [], chain: [], fork: [], optimistic: [] };
    for (const place of places) {
      const validity = node?.validity.get(place.root) ?? 'valid';
      groups[validity === 'optimistic' ? validity : this.tone(scene, place.root, validity)].push(place);
    }
    for (const [tone, group] of Object.entries(groups)) {
      c.fillStyle = this.color(tone);
      c.globalAlpha = .4;
      for (const place of group) c.fillRect(this.toX(place.slot) - width / 2, this.toY(place.lane) - h / 2, width, h);
      c.globalAlpha = 1;
      for (const place of group) {
        const level = h * scene.share(place.root);
        if (level > 0) c.fillRect(this.toX(place.slot) - width / 2, this.toY(place.lane) + h / 2 - level, width, level);
      }
    }
    for (const [root, name] of [[scene.justified, 'justified'], [node?.boost, 'boost'], [scene.selected, 'pick']]) {
      const place = scene.layout.places.get(root);
      if (place) this.ring(this.toX(place.slot), this.toY(place.lane), width + 4, h, name);
    }
  }

  block(scene, place) {
    const c = this.context, x = this.toX(place.slot), y = this.toY(place.lane), { root } = place;
    const scale = Math.min(1.4, this.zoom), w = WIDTH * scale, h = Math.max(9, HEIGHT * scale);
    const { node } = scene, validity = node?.validity.get(root) ?? 'valid';
    const unknown = node && !node.known.has(root) && !scene.main.has(root);
    const tone = this.tone(scene, root, validity);
    c.globalAlpha = unknown ? .45 : 1;
    c.beginPath();
    if (scale > .5) c.roundRect(x - w / 2, y - h / 2, w, h, 4 * scale); else c.rect(x - w / 2, y - h / 2, w, h);
    c.fillStyle = this.color('back');
    c.fill();
    // The share of all votes that stands behind the block fills it from below.
    const share = scene.share(root), level = h * share;
    if (share > 0) {
      c.fillStyle = this.color(tone); c.globalAlpha *= .85;
      // Corners are cut only where they can be seen.
      if (scale > .5) { c.save(); c.clip(); }
      c.fillRect(x - w / 2, y + h / 2 - level, w, level);
      if (scale > .5) c.restore();
      c.globalAlpha = unknown ? .45 : 1;
    }
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

  // A flag for each node over its head, one above the other, in the shape of its client.
  flags({ layout, shown, colorOf, nameOf, shapeOf, node }) {
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
      mark(c, shapeOf(seen.id), x, y);
      c.fillStyle = this.color(seen === node ? 'text' : 'dim');
      this.write(nameOf(seen.id), x + 8, y + 4);
    }
  }
}

// The sign of a client: round for the first, then square, diamond, triangle.
function mark(c, shape, x, y) {
  c.beginPath();
  if (shape === 1) c.rect(x - 4.5, y - 4.5, 9, 9);
  else if (shape === 2) { c.moveTo(x, y - 6); c.lineTo(x + 6, y); c.lineTo(x, y + 6); c.lineTo(x - 6, y); }
  else if (shape === 3) { c.moveTo(x, y - 5.5); c.lineTo(x + 5.5, y + 4.5); c.lineTo(x - 5.5, y + 4.5); }
  else c.arc(x, y, 5, 0, 7);
  c.fill();
}
