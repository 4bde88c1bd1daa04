// The page works without this: it adds keys, and what changes while one looks.
"use strict";

// Keyboard: rows are elements with data-row, each gone to by its first link; the gate is #gate, or the first [data-gate]

const keys = document.getElementById("keys");
const places = { o: "/", b: "/backlog", n: "/new", s: "/stats" };
let isAfterG = false;

const isText = (one) => one.matches("textarea, select, input:not([type=radio], [type=checkbox], [type=hidden])");

function areKeysOn() {
  try {
    return localStorage.getItem("keys") !== "off";
  } catch {
    return true; // a browser that keeps nothing
  }
}

function move(step) {
  const links = [...document.querySelectorAll("[data-row]")].map((row) => row.querySelector("a[href]")).filter(Boolean);
  if (!links.length) return;
  const here = links.findIndex((link) => link.closest("[data-row]").contains(document.activeElement));
  const next = here < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(here + step, 0), links.length - 1);
  links[next].focus();
  links[next].scrollIntoView({ block: "nearest" });
}

function toGate() {
  const gate = document.getElementById("gate") || document.querySelector("[data-gate]");
  const part = gate?.querySelector(".gate") || gate; // of a row, not the link to its session
  const touchable = part?.querySelectorAll("a[href], button, textarea, input:not([type=hidden]), summary") || [];
  const target = [...touchable].find((one) => one.checkVisibility?.() ?? true) || part;
  if (!target) return;
  gate.scrollIntoView({ block: "start" });
  target.focus({ preventScroll: true });
}

function press(key) {
  if (isAfterG) {
    isAfterG = false;
    if (key in places) location.assign(places[key]);
    return true;
  }
  const acts = {
    "?": () => keys.showModal(),
    "/": () => document.getElementById("search").focus(),
    g: () => { isAfterG = true; },
    j: () => move(1),
    k: () => move(-1),
    a: toGate,
  };
  if (!(key in acts)) return false;
  acts[key]();
  return true;
}

if (keys) {
  const isOn = document.getElementById("keys-on");
  isOn.checked = areKeysOn();
  isOn.addEventListener("change", () => {
    try {
      localStorage.setItem("keys", isOn.checked ? "on" : "off");
    } catch {
      // as they were, at the next page
    }
  });
  const opener = document.querySelector("[data-keys]");
  opener.hidden = false;
  opener.addEventListener("click", () => keys.showModal());
  document.addEventListener("keydown", (event) => {
    const isTyping = isText(event.target);
    if (event.key === "Escape" && isTyping) event.target.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isTyping || keys.open || !isOn.checked) return;
    if (press(event.key)) event.preventDefault();
  });
}

// Live

// What has data-live and an id is put as the page would now show it. What is typed, chosen and opened stays, and so does
// the focus. One tab of the browser listens for all of them, and none while nobody looks: a browser has few connections.

const live = { fresh: null, stream: null, release: null, waits: null, busy: false, again: false, kept: false, later: 0, held: 0, said: [] };
const channel = "BroadcastChannel" in window ? new BroadcastChannel("samoloop") : null;
const address = document.querySelector("[data-address]")?.dataset.address; // of what followed a form, to ask for it again
const tag = (location.pathname.match(/^\/s\/([0-9a-f]+)\//) || [])[1];

function isTyped(one) {
  if (one.matches("[type=radio], [type=checkbox]")) return one.checked !== one.defaultChecked;
  if (!one.matches("select")) return one.value !== one.defaultValue;
  return one.selectedIndex !== Math.max([...one.options].findIndex((option) => option.defaultSelected), 0);
}

function keep(one) { // what a form that was refused holds counts as typed: the page as it is now has it no more
  const { value, checked } = one;
  if (isText(one)) one.defaultValue = "";
  one.value = value;
  one.checked = checked;
}

function isInUse(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return false;
  const controls = [...node.querySelectorAll("input:not([type=hidden]), textarea, select")];
  return controls.some((one) => isTyped(one) || (one === document.activeElement && isText(one)));
}

function keyOf(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.id || null : null;
}

function isSameKind(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && keyOf(one) === keyOf(other);
}

function put(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if ((old.dataset.still || "") !== (fresh.dataset.still || "")) {
    // Nobody decides on what came in the place of what they were reading: that stays, until they load the page again.
    if (old.dataset.still) {
      old.classList.add("stale");
      live.kept = true;
    } else old.replaceWith(document.importNode(fresh, true));
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(name === "open" && old.matches("details, dialog"))) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !(name === "open" && old.matches("details"))) old.setAttribute(name, value);
  }
  if (old.dataset.say !== undefined && old.textContent.trim() !== fresh.textContent.trim()) {
    live.said.push([old.dataset.say, fresh.textContent.trim().replace(/\s+/g, " ")].filter(Boolean).join(": "));
  }
  putChildren(old, fresh);
}

