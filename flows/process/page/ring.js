// Draws the ring: the way of the messages from RabbitMQ through the steps and back.
// What it shows came in messages in part, so it sets text only.

const SVG = "http://www.w3.org/2000/svg";

// Boxes: x, y, width, height. Arrows: the path, then where the rate stands, and its alignment.
const WIDE = {
  size: [900, 316],
  boxes: {
    sink: [490, 4, 160, 68],
    source: [4, 122, 160, 68], aggregate: [247, 122, 160, 68],
    write: [490, 122, 160, 68], acknowledge: [733, 122, 160, 68],
    queue: [4, 244, 590, 68], letters: [773, 244, 120, 68],
  },
  arrows: {
    received: ["M84 244V192", 92, 222, "start"],
    grouped: ["M164 156H245", 205, 148, "middle"],
    written: ["M407 156H488", 448, 148, "middle"],
    sent: ["M570 122V74", 578, 103, "start"],
    answered: ["M650 156H731", 691, 148, "middle"],
    acknowledged: ["M750 190V278H596", 673, 270, "middle"],
    parked: ["M833 190V242", 841, 222, "start"],
  },
};
const NARROW = {
  size: [340, 478],
  boxes: {
    sink: [185, 6, 145, 68],
    aggregate: [10, 126, 145, 68], write: [185, 126, 145, 68],
    source: [10, 262, 145, 68], acknowledge: [185, 262, 145, 68],
    queue: [10, 402, 180, 68], letters: [210, 402, 120, 68],
  },
  arrows: {
    received: ["M50 402V332", 58, 372, "start"],
    grouped: ["M80 262V196", 88, 234, "start"],
    written: ["M155 160H183", 170, 116, "middle"],
    sent: ["M258 126V76", 266, 106, "start"],
    answered: ["M258 194V260", 266, 232, "start"],
    acknowledged: ["M205 330V362H150V400", 178, 354, "middle"],
    parked: ["M270 330V400", 278, 372, "start"],
  },
};
const TITLES = {
  queue: "RabbitMQ", source: "Source", aggregate: "Aggregate", write: "Write",
  sink: "Elasticsearch", acknowledge: "Acknowledge", letters: "Dead letters",
};
const LIMITED = {
  broker: "queue", pause: "source", prefetch: "source", memory: "source",
  reject_limit: "letters", sink: "sink",
};

function add(parent, name, attributes = {}, text = null) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  parent.append(made);
  return made;
}

export class Ring {
  constructor(svg) {
    this.svg = svg;
    this.shown = null;
    this.narrow = matchMedia("(max-width: 700px)");
    this.narrow.addEventListener("change", () => { this.draw(); this.fill(); });
    this.draw();
  }

  draw() {
    const layout = this.narrow.matches ? NARROW : WIDE;
    this.boxes = {};
    this.arrows = {};
    this.svg.replaceChildren();
    this.svg.setAttribute("viewBox", `0 0 ${layout.size.join(" ")}`);
    const head = { id: "head", viewBox: "0 0 8 8", refX: 7, refY: 4, markerUnits: "userSpaceOnUse", markerWidth: 10, markerHeight: 10, orient: "auto" };
    add(add(add(this.svg, "defs"), "marker", head), "path", { d: "M0 0L8 4L0 8z" });
    for (const [name, [path, x, y, anchor]] of Object.entries(layout.arrows)) {
      const line = add(this.svg, "path", { d: path, "marker-end": "url(#head)" });
      const rate = add(this.svg, "text", { x, y, class: "rate", "text-anchor": anchor });
      this.arrows[name] = { line, rate };
    }
    for (const [name, [x, y, width, height]] of Object.entries(layout.boxes)) {
      const group = add(this.svg, "g");
      add(group, "rect", { x, y, width, height, rx: 8 });
      add(group, "text", { x: x + 12, y: y + 22, class: "title" }, TITLES[name]);
      const lines = [42, 59].map((down) => add(group, "text", { x: x + 12, y: y + down }));
      this.boxes[name] = { group, lines };
    }
  }

  // `lines`: two texts by box; `rates`: texts by arrow; `moving`: arrows with messages on them;
  // `bad`: boxes where something is wrong; `limit`: what limits the job; `text`: all in words.
  show(shown) {
    this.shown = shown;
    this.fill();
  }

  fill() {
    if (this.shown === null) return;
    const { lines, rates, moving, bad, limit, text } = this.shown;
    for (const [name, box] of Object.entries(this.boxes)) {
      box.lines.forEach((line, number) => { line.textContent = lines[name]?.[number] ?? ""; });
      box.group.setAttribute("class", bad.has(name) ? "bad" : LIMITED[limit] === name ? "limit" : "");
    }
    for (const [name, arrow] of Object.entries(this.arrows)) {
      arrow.rate.textContent = rates[name] ?? "";
      arrow.line.setAttribute("class", moving.has(name) ? "moves" : "");
    }
    this.svg.setAttribute("aria-label", text);
  }
}
