// Shows the snapshots of /events. What came in messages becomes text, never HTML.

import { Ring } from "./ring.js";
import { Sparklines } from "./sparklines.js";
import { age, bytes, number, rate, yaml } from "./words.js";

const $ = (id) => document.getElementById(id);
const SILENT_AFTER = 5000; // Milliseconds without a snapshot, after which the page says so.
const ASK_AGAIN = 5000; // Milliseconds until the next attempt, when the browser makes none.

const ring = new Ring($("ring"));
const sparklines = new Sparklines($("sparklines"), {
  received: "Received", stored: "Stored", dead: "Dead letters", retried: "Retries",
  waiting: "In the queue", flight: "In flight", groups: "Open groups", cores: "CPU",
});
const LIMITS = {
  drain: "the drain", pause: "the pause", reject_limit: "the limit on rejections",
  state: "the disk of the state", sink: "Elasticsearch", cpu: "CPU", memory: "memory",
  prefetch: "prefetch", broker: "the broker", nothing: "nothing",
};
let before = null;
let shownTexts = {};

function element(tag, name, ...children) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...children); // a string becomes a text node
  return made;
}

// Changes a part of the page only if it differs, so that focus and selection stay.
function replace(id, content, make) {
  const key = JSON.stringify(content);
  if (shownTexts[id] === key) return;
  shownTexts[id] = key;
  $(id).replaceChildren(...make(content));
}