function putChildren(old, fresh) {
  const known = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  const wanted = new Set([...fresh.children].map((child) => child.id).filter(Boolean));
  let place = old.firstChild;
  const drop = (node) => {
    const next = node.nextSibling;
    if (node.id && live.fresh.getElementById(node.id)) return next; // it stands elsewhere now, and is moved there
    if (isInUse(node)) live.kept = true; // somebody types in it: it stays until the page is loaded again
    else node.remove();
    return next;
  };
  for (const child of [...fresh.childNodes]) {
    const same = child.id && (known.get(child.id) || document.getElementById(child.id));
    if (same && isSameKind(same, child) && !same.contains(old)) {
      if (same === place) place = place.nextSibling;
      else old.insertBefore(same, place);
      put(same, child);
      continue;
    }
    while (place && !isSameKind(place, child) && !(place.id && wanted.has(place.id)) && !child.id) place = drop(place);
    if (place && !child.id && isSameKind(place, child)) {
      const next = place.nextSibling;
      put(place, child);
      place = next;
    } else {
      old.insertBefore(document.importNode(child, true), place);
    }
  }
  while (place) place = drop(place);
}

function swap(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const focus = document.activeElement;
  live.said = [];
  live.kept = false;
  live.fresh = fresh;
  document.title = fresh.title;
  for (const part of document.querySelectorAll("[data-live][id]")) {
    if (part.parentElement.closest("[data-live][id]")) continue;
    const found = fresh.getElementById(part.id);
    if (found) put(part, found);
  }
  if (focus && focus !== document.activeElement && focus.isConnected) focus.focus({ preventScroll: true });
  if (live.kept) live.said.push("This changed while you were writing. What you wrote is kept; load the page again to see the rest.");
  if (live.said.length) {
    const more = live.said.length - 3;
    document.getElementById("said").textContent = [...live.said.slice(0, 3), ...(more > 0 ? [`and ${more} more`] : [])].join(". ");
  }
}

async function renew() {
  if (live.held < 10 && matchMedia("(hover: hover)").matches && document.querySelector(".quick form:hover")) {
    live.held += 1; // a list does not move under a finger that is about to press
    clearTimeout(live.later);
    live.later = setTimeout(renew, 500);
    return;
  }
  live.held = 0;
  if (live.busy) {
    live.again = true;
    return;
  }
  live.busy = true;
  try {
    const answer = await fetch(address || location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (answer.ok) swap(await answer.text());
    else if (answer.status === 404 && !isInUse(document.body)) { // it says what became of it
      if (address) location.assign(address);
      else location.reload();
    }
  } catch {
    // the page was closed; the stream says when it is there again
  }
  live.busy = false;
  if (live.again) {
    live.again = false;
    renew();
  }
}

function hear(what) {
  const names = what.split(" ");
  if (document.hidden || (tag && !names.includes("*") && !names.includes(tag))) return;
  renew();
}

function listen() {
  live.stream = new EventSource("/live");
  live.stream.addEventListener("open", () => document.body.classList.remove("away"));
  live.stream.addEventListener("changed", (event) => {
    channel?.postMessage(event.data);
    hear(event.data);
  });
  live.stream.addEventListener("error", () => {
    document.body.classList.add("away");
    if (live.stream?.readyState !== EventSource.CLOSED) return; // else it comes again by itself
    hush();
    setTimeout(attend, 10000);
  });
}

function hush() {
  live.stream?.close();
  live.stream = null;
  live.release?.();
  live.release = null;
}

function attend() {
  if (document.hidden || live.stream || live.waits) return;
  if (!navigator.locks || !channel) {
    listen(); // an address that browsers do not hold to be safe: a stream for each tab that is looked at
    return;
  }
  live.waits = new AbortController();
  navigator.locks
    .request("samoloop", { signal: live.waits.signal }, () => {
      live.waits = null;
      listen();
      return new Promise((release) => { live.release = release; });
    })
    .catch(() => {}); // hidden meanwhile
}

if (document.querySelector("[data-live][id]") && "EventSource" in window) {
  const said = document.createElement("p");
  said.id = "said";
  said.className = "unseen";
  said.setAttribute("role", "status");
  document.body.append(said);
  channel?.addEventListener("message", (event) => hear(event.data));
  for (const one of document.querySelectorAll("[data-address] textarea, [data-address] input:not([type=hidden])")) keep(one);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      live.waits?.abort();
      live.waits = null;
      hush();
    } else {
      renew();
      attend();
    }
  });
  window.addEventListener("pagehide", hush);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) {
      renew();
      attend();
    }
  });
  attend();
  setInterval(() => {
    const now = Date.now();
    for (const one of document.querySelectorAll("time[data-age]")) {
      const seconds = Math.max((now - Date.parse(one.dateTime)) / 1000, 0);
      const minutes = Math.floor(seconds / 60);
      const hours = Math.floor(minutes / 60);
      one.textContent = hours >= 24 ? `${Math.floor(hours / 24)}d` : hours ? `${hours}h` : minutes ? `${minutes}m` : `${Math.floor(seconds)}s`;
    }
  }, 15000);
}
