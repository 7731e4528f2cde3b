
// ---- questions: a list to choose from, and all that every arm did with the chosen one

const objectivePlace = report.metrics.indexOf(report.objective);
const asked = report.questions.map((question, place) => {
  const values = report.arms.map((arm) => arm.rows[place]?.[3][objectivePlace]?.[0] ?? null).filter((one) => one !== null);
  const mean = values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
  return { question, place, values, mean, spread: values.length ? Math.max(...values) - Math.min(...values) : null };
});
const dotsEnd = Math.max(1, ...asked.flatMap((one) => one.values));

function setUpQuestions() {
  const [text, kind, order] = ["text", "kind", "order"].map((name) => document.getElementById(`question-${name}`));
  const kinds = [...new Set(report.questions.map((question) => question.kind))].sort();
  kind.append(...kinds.map((one) => element("option", { value: one }, one)));
  for (const control of [text, kind, order]) control.addEventListener("input", relist);
  relist();
  const first = linkedQuestion() ?? asked[0];
  if (first) openQuestion(first, false);
}

/** The question that the address names, or null. */
function linkedQuestion() {
  try {
    const id = decodeURIComponent(location.hash.slice(1));
    return asked.find((one) => `question=${one.question.id}` === id) ?? null;
  } catch { return null; }
}

// the arm and outcome that a segment of the losses chose, or null
let lossFilter = null;

/** Show the questions that fit the controls and the chosen loss; gives them back. */
function relist() {
  const [text, kind, order] = ["text", "kind", "order"].map((name) => document.getElementById(`question-${name}`).value);
  const words = text.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const found = asked.filter(({ question, place }) => {
    if (lossFilter && outcomeOf(lossFilter.arm, place)?.name !== lossFilter.outcome) return false;
    const held = `${question.id} ${question.question} ${question.reference}`.toLocaleLowerCase();
    return (!kind || question.kind === kind) && words.every((word) => held.includes(word));
  });
  const key = { given: (one) => one.place, spread: (one) => -(one.spread ?? -1),
    low: (one) => one.mean ?? Infinity, high: (one) => -(one.mean ?? -Infinity) }[order];
  found.sort((one, two) => key(one) - key(two) || one.place - two.place);
  document.getElementById("question-count").textContent = `${found.length} of ${asked.length} questions`;
  document.getElementById("question-list").replaceChildren(...found.map(questionItem));
  markCurrent();
  return found;
}

function questionItem(one) {
  const dots = element("span", { class: "dots", "aria-hidden": "true" });
  for (const value of one.values) {
    const dot = element("i");
    dot.style.left = percent(between(value, 0, dotsEnd));
    dots.append(dot);
  }
  const button = element("button", { type: "button", "data-question": one.question.id },
    element("span", { class: "question-line" }, one.question.question),
    element("span", { class: "question-meta" }, element("span", { class: "kind" }, one.question.kind),
      element("span", {}, one.mean === null ? "no score" : `mean ${scoreText(one.mean)}`), dots));
  button.addEventListener("click", () => openQuestion(one, true));
  return element("li", {}, button);
}

let current = null;

