// Keeps a page true while its office changes; the only script that knows sockets. A module, after the page's own.
// Reads body data-office data-revision, [data-url] data-on data-every, [data-strip], [data-needs-live].
// Tells the document motcua:change, snapshot, pulse, offline, online {silentFor}, and a fragment motcua:fragment.

const SILENCE = 4500; // 5 s are promised from the last pulse to the strip
const TOO_LONG = 4000; // for one answer

const { office, revision } = document.body.dataset;
let held = revision ? Number(revision) : null;
let heardAt = clock(); // when the page was last known to be true
let silent = false; // nothing heard for too long
let stale = false; // silent, or a fragment cannot be fetched

let socket = null;
let joined = false; // this socket answered a follow
let retryAt = 0; // the next socket; or the end of one that does not join
let tries = 0;
let refused = 0; // failed sockets in a row while plain HTTP worked
let following = 0; // id of the follow not answered yet
let asked = 0;
let early = []; // changes that came before its answer
let pollAt = heardAt + 1000;

const parts = new WeakMap();

// performance.now() may stand still while a laptop sleeps, and Date.now() may jump back.
function clock() {
  const lead = Date.now() - performance.now();
  if (lead - clock.lead > 1000) clock.slept = (clock.slept ?? 0) + lead - clock.lead;
  clock.lead = lead;
  return performance.now() + (clock.slept ?? 0);
}

function tell(name, detail, target = document) {
  target.dispatchEvent(new CustomEvent(`motcua:${name}`, { detail, bubbles: true }));
}

function tick() {
  const now = clock();
  if (office) {
    if (!silent && now - heardAt > SILENCE) {
      silent = true;
      tell("offline");
    }
    if (socket && (joined ? silent : now >= retryAt)) lose(); // a swallowed connection sends no end
    if (!socket && now >= retryAt) connect();
    if (!joined && now >= pollAt) poll(now);
  } else heardAt = now;
  for (const element of fragments()) tend(element, partOf(element), now);
  show();
}

