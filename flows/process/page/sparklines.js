// Draws the last ten minutes of some numbers, one line each.

const SVG = "http://www.w3.org/2000/svg";
const SECONDS = 600;
const GAP = 5; // Seconds without a snapshot, which break the line.
const WIDTH = 300;
const HEIGHT = 40;

export class Sparklines {
  // `names`: what is drawn, by key.
  constructor(place, names) {
    this.lines = {};
    for (const [key, name] of Object.entries(names)) {
      const figure = document.createElement("figure");
      const caption = document.createElement("figcaption");
      const label = document.createElement("span");
      const value = document.createElement("strong");
      const svg = document.createElementNS(SVG, "svg");
      const path = document.createElementNS(SVG, "path");
      label.textContent = name;
      svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", `${name}: no numbers yet`);
      svg.setAttribute("viewBox", `0 -1 ${WIDTH} ${HEIGHT + 2}`);
      svg.setAttribute("preserveAspectRatio", "none");
      svg.append(path);
      caption.append(label, value);
      figure.append(caption, svg);
      place.append(figure);
      this.lines[key] = { name, value, svg, path, points: [] };
    }
  }

  // Adds a number at a time in seconds; `null`: there is none yet. `text`: the number for people.
  add(key, at, number, text) {
    const line = this.lines[key];
    line.value.textContent = text;
    if (number === null) return;
    line.points.push([at, number]);
    while (line.points[0][0] < at - SECONDS) line.points.shift();
    const numbers = line.points.map((point) => point[1]);
    const most = Math.max(...numbers);
    line.path.setAttribute("d", drawn(line.points, at, most));
    const between = `from ${Math.round(Math.min(...numbers))} to ${Math.round(most)}`;
    line.svg.setAttribute("aria-label", `${line.name}: ${text} now, ${between} since the page was opened`);
  }
}

function drawn(points, now, most) {
  let before = -Infinity;
  return points.map(([at, number]) => {
    const x = WIDTH * (1 - (now - at) / SECONDS);
    const y = most > 0 ? HEIGHT * (1 - number / most) : HEIGHT;
    const step = at - before > GAP ? "M" : "L";
    before = at;
    return `${step}${x.toFixed(1)} ${y.toFixed(1)}`;
  }).join("");
}
