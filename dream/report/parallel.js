
// ---- parallel coordinates: one line per arm over method, models, searched knobs and metrics

const TICK_FONT = "12px system-ui, sans-serif";
const PLOT = { top: 14, height: 320, foot: 34, nameLine: 15, brushHalf: 13 };
const ranges = new Map(); // axis key -> [low, high], the brushed part of a numeric axis
const pen = document.createElement("canvas").getContext("2d");

function textWidth(text, bold = false) {
  pen.font = (bold ? "600 " : "") + TICK_FONT;
  return pen.measureText(text).width;
}

function parallelAxes() {
  const knobs = [...new Set(report.arms.flatMap((arm) => Object.keys(arm.knobs)))];
  const metrics = [...report.metrics.filter((metric) => metric !== report.objective), report.objective];
  return [
    makeAxis("method", "method", (arm) => arm.method),
    makeAxis("llm", "LLM", (arm) => arm.llm),
    makeAxis("embedding", "embedding", (arm) => arm.embedding),
    ...knobs.map((knob) => makeAxis(`knob:${knob}`, knob, (arm) => arm.knobs[knob] ?? null)),
    ...metrics.map((metric) => makeAxis(`metric:${metric}`, metric, (arm) => meanOf(arm, metric), true)),
  ];
}

/** An axis of numbers or of categories, with where a value stands on it, from 0 at the foot to 1. */
function makeAxis(key, name, value, isMetric = false) {
  const values = report.arms.map(value).filter((one) => one !== null);
  const numeric = isMetric || (values.length > 0 && values.every((one) => typeof one === "number"));
  const axis = { key, name, value, numeric, lines: nameLines(name) };
  if (numeric) {
    const [low, high] = extent(values) ?? [0, 1];
    const step = niceStep((high - low || Math.abs(high) || 1) / 4);
    const from = Math.floor(low / step + 1e-9) * step;
    const to = Math.max(Math.ceil(high / step - 1e-9) * step, from + step);
    axis.ends = [from, to];
    axis.ticks = Array.from({ length: Math.round((to - from) / step) + 1 }, (_, i) => from + i * step);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    axis.text = (one) => one.toFixed(digits);
    axis.place = (one) => between(one, from, to);
  } else {
    axis.ticks = [...new Set(values)].sort();
    axis.text = String;
    axis.place = (one) => 1 - (axis.ticks.indexOf(one) + 0.5) / axis.ticks.length;
  }
  axis.tickWidth = Math.max(0, ...axis.ticks.map((tick) => textWidth(axis.text(tick))));
  axis.nameWidth = Math.max(...axis.lines.map((line) => textWidth(line, true)));
  return axis;
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
}

/** A long name over several lines, broken behind its underscores. */
function nameLines(name) {
  const lines = [];
  for (const part of name.split(/(?<=_)/)) {
    const last = lines.length - 1;
    if (last >= 0 && (lines[last] + part).length <= 12) lines[last] += part;
    else lines.push(part);
  }
  return lines;
}

function drawParallel() {
  const box = document.getElementById("parallel-box");
  const axes = parallelAxes();
  const nameRows = Math.max(...axes.map((axis) => axis.lines.length));
  const top = PLOT.top + nameRows * PLOT.nameLine + 12;
  const width = placeAxes(axes, box.clientWidth);
  const height = top + PLOT.height + PLOT.foot;
  const picture = shape("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group",
    "aria-label": "Parallel coordinates: one line per arm" });
  const y = (share) => top + (1 - share) * PLOT.height;
  const none = y(0) + 20;

  const lines = shape("g"), labels = shape("g"), frames = shape("g"), hits = shape("g"), brushes = shape("g");
  for (const axis of axes) {
    frames.append(shape("line", { class: "axis-line", x1: axis.x, x2: axis.x, y1: y(1), y2: y(0) }));
    labels.append(...axisLabels(axis, top, y, none));
  }
  const colours = extent(report.arms.map((arm) => meanOf(arm, report.objective)));
  // the best arm's line is drawn last, on top of the others
  const drawn = [...report.arms].reverse().map((arm) => {
    const d = armPath(arm, axes, y, none);
    const mean = meanOf(arm, report.objective);
    const line = shape("path", { d, class: mean === null ? "arm-line without" : "arm-line", "data-arm": arm.id });
    if (mean !== null) line.style.setProperty("--share", percent(between(mean, ...colours)));
    const hit = shape("path", { d, class: "arm-hit", tabindex: -1, role: "img", "aria-label": armWords(arm) });
    lines.append(line);
    hits.append(hit);
    return { arm, line, hit };
  }).reverse();
  for (const axis of axes.filter((one) => one.numeric)) brushes.append(...axisBrush(axis, axes, y, drawn));
  // the labels' outline keeps them readable over the lines
  picture.append(frames, lines, labels, hits, brushes);
  box.replaceChildren(picture);
  setUpPointing(picture, drawn);
  applyRanges(axes, drawn, y);
  document.getElementById("parallel-clear").onclick = () => { ranges.clear(); applyRanges(axes, drawn, y); };
}