// As much of Engine.IO 4 and Socket.IO 5 as one namespace and one question need.
function connect() {
  const ws = new WebSocket(`${location.origin.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
  socket = ws;
  retryAt = clock() + 10000;
  ws.onmessage = ({ data }) => {
    tick(); // after a sleep, what waited in the line is not news
    if (ws === socket) receive(data);
  };
  ws.onclose = () => ws === socket && lose();
}

function receive(frame) {
  if (frame === "2") return socket.send("3");
  if (frame[0] === "0") return socket.send("40/live,");
  const [, type, id, json] = /^4(\d)\/live,?(\d*)(.*)$/s.exec(frame) ?? [];
  if (type === "0") follow(held);
  if (type === "1" || type === "4") lose();
  if (type === "3" && Number(id) === following) answered(JSON.parse(json)[0]);
  if (type !== "2") return;
  const [name, data] = JSON.parse(json);
  if (data.office !== office) return;
  if (name === "change") apply(data);
  if (name === "pulse") tell("pulse", data);
  if (name === "pulse" && !following) {
    if (data.revision === held) heardAt = clock();
    else follow(held); // higher: a change was missed; lower: the server was restored from a backup
  }
}

function follow(revision) {
  following = ++asked;
  socket.send(`42/live,${asked}${JSON.stringify(["follow", { office, revision }])}`);
}

function answered(answer) {
  if (!answer?.ok) return lose();
  following = tries = refused = 0;
  joined = true;
  recover(clock());
  if (answer.snapshot) adopt(answer.snapshot);
  else {
    answer.events?.forEach(apply);
    if (!following && held !== answer.revision) follow(null);
  }
  early.splice(0).forEach(apply);
  if (!following) heardAt = clock();
}

function apply(event) {
  if (following) return early.push(event);
  if (event.revision <= held) return;
  if (event.revision > held + 1) return follow(held);
  held = event.revision;
  tell("change", event);
  changed(event.kind);
  heardAt = clock();
}

function adopt(snapshot) {
  held = snapshot.revision;
  tell("snapshot", snapshot);
  changed();
}

// After a socket that worked, jitter begins at its widest: every screen sees a restart at once.
function lose() {
  const ws = socket;
  socket = null;
  ws.close();
  const now = clock();
  if (joined) pollAt = now + jitter(0);
  tries = joined ? 5 : tries + 1;
  refused = joined || silent ? 0 : refused + 1;
  joined = false;
  following = 0;
  early = [];
  retryAt = now + (refused > 2 ? 30000 + jitter(5) : jitter(tries));
}

function jitter(n) {
  return Math.random() * Math.min(30000, 1000 * 2 ** n);
}

// Without a socket: the same truth every 2 s. Polls overlap, so a swallowed one delays nothing.
async function poll(sent) {
  pollAt = sent + 1500 + Math.random() * 500;
  const headers = { "If-None-Match": `"${held}"` };
  const signal = AbortSignal.timeout?.(TOO_LONG);
  try {
    const response = await fetch(`/api/v1/offices/${office}/state`, { headers, cache: "no-store", signal });
    const snapshot = response.status === 200 ? await response.json() : null;
    if ((!snapshot && response.status !== 304) || joined || sent < heardAt) return;
    if (silent && !socket) retryAt = clock() + jitter((tries = 5));
    recover(sent);
    if (snapshot && snapshot.revision !== held) adopt(snapshot);
    heardAt = sent;
    show();
  } catch {}
}

// Told before what was missed, so that the page knows how old that is.
function recover(at) {
  if (!silent) return;
  silent = false;
  tell("online", { silentFor: (at - heardAt) / 1000 });
}

function fragments() {
  return [...document.querySelectorAll("[data-url]")];
}

function partOf(element) {
  if (!parts.has(element)) parts.set(element, { marks: 0, since: null, notBefore: 0, dueAt: due(element) });
  return parts.get(element);
}

function due(element) {
  const every = (element.querySelector("[data-every]") ?? element).dataset.every;
  return every ? clock() + every * (800 + Math.random() * 400) : Infinity;
}

function changed(kind) {
  for (const element of fragments()) {
    const kinds = element.dataset.on?.split(" ");
    if (!kind || !kinds || kinds.includes(kind)) mark(partOf(element));
  }
  setTimeout(tick); // once for all events of this moment
}

function mark(part) {
  part.marks += 1;
  part.since ??= heardAt;
}

function tend(element, part, now) {
  if (now >= part.dueAt) {
    part.dueAt = Infinity;
    mark(part);
  }
  if (part.controller) {
    if (silent || now - part.startedAt > TOO_LONG) part.controller.abort();
  } else if (part.since !== null && !silent) {
    if (inUse(element)) part.since = now;
    else if (now >= part.notBefore) refresh(element, part, now);
  }
}

// A field with the focus, or a button between press and click, must not be taken away.
function inUse(element) {
  return element.querySelector(":active, input:focus, select:focus, textarea:focus");
}

async function refresh(element, part, now) {
  const { marks, etag } = part;
  part.startedAt = now;
  part.notBefore = now + 1000;
  part.controller = new AbortController();
  try {
    const response = await fetch(element.dataset.url, {
      headers: etag ? { "If-None-Match": etag } : {},
      cache: "no-store",
      redirect: "manual",
      signal: part.controller.signal,
    });
    if (response.status === 200) {
      const html = await response.text();
      if (inUse(element)) return;
      replace(element, html);
      part.etag = response.headers.get("ETag");
    } else if (response.status !== 304) {
      // Logged out, revoked, gone: the page itself says it best, but must not reload for ever.
      if ([0, 401, 403, 404, 410].includes(response.status) && performance.now() > 10000) location.reload();
      throw new Error(response.status);
    }
    part.since = part.marks === marks ? null : now;
  } catch {
    part.notBefore = clock() + (silent ? 0 : 2000);
  } finally {
    part.controller = null;
    part.dueAt = due(element);
    show();
  }
}

function replace(element, html) {
  const focus = element.querySelector(":focus")?.id;
  const unfolded = [...element.querySelectorAll("details[open][id]")].map(({ id }) => id);
  element.innerHTML = html;
  for (const id of unfolded) document.getElementById(id)?.setAttribute("open", ""); // a menu stays open under the finger
  document.getElementById(focus)?.focus({ preventScroll: true });
  paint();
  tell("fragment", null, element);
}

function show() {
  const now = clock();
  const late = fragments().some((element) => now - (partOf(element).since ?? now) > SILENCE);
  if (stale === (silent || late)) return;
  stale = !stale;
  paint();
}

function paint() {
  document.documentElement.dataset.live = stale ? "off" : "on";
  for (const strip of document.querySelectorAll("[data-strip]")) strip.hidden = !stale;
  for (const button of document.querySelectorAll("[data-needs-live]")) {
    if (stale && !button.disabled) button.dataset.liveOff = "";
    if ("liveOff" in button.dataset) button.disabled = stale;
    if (!stale) delete button.dataset.liveOff;
  }
}

// This machine's own line or lid is back: nobody else hurries with it.
function hurry() {
  if (!joined && !document.hidden) {
    pollAt = 0;
    retryAt = Math.min(retryAt, clock() + jitter(0));
  }
  tick();
}

addEventListener("online", hurry);
document.addEventListener("visibilitychange", hurry);

window.motcua = Object.freeze({ get revision() { return held; } });
paint();
setInterval(tick, 250);
tick();
