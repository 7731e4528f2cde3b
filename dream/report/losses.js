
// ---- losses: a segment of a bar shows its questions in the list below

/** What became of a question with an arm: its outcome and, where known, the evidence's rank; or null. */
function outcomeOf(arm, place) {
  const found = report.losses[arm.id]?.[place];
  if (!found) return null;
  const [name, title] = report.outcomes[found[0]];
  return { name, title, rank: found[1] };
}

function outcomeWords({ name, title, rank }) {
  if (name === "right" || name === "not scored") return title.toLowerCase();
  if (name === "right without evidence") return "right without all of the evidence";
  const depth = name === "depth" ? (rank ? `: evidence at place ${rank}` : ": evidence beyond place 50") : "";
  return `lost in ${title.toLowerCase()}${depth}`;
}

function outcomeBadge(arm, place) {
  const found = outcomeOf(arm, place);
  return found && element("span", { class: `outcome ${found.name.replaceAll(" ", "-")}` }, outcomeWords(found));
}

function setUpLosses() {
  const buttons = [...document.querySelectorAll(".segments button")];
  for (const button of buttons) {
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      const arm = report.arms.find((one) => one.id === button.closest(".loss").dataset.arm);
      const pressed = button.getAttribute("aria-pressed") === "true";
      chooseLoss(pressed ? null : { arm, outcome: button.dataset.outcome, words: button.title });
    });
  }
  document.getElementById("loss-clear").addEventListener("click", () => chooseLoss(null));
}

/** Keep only the questions of one arm with one outcome in the list, or all again. */
function chooseLoss(chosen) {
  lossFilter = chosen;
  for (const button of document.querySelectorAll(".segments button")) {
    const mine = chosen && button.closest(".loss").dataset.arm === chosen.arm.id && button.dataset.outcome === chosen.outcome;
    button.setAttribute("aria-pressed", mine ? "true" : "false");
  }
  const box = document.getElementById("loss-filter");
  box.hidden = !chosen;
  box.querySelector("span").textContent = chosen ? `${chosen.arm.name} · ${chosen.words}` : "";
  const found = relist();
  if (!chosen) return;
  if (found.length) openQuestion(found[0], false);
  document.getElementById("questions").scrollIntoView();
  document.querySelector("#question-list button")?.focus({ preventScroll: true });
}

setUpLosses();
