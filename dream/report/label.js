"use strict";

// The page's address ends with the token; all verbs lie beside it.
const part = id => document.getElementById(id);
let rows = [];
let busy = false;

const current = () => rows.find(row => row.label === null && !row.skipped);

async function send(path, body) {
  if (busy) return;
  busy = true;
  try {
    const answer = await fetch(path, {
      method: body === undefined ? "GET" : "POST",
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    const said = await answer.json();
    part("problem").hidden = true;
    return said;
  } catch (error) {
    part("problem").textContent = `Not stored: ${error.message}. Is the command in the terminal still running?`;
    part("problem").hidden = false;
  } finally {
    busy = false;
  }
}

async function act(body) {
  const said = await send("label", body);
  if (said) show(said.rows);
}

function show(found) {
  rows = found;
  const row = current();
  const labelled = rows.filter(one => one.label !== null).length;
  const skipped = rows.filter(one => one.label === null && one.skipped).length;
  part("count").textContent = `${labelled} of ${rows.length} labelled` + (skipped ? `, ${skipped} skipped` : "");
  part("progress").value = rows.length ? labelled / rows.length : 1;
  part("row").hidden = !row;
  part("done").hidden = Boolean(row);
  for (const name of ["yes", "no", "skip"]) part(name).disabled = !row;
  if (!row) {
    part("done-text").textContent = skipped
      ? `${skipped} skipped; they come again when the command is run again. Press q to see what the labels say.`
      : "All answers are labelled. Press q, then see in the terminal what the labels say.";
    return;
  }
  // texts of documents and models are not trusted: they are set as text only
  for (const name of ["question", "reference", "answer"]) part(name).textContent = row[name];
  const contexts = part("contexts");
  contexts.open = false;
  contexts.querySelector("summary").textContent = `${row.contexts.length} contexts that the answer was made from`;
  contexts.querySelector("ol").replaceChildren(
    ...row.contexts.map(text => Object.assign(document.createElement("li"), { textContent: text })),
  );
  window.scrollTo(0, 0);
}

async function close() {
  const said = await send("close", {});
  if (!said) return;
  part("row").hidden = true;
  part("done").hidden = false;
  part("done-text").textContent = "Finished. The terminal says what the labels mean; this page can be closed.";
  for (const button of document.querySelectorAll("button")) button.disabled = true;
}

const verbs = {
  y: () => current() && act({ id: current().id, right: true }),
  n: () => current() && act({ id: current().id, right: false }),
  s: () => current() && act({ id: current().id, skip: true }),
  u: () => act({ undo: true }),
  c: () => { part("contexts").open = !part("contexts").open; },
  q: close,
};

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const verb = verbs[event.key.toLowerCase()];
  if (verb) { event.preventDefault(); verb(); }
});
for (const [id, key] of [["yes", "y"], ["no", "n"], ["skip", "s"], ["undo", "u"], ["close", "q"]]) {
  part(id).addEventListener("click", () => verbs[key]());
}
send("rows").then(said => said && show(said.rows));