function say(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function sum(numbers) {
  return Object.values(numbers).reduce((one, other) => one + other, 0);
}

// Counters, of which two snapshots make a rate.
function counters(status) {
  const { messages, groups, sink } = status;
  return {
    received: messages.received,
    grouped: groups.entered,
    written: sink.entered,
    answered: sink.left,
    stored: messages.stored,
    parked: messages.parked + messages.left_to_broker,
    acknowledged: messages.stored + messages.kept + messages.dropped + messages.parked
      + messages.left_to_broker,
    retried: sum(status.retries),
  };
}

function ratesOf(status) {
  const now = counters(status);
  const seconds = before === null ? 0 : status.at - before.at;
  const rates = {};
  for (const [name, count] of Object.entries(now)) {
    const more = seconds > 0 ? count - before.counters[name] : -1;
    rates[name] = more < 0 ? null : more / seconds;
  }
  before = { at: status.at, counters: now };
  return rates;
}

function showVerdict(status) {
  const { health, paused, draining, limit } = status;
  const problems = health.reasons.length;
  let state = problems ? `Not healthy: ${problems} reason${problems > 1 ? "s" : ""}` : "Healthy";
  if (!problems && draining !== null) state = "Drains";
  else if (!problems && paused) state = "Paused";
  else if (!problems && !health.ready) state = "Not ready";
  say("state", state);
  $("state").className = problems ? "bad" : state === "Healthy" ? "good" : "";
  say("limit-by", LIMITS[limit.by] ?? limit.by);
  say("limit-why", `— ${limit.why}`);
  document.title = `${status.job}: ${state} · Hopper`;
  const found = [
    ...health.reasons.map((one) => ({ ...one, className: "reason" })),
    ...health.warnings.map((one) => ({ ...one, className: "warning" })),
  ];
  replace("symptoms", found, (symptoms) => symptoms.map((one) => element(
    "li", one.className,
    element("h3", "", `${one.className === "reason" ? "Problem" : "Warning"}: ${one.kind.replaceAll("_", " ")}`),
    element("p", "", one.cause, one.since === null ? "" : ` (since ${one.since})`),
    element("p", "", element("b", "", "The messages: "), one.data),
    element("p", "", element("b", "", "What helps: "), one.remedy),
    element("p", "", element("b", "", "More: "), one.runbook),
  )));
}

function showRing(status, rates) {
  const { messages, groups, sink, queues, consumers, limit } = status;
  const prefetch = sum(Object.fromEntries(Object.entries(consumers).map(([name, one]) => [name, one.prefetch])));
  const away = Object.values(consumers).some((one) => !one.connected);
  const names = Object.keys(queues);
  const answers = !sink.answers ? "does not answer" : sink.refusal ? "refuses documents" : "answers";
  const dead = messages.parked + messages.left_to_broker;
  const bad = new Set([...(away ? ["queue"] : []), ...(answers === "answers" ? [] : ["sink"])]);
  const shown = {};
  for (const [name, value] of Object.entries(rates)) shown[name] = rate(value);
  delete shown.stored;
  delete shown.retried;
  shown.sent = `${number(sink.in_flight)} in flight`;
  ring.show({
    lines: {
      queue: [away ? "not connected" : `${number(sum(queues))} wait`, names.length > 1 ? `${names.length} queues` : names[0] ?? ""],
      source: [`${number(messages.unacknowledged)} in flight`, `prefetch ${number(prefetch)}`],
      aggregate: [`${number(groups.open)} open groups`, `${number(groups.members)} messages`],
      write: [`${number(sink.documents)} documents`, sum(status.retries) ? `${number(sum(status.retries))} retries` : "no retry"],
      sink: [answers, `${number(sink.concurrency)} requests at most`],
      acknowledge: [`${number(messages.stored)} stored`, `oldest ${age(status.oldest_unacknowledged_seconds)}`],
      letters: [`${number(dead)} so far`],
    },
    rates: shown,
    moving: new Set(Object.keys(rates).filter((name) => rates[name] > 0).concat(sink.in_flight ? ["sent"] : [])),
    bad,
    limit: limit.by,
    text: `RabbitMQ has ${number(sum(queues))} waiting messages and delivers ${rate(rates.received)}. `
      + `${number(messages.unacknowledged)} messages are in flight, ${number(groups.members)} of them in `
      + `${number(groups.open)} open groups, and ${number(sink.documents)} documents are being written. `
      + `Elasticsearch ${answers}. ${rate(rates.stored)} are stored, ${rate(rates.parked)} are dead letters.`,
  });
}

function showHistory(status, rates) {
  const { at, messages, groups, queues, cpu } = status;
  const waiting = sum(queues);
  for (const name of ["received", "stored", "retried"]) sparklines.add(name, at, rates[name], rate(rates[name]));
  sparklines.add("dead", at, rates.parked, rate(rates.parked));
  sparklines.add("waiting", at, waiting, number(waiting));
  sparklines.add("flight", at, messages.unacknowledged, number(messages.unacknowledged));
  sparklines.add("groups", at, groups.open, number(groups.open));
  const cores = cpu.cores === null ? null : 100 * cpu.cores;
  sparklines.add("cores", at, cores, cores === null ? "–" : `${Math.round(cores)} %`);
}

function none(text, columns) {
  const cell = element("td", "", text);
  cell.colSpan = columns;
  return [element("tr", "", cell)];
}

function showTables(status) {
  replace("oldest-groups", [status.groups.open, status.groups.oldest], ([open, oldest]) => oldest.length
    ? oldest.map((one) => element("tr", "",
      element("td", "", one.key ?? "(no key)"),
      element("td", "number", age(one.seconds)),
      element("td", "number", number(one.members))))
    : none(open ? "Their ages follow." : "No group is open.", 3));
  const { by_kind: kinds, latest } = status.dead_letters;
  const counts = Object.entries(kinds).map(([kind, count]) => `${kind} ${number(count)}`);
  say("kinds", counts.length ? `By kind: ${counts.join(", ")}` : "");
  replace("latest-letters", latest, (letters) => letters.length
    ? letters.map((one) => element("tr", "",
      element("td", "time", one.at),
      element("td", "", one.reason, ...(one.body === null ? [] : [element("code", "", one.body)])),
      element("td", "", one.consumer),
      element("td", "number", number(one.messages))))
    : none("There is none since the start of this process.", 4));
  replace("consumers", status.consumers, (consumers) => Object.entries(consumers).map(([name, one]) => element("tr", "",
    element("td", "", name),
    element("td", "", one.connected ? "yes" : "no"),
    element("td", "number", number(one.held)),
    element("td", "number", number(one.prefetch)),
    element("td", "number", `${bytes(one.bytes)} of ${bytes(one.memory)}`))));
}

function showSetting(status) {
  say("job", status.job);
  say("process", status.process);
  say("version", `Hopper ${status.version}`);
  say("spec", yaml(status.spec));
  $("processes").hidden = status.processes.length === 0;
  replace("processes", status.processes, (processes) => [element("ul", "", ...processes.map((one) => {
    const host = one.host || location.hostname;
    const link = element("a", "", `${host}:${one.port}`);
    link.href = `${location.protocol}//${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${one.port}/`;
    if (!one.host && String(one.port) === location.port) link.setAttribute("aria-current", "page");
    return element("li", "", link);
  }))]);
}

function show(status) {
  if (before !== null && status.at === before.at) return; // a new stream may repeat the last one
  const rates = ratesOf(status);
  showSetting(status);
  showVerdict(status);
  showRing(status, rates);
  showHistory(status, rates);
  showTables(status);
}

let silent = 0;

function heard() {
  clearTimeout(silent);
  silent = setTimeout(lost, SILENT_AFTER);
  document.body.classList.remove("stale");
  say("connection", "Live");
}

function lost() {
  document.body.classList.add("stale");
  say("connection", "No answer from the job: these numbers are old. The page tries again.");
}

function connect() {
  const events = new EventSource("events");
  events.addEventListener("message", (event) => {
    heard();
    show(JSON.parse(event.data));
  });
  events.addEventListener("error", () => {
    lost();
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, ASK_AGAIN);
  });
}

connect();
