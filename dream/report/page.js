"use strict";
// All texts of documents, models and studies enter the page through element() and shape(), as text only.

const report = JSON.parse(document.getElementById("data").textContent);

/** An HTML element with attributes (null ones left out) and children, strings as text. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** An SVG element with attributes and, if given, text. */
function shape(tag, attributes = {}, text = null) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== null) made.textContent = text;
  return made;
}

/** A name that may be broken behind its underscores. */
function breakable(name) {
  return name.split(/(?<=_)/).flatMap((part, i) => (i ? [element("wbr"), part] : [part]));
}

function scoreText(value) {
  if (value === null || value === undefined) return "–";
  return Math.abs(value) < 10 ? value.toFixed(3) : value.toFixed(1);
}

/** Place of a value between two ends, from 0 to 1; 1 where the ends are the same. */
function between(value, low, high) {
  return high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 1;
}

function percent(share) {
  return `${(100 * share).toFixed(1)}%`;
}

/** Smallest and largest of the values that are there, or null where none is. */
function extent(values) {
  const there = values.filter((value) => value !== null && value !== undefined);
  return there.length ? [Math.min(...there), Math.max(...there)] : null;
}

function meanOf(arm, metric) {
  const summary = arm.metrics[metric];
  return arm.error || !summary ? null : summary[0];
}

// ---- light and dark

function setUpTheme() {
  const button = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  // a page opened from a file or in a sandbox may not remember
  const remembered = (() => { try { return localStorage.getItem("dream-theme"); } catch { return null; } })();
  if (remembered === "light" || remembered === "dark") root.dataset.theme = remembered;
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const name = () => { button.textContent = dark() ? "Light" : "Dark"; };
  button.setAttribute("aria-label", "Switch between light and dark");
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("dream-theme", root.dataset.theme); } catch { /* as above */ }
    name();
  });
  system.addEventListener("change", name);
  name();
}

// ---- leaderboard

function setUpSorting() {
  const table = document.querySelector(".board");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const first = button.hasAttribute("data-down") ? "descending" : "ascending";
      const order = before ? (before === "ascending" ? "descending" : "ascending") : first;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      body.append(...[...body.rows].sort((one, two) => compareRows(one, two, column, order === "ascending" ? 1 : -1)));
    });
  });
}

/** Failed arms last, then rows without a value, whichever way the column is sorted. */
function compareRows(one, two, column, way) {
  const failed = one.classList.contains("failed") - two.classList.contains("failed");
  if (failed) return failed;
  if (one.classList.contains("failed")) return 0;
  const [a, b] = [one, two].map((row) => row.cells[column].dataset.sort);
  if (a === "" || b === "") return (a === "") - (b === "");
  const [x, y] = [Number(a), Number(b)];
  return way * (Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y);
}

setUpTheme();
setUpSorting();