/** Give each axis its x so that no name or tick is cut or covers a neighbour's; returns the width needed. */
function placeAxes(axes, room) {
  const left = Math.max(28, axes[0].nameWidth / 2 + 14);
  const last = axes[axes.length - 1];
  const right = Math.max(last.nameWidth / 2, last.tickWidth + 10) + 14;
  const gaps = axes.slice(1).map((axis, i) => Math.max(
    axes[i].nameWidth / 2 + axis.nameWidth / 2 + 14, axes[i].tickWidth + 30, 64));
  const needed = left + right + gaps.reduce((sum, gap) => sum + gap, 0);
  const spare = Math.max(0, room - needed) / Math.max(1, gaps.length);
  axes.forEach((axis, i) => { axis.x = i ? axes[i - 1].x + gaps[i - 1] + spare : left; });
  return Math.max(room, Math.ceil(needed));
}

function axisLabels(axis, top, y, none) {
  const made = [];
  axis.lines.forEach((line, i) => made.push(shape("text", { class: "axis-name", x: axis.x,
    y: top - 14 - (axis.lines.length - 1 - i) * PLOT.nameLine }, line)));
  for (const tick of axis.ticks) {
    const at = y(axis.place(tick));
    if (axis.numeric) made.push(shape("line", { class: "tick", x1: axis.x, x2: axis.x + 5, y1: at, y2: at }));
    made.push(shape("text", { class: axis.numeric ? "tick-name" : "tick-name category", x: axis.x + 9, y: at + 4 },
      axis.text(tick)));
  }
  if (report.arms.some((arm) => axis.value(arm) === null)) {
    made.push(shape("text", { class: "tick-name", x: axis.x + 9, y: none + 4 }, "none"));
  }
  return made;
}

/** A smooth line over all axes; arms of one category run side by side, so that each can be pointed at. */
function armPath(arm, axes, y, none) {
  const points = axes.map((axis) => {
    const value = axis.value(arm);
    if (value === null) return [axis.x, none];
    if (axis.numeric) return [axis.x, y(axis.place(value))];
    const same = report.arms.filter((other) => axis.value(other) === value);
    const step = Math.min(9, (0.7 * PLOT.height) / axis.ticks.length / same.length);
    return [axis.x, y(axis.place(value)) + (same.indexOf(arm) - (same.length - 1) / 2) * step];
  });
  return points.map(([x, at], i) => {
    if (!i) return `M${x.toFixed(1)},${at.toFixed(1)}`;
    const [before, from] = points[i - 1];
    const bend = (x - before) * 0.4;
    return `C${(before + bend).toFixed(1)},${from.toFixed(1)} ${(x - bend).toFixed(1)},${at.toFixed(1)} ${x.toFixed(1)},${at.toFixed(1)}`;
  }).join("");
}

function armWords(arm) {
  if (arm.error) return `${arm.name}: failed: ${arm.error}`;
  const [mean, low, high] = arm.metrics[report.objective] ?? [null, null, null];
  const interval = low === null ? "" : ` (95 % interval ${scoreText(low)} to ${scoreText(high)})`;
  return `${arm.name}: ${report.objective} ${scoreText(mean)}${interval}${arm.offline ? ", offline" : ""}`;
}

/** Naming an arm by pointer, touch or arrow keys. */
function setUpPointing(picture, drawn) {
  const readout = document.getElementById("parallel-readout");
  const point = (chosen) => {
    picture.classList.toggle("pointing", chosen !== null);
    for (const one of drawn) one.line.classList.toggle("active", one === chosen);
    if (chosen) readout.textContent = armWords(chosen.arm);
    else tellKept(drawn);
  };
  drawn.forEach((one, i) => {
    one.hit.tabIndex = i ? -1 : 0;
    one.hit.addEventListener("pointerenter", () => point(one));
    one.hit.addEventListener("pointerleave", () => point(null));
    one.hit.addEventListener("focus", () => point(one));
    one.hit.addEventListener("blur", () => point(null));
    one.hit.addEventListener("keydown", (event) => {
      const way = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
      if (!way) return;
      event.preventDefault();
      const next = drawn[(i + way + drawn.length) % drawn.length];
      drawn.forEach((other) => { other.hit.tabIndex = other === next ? 0 : -1; });
      next.hit.focus();
    });
  });
}

