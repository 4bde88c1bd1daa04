// The page works without this: it adds keys, and what changes while one looks.
"use strict";

// Keyboard: rows are elements with data-row, each gone to by its first link; the gate is #gate, or the first [data-gate]

const keys = document.getElementById("keys");
const places = { o: "/", b: "/backlog", n: "/new", s: "/stats" };
let isAfterG = false;

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
  const target = gate && (gate.querySelector("a[href], button, textarea, input:not([type=hidden]), summary") || gate);
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
    const where = event.target;
    const isTyping = where.matches?.("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]");
    if (event.key === "Escape" && isTyping) where.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isTyping || keys.open || !isOn.checked) return;
    if (press(event.key)) event.preventDefault();
  });
}

// Live
