// Writes numbers, times and the spec for people.

const NUMBERS = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function number(value) {
  return NUMBERS.format(value);
}

// Messages a second; `null`: not known yet.
export function rate(value) {
  if (value === null) return "–/s";
  return `${value > 0 && value < 10 ? value.toFixed(1) : NUMBERS.format(value)}/s`;
}

export function age(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

export function bytes(size) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  let shown = size;
  while (shown >= 1024 && unit < units.length - 1) {
    shown /= 1024;
    unit += 1;
  }
  return `${shown >= 10 || unit === 0 ? Math.round(shown) : shown.toFixed(1)} ${units[unit]}`;
}

// The value as YAML, as people write it: blocks for mappings, and one line for a list of scalars.
export function yaml(value, indent = "") {
  return Object.entries(value).map(([key, one]) => `${indent}${key}:${below(one, indent)}`).join("\n");
}

function below(value, indent) {
  if (Array.isArray(value)) {
    if (value.every((one) => one === null || typeof one !== "object")) return ` [${value.map(scalar).join(", ")}]`;
    return `\n${value.map((one) => `${indent}  - ${yaml(one, `${indent}    `).trimStart()}`).join("\n")}`;
  }
  if (value !== null && typeof value === "object") {
    return Object.keys(value).length ? `\n${yaml(value, `${indent}  `)}` : " {}";
  }
  return ` ${scalar(value)}`;
}

function scalar(value) {
  if (typeof value !== "string") return String(value);
  return /^[A-Za-z/_][\w./@-]*$/.test(value) && !/^(true|false|null|yes|no|on|off)$/i.test(value) ? value : JSON.stringify(value);
}
