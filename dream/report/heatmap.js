
// ---- heat map: method × LLM · embedding

function setUpHeatmap() {
  const choice = document.getElementById("heatmap-metric");
  const metrics = [report.objective, ...report.metrics.filter((metric) => metric !== report.objective)];
  choice.append(...metrics.map((metric) => element("option", { value: metric }, metric)));
  choice.addEventListener("change", () => drawHeatmap(choice.value));
  drawHeatmap(choice.value);
}

function drawHeatmap(metric) {
  const table = document.getElementById("heatmap-table");
  // the arms come in the leaderboard's order; rows and columns keep to names, so that they stay put
  const methods = [...new Set(report.arms.map((arm) => arm.method))].sort();
  const pairs = [...new Set(report.arms.map((arm) => JSON.stringify([arm.llm, arm.embedding])))].sort();
  const cells = methods.map((method) => pairs.map((pair) => heatCell(metric, method, ...JSON.parse(pair))));
  const ends = extent(cells.flat().map((cell) => cell.mean)) ?? [0, 1];
  const head = element("tr", {}, element("td"), ...pairs.map((pair) => {
    const [llm, embedding] = JSON.parse(pair);
    return element("th", { scope: "col" }, llm, element("small", {}, embedding));
  }));
  const rows = methods.map((method, row) => element("tr", {},
    element("th", { scope: "row" }, ...breakable(method)), ...cells[row].map((cell) => heatBox(cell, ends))));
  table.replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
}

/** The mean over the arms of a cell, of those that have one. */
function heatCell(metric, method, llm, embedding) {
  const arms = report.arms.filter((arm) => arm.method === method && arm.llm === llm && arm.embedding === embedding);
  const means = arms.map((arm) => meanOf(arm, metric)).filter((mean) => mean !== null);
  const mean = means.length ? means.reduce((sum, value) => sum + value, 0) / means.length : null;
  return { mean, arms: arms.length, scored: means.length, failed: arms.filter((arm) => arm.error).length };
}

function heatBox(cell, [low, high]) {
  if (cell.mean === null) {
    const text = cell.failed ? "failed" : "–";
    return element("td", { class: "none", title: cell.arms ? "no score" : "no such arm in the search" }, text);
  }
  const box = element("td", { class: "filled" }, scoreText(cell.mean));
  box.style.setProperty("--share", percent(between(cell.mean, low, high)));
  if (cell.arms > 1) {
    box.append(element("small", {}, cell.scored < cell.arms ? `${cell.scored} of ${cell.arms} arms` : `${cell.arms} arms`));
  }
  return box;
}

setUpHeatmap();