function markCurrent() {
  for (const button of document.querySelectorAll("#question-list button")) {
    if (button.dataset.question === current?.question.id) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

function openQuestion(one, byHand) {
  current = one;
  markCurrent();
  const { question } = one;
  const detail = document.getElementById("question-detail");
  const about = [question.kind, question.id, question.origin && `from ${question.origin}`].filter(Boolean).join(" · ");
  detail.replaceChildren(...[
    element("h3", {}, question.question),
    element("p", { class: "source" }, about),
    question.answerable ? null : element("p", { class: "error" }, "The corpus holds no answer to this question."),
    element("h4", {}, "Reference answer"),
    element("p", { class: "answer" }, question.reference || "–"),
    element("h4", {}, "Evidence"),
    ...evidencePieces(question),
    element("h4", {}, lossFilter ? "Arms, the chosen one first" : "Arms, in the leaderboard’s order"),
    ...report.arms.map((arm, rank) => [arm, rank]).sort(([a], [b]) => (b === lossFilter?.arm) - (a === lossFilter?.arm))
      .map(([arm, rank]) => armAnswer(arm, rank, one)),
  ].filter((part) => part !== null));
  if (!byHand) return;
  try { history.replaceState(null, "", `#question=${encodeURIComponent(question.id)}`); } catch { /* a sandbox has no address */ }
  // on a phone the detail stands below the list
  if (window.matchMedia("(max-width: 900px)").matches || detail.getBoundingClientRect().top < 0) detail.scrollIntoView();
  detail.focus({ preventScroll: true });
}

function evidencePieces(question) {
  if (!question.evidence.length) {
    return [element("p", { class: "muted" }, question.answerable ? "Not known where it stands." : "There is none.")];
  }
  return question.evidence.map(({ text, place }) => {
    const source = place ? [place[0], place[3], `characters ${place[1]} to ${place[2]}`].filter(Boolean).join(" · ")
      : "not found verbatim in the corpus";
    return element("blockquote", {}, text ? element("p", {}, text) : null, element("span", { class: "source" }, source));
  });
}

function armAnswer(arm, rank, { question, place }) {
  const row = arm.rows[place];
  const head = element("header", {}, element("h5", {}, `${arm.error ? "–" : rank + 1}  ${arm.name}`),
    arm.offline ? element("span", { class: "badge" }, "offline") : null, outcomeBadge(arm, place));
  const made = element("article", { class: "arm-answer", "data-arm": arm.id }, head);
  if (!row) {
    made.append(element("p", { class: "error" }, arm.error ? `The whole arm failed: ${arm.error}` : "This question was not asked."));
    return made;
  }
  const [answer, error, contexts, scores, seconds, dollars] = row;
  if (seconds !== null) {
    const price = dollars ? ` · $${dollars < 0.01 ? dollars.toPrecision(2) : dollars.toFixed(2)}` : "";
    head.append(element("span", { class: "spent" }, `${seconds.toFixed(2)} s${price}`));
  }
  if (answer !== null) made.append(element("p", { class: "answer" }, report.texts[answer] || "(empty answer)"));
  if (report.texts[error]) made.append(element("p", { class: "error" }, report.texts[error]));
  made.append(element("ul", { class: "scores" }, ...scores.map(scoreChip)));
  made.append(reasonList(scores), contextList(contexts, question));
  return made;
}

function scoreWords([value, reason, applicable]) {
  if (value !== null) return scoreText(value);
  return applicable ? `missing: ${report.texts[reason] || "no reason was given"}` : "–";
}

function scoreChip(score, place) {
  const metric = report.metrics[place];
  const kind = score[0] === null && score[2] ? "missing" : metric === report.objective ? "objective" : null;
  return element("li", { class: kind, title: score[2] ? null : `not applicable: ${report.texts[score[1]]}` },
    `${metric} `, element("b", {}, scoreWords(score)));
}

function reasonList(scores) {
  const told = scores.map((score, place) => [report.metrics[place], score]).filter(([, [value, reason, applicable]]) =>
    report.texts[reason] && (value !== null || !applicable));
  if (!told.length) return "";
  return folded(`Reasons for ${told.length === 1 ? "1 score" : `${told.length} scores`}`, () =>
    element("dl", { class: "reasons" }, ...told.flatMap(([metric, score]) => [
      element("dt", {}, `${metric} ${scoreText(score[0])}`),
      element("dd", {}, (score[2] ? "" : "not applicable: ") + report.texts[score[1]])])));
}

/** Details whose inside is made when they are first opened: a question has dozens of contexts. */
function folded(title, make) {
  const made = element("details", {}, element("summary", {}, title));
  made.addEventListener("toggle", () => { if (made.open && made.children.length === 1) made.append(make()); });
  return made;
}

function contextList(contexts, question) {
  if (!contexts.length) return element("p", { class: "muted" }, "No chunk was retrieved.");
  const parts = contexts.map(([chunk]) => splitByEvidence(report.chunks[chunk], question.evidence));
  const holding = parts.filter((pieces) => pieces.some((piece) => piece.evidence)).length;
  const title = `${contexts.length === 1 ? "1 context" : `${contexts.length} contexts`}`
    + (question.evidence.length ? `, ${holding} with evidence` : "");
  return folded(title, () => element("ol", { class: "contexts" }, ...contexts.map(([chunk, similarity], i) => {
    const [, document, , , page] = report.chunks[chunk];
    const source = [`${i + 1}`, document === null ? "document not known" : report.texts[document], page === null ? null : `page ${page}`,
      similarity === null ? null : `similarity ${scoreText(similarity)}`].filter(Boolean).join(" · ");
    return element("li", {}, element("span", { class: "source" }, source),
      element("p", {}, ...parts[i].map((piece) => (piece.evidence ? element("mark", {}, piece.text) : piece.text))));
  })));
}

/** A chunk's text cut into pieces that are evidence and pieces that are not. */
function splitByEvidence([text, document, start], evidence) {
  const letters = Array.from(report.texts[text]); // spans count characters as Python does, not UTF-16 units
  const inside = new Uint8Array(letters.length);
  for (const { text: words, place } of evidence) {
    if (document !== null && place && place[0] === report.texts[document]) {
      inside.fill(1, Math.max(0, place[1] - start), Math.max(0, place[2] - start));
    } else if (document === null && words) {
      // a chunk without a span, such as a merged one, is searched for the words themselves
      const at = report.texts[text].indexOf(words);
      if (at >= 0) {
        const before = Array.from(report.texts[text].slice(0, at)).length;
        inside.fill(1, before, before + Array.from(words).length);
      }
    }
  }
  const pieces = [];
  letters.forEach((letter, i) => {
    const last = pieces[pieces.length - 1];
    if (last && last.evidence === !!inside[i]) last.text += letter;
    else pieces.push({ text: letter, evidence: !!inside[i] });
  });
  return pieces;
}

setUpQuestions();