function axisBrush(axis, axes, y, drawn) {
  const [low, high] = axis.ends;
  const half = PLOT.brushHalf;
  const area = shape("rect", { class: "brush-area", x: axis.x - half, width: 2 * half, y: y(1) - 6, height: y(0) - y(1) + 12,
    tabindex: 0, role: "slider", "aria-orientation": "vertical", "aria-label": `Range of ${axis.name}`,
    "aria-valuemin": low, "aria-valuemax": high, "data-axis": axis.key });
  axis.area = area;
  axis.brush = shape("rect", { class: "brush", x: axis.x - half + 4, width: 2 * half - 8, y: 0, height: 0, rx: 2 });
  const set = (range) => {
    if (range && range[1] > range[0]) ranges.set(axis.key, range);
    else ranges.delete(axis.key);
    applyRanges(axes, drawn, y);
  };
  let from = null;
  const valueAt = (event) => {
    const frame = area.getBoundingClientRect();
    return high - between(event.clientY - frame.top - 6, 0, y(0) - y(1)) * (high - low);
  };
  area.addEventListener("pointerdown", (event) => {
    area.setPointerCapture(event.pointerId);
    from = { value: valueAt(event), y: event.clientY };
  });
  area.addEventListener("pointermove", (event) => {
    if (from && Math.abs(event.clientY - from.y) > 3) set([from.value, valueAt(event)].sort((a, b) => a - b));
  });
  area.addEventListener("pointerup", (event) => {
    if (from && Math.abs(event.clientY - from.y) <= 3) set(null);
    from = null;
  });
  area.addEventListener("pointercancel", () => { from = null; });
  area.addEventListener("keydown", (event) => {
    const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (event.key === "Escape") return set(null);
    if (!way) return undefined;
    event.preventDefault();
    const range = [...(ranges.get(axis.key) ?? [low, high])];
    const end = event.shiftKey ? 1 : 0;
    range[end] = Math.min(high, Math.max(low, range[end] + way * (high - low) / 20));
    if (range[1] <= range[0]) return undefined;
    return set(range[0] <= low && range[1] >= high ? null : range);
  });
  return [axis.brush, area];
}

function applyRanges(axes, drawn, y) {
  const brushed = axes.filter((axis) => ranges.has(axis.key));
  for (const one of drawn) {
    one.inside = brushed.every((axis) => {
      const value = axis.value(one.arm);
      const [low, high] = ranges.get(axis.key);
      return value !== null && value >= low && value <= high;
    });
    one.line.classList.toggle("outside", !one.inside);
    one.hit.style.pointerEvents = one.inside ? "" : "none";
  }
  for (const axis of axes.filter((one) => one.numeric)) {
    const range = ranges.get(axis.key);
    const [low, high] = range ?? axis.ends;
    axis.brush.setAttribute("y", range ? y(axis.place(high)) : 0);
    axis.brush.setAttribute("height", range ? y(axis.place(low)) - y(axis.place(high)) : 0);
    axis.area.setAttribute("aria-valuenow", low);
    axis.area.setAttribute("aria-valuetext", range ? `${scoreText(low)} to ${scoreText(high)}` : "everything");
  }
  document.getElementById("parallel-clear").disabled = !ranges.size;
  tellKept(drawn);
}

function tellKept(drawn) {
  const kept = drawn.filter((one) => one.inside);
  const names = kept.length && kept.length <= 3 ? `: ${kept.map((one) => one.arm.name).join("; ")}` : "";
  document.getElementById("parallel-readout").textContent = ranges.size
    ? `${kept.length} of ${drawn.length} arms are within the ranges${names}` : `${drawn.length} arms`;
}

function setUpParallel() {
  const box = document.getElementById("parallel-box");
  const ends = extent(report.arms.map((arm) => meanOf(arm, report.objective)));
  document.getElementById("legend-low").textContent = ends ? `${report.objective} ${scoreText(ends[0])}` : "";
  document.getElementById("legend-high").textContent = ends ? scoreText(ends[1]) : "";
  if (!report.arms.length) return;
  let width = null;
  new ResizeObserver(() => {
    if (box.clientWidth !== width) drawParallel();
    width = box.clientWidth;
  }).observe(box);
}

setUpParallel();
