// Keeps a page fresh, opens Airflow's own pages around it, and clears a failed task on request.
"use strict";

const LIVE = 3000;
const SLOW = 15000;
const PATIENCE = 10000;
const main = document.querySelector("main");
const notice = document.getElementById("status");

// Airflow keeps its theme in this origin's storage; without one the system's preference decides.
function takeTheme() {
  let theme = null;
  try {
    theme = window.localStorage.getItem("theme");
  } catch {
    // no storage: the style sheet's own rule holds
  }
  if (theme === "light" || theme === "dark") {
    document.documentElement.dataset.theme = theme;
  } else {
    delete document.documentElement.dataset.theme;
  }
}
takeTheme();
window.addEventListener("storage", takeTheme);

// The frame may not navigate Airflow's window; a link inside Airflow's own document may.
function openAround(event) {
  const link = event.target.closest("a.top");
  if (!link || window.parent === window || event.defaultPrevented || event.button !== 0) {
    return;
  }
  try {
    const outer = window.parent.document;
    const anchor = outer.createElement("a");
    anchor.href = link.href;
    if (event.ctrlKey || event.metaKey || event.shiftKey) {
      anchor.target = "_blank";
      anchor.rel = "noopener";
    }
    outer.body.append(anchor);
    anchor.click();
    anchor.remove();
    event.preventDefault();
  } catch {
    // a foreign frame: the browser does what it can
  }
}
document.addEventListener("click", openAround);

function showStatus(text) {
  notice.textContent = text;
  window.clearTimeout(showStatus.timer);
  showStatus.timer = window.setTimeout(() => (notice.textContent = ""), 8000);
}

// A button that clears asks once more, in place: a frame may not open a dialogue.
async function clearTask(button) {
  if (!button.classList.contains("sure")) {
    button.classList.add("sure");
    button.dataset.before = button.textContent;
    button.textContent = "Sure? It and what follows runs again";
    window.setTimeout(() => {
      if (button.isConnected && !button.disabled) {
        button.classList.remove("sure");
        button.textContent = button.dataset.before;
      }
    }, 6000);
    return;
  }
  button.disabled = true;
  const index = Number(button.dataset.index);
  const tasks = button.dataset.tasks
    ? JSON.parse(button.dataset.tasks)
    : [index >= 0 ? [button.dataset.task, index] : button.dataset.task];
  const answer = await fetch(`../api/v2/dags/${encodeURIComponent(button.dataset.dag)}/clearTaskInstances`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      dry_run: false,
      dag_run_id: button.dataset.run,
      task_ids: tasks,
      include_downstream: true,
      only_failed: false,
      reset_dag_runs: true,
    }),
  }).catch(() => null);
  // From here on the part may be exchanged again.
  button.classList.remove("sure");
  if (answer && answer.ok) {
    showStatus("Cleared: it runs again.");
    await refresh();
  } else {
    button.disabled = false;
    button.textContent = button.dataset.before;
    showStatus(answer ? `Airflow refused to clear it (${answer.status}).` : "Airflow does not answer.");
  }
}
document.addEventListener("click", (event) => {
  const button = event.target.closest("button.clear");
  if (button) {
    clearTask(button);
  }
});

function applyFilter() {
  const field = document.getElementById("filter");
  if (!field) {
    return;
  }
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of document.querySelectorAll("tr.filtered")) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    shown += row.hidden ? 0 : 1;
  }
  const none = document.getElementById("none");
  if (none) {
    none.hidden = shown > 0;
  }
}
document.addEventListener("input", applyFilter);

// Parts that changed are exchanged; a part in use (typed in, asked in, selected in) stays as it is.
function inUse(part) {
  const selection = window.getSelection();
  const selects = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
  return selects || part.querySelector("button.sure, input:focus") !== null;
}

function exchange(fresh) {
  const place = { x: window.scrollX, y: window.scrollY };
  const focused = document.activeElement && document.activeElement.id;
  const open = new Map([...main.querySelectorAll("details[id]")].map((each) => [each.id, each.open]));
  const used = new Map([...main.children].filter((part) => part.id && inUse(part)).map((part) => [part.id, part]));
  const parts = [...fresh.children].map((part) => {
    const adopted = used.get(part.id) || document.importNode(part, true);
    for (const details of adopted.querySelectorAll("details[id]")) {
      if (open.has(details.id)) {
        details.open = open.get(details.id);
      }
    }
    return adopted;
  });
  main.replaceChildren(...parts);
  main.dataset.live = fresh.dataset.live;
  main.dataset.unreadable = fresh.dataset.unreadable || "";
  applyFilter();
  if (focused) {
    document.getElementById(focused)?.focus({ preventScroll: true });
  }
  window.scrollTo(place.x, place.y);
}

// The server's clock is the only one on the page: ages, "last updated" and times of the ledger agree.
const updated = document.getElementById("updated");
const lost = document.getElementById("lost");
function showUpdated() {
  updated.textContent = main.dataset.now ? `Last updated ${main.dataset.now} UTC` : "";
}
showUpdated();

// What is shown is never older than it says: a page that cannot be read again says so at once, and since when.
function showLost(text) {
  lost.textContent = text ? `${text} This is the state of ${main.dataset.now || "before"} UTC.` : "";
  lost.hidden = !text;
  main.classList.toggle("stale", Boolean(text));
}

async function ask() {
  const stop = new AbortController();
  const timer = window.setTimeout(() => stop.abort(), PATIENCE);
  try {
    const answer = await fetch(window.location.href, { headers: { Accept: "text/html" }, signal: stop.signal });
    return { answer, text: answer.ok ? await answer.text() : "" };
  } catch {
    return { answer: null, text: "" };
  } finally {
    window.clearTimeout(timer);
  }
}

let last = main.innerHTML;
async function refresh() {
  const { answer, text } = await ask();
  if (!answer) {
    showLost("Airflow does not answer.");
    return;
  }
  if (answer.status === 401 || answer.status === 403 || answer.redirected) {
    showLost("Your session has ended, or you may no longer see this: log in again.");
    return;
  }
  if (!answer.ok) {
    showLost(`Airflow answers with an error (${answer.status}).`);
    return;
  }
  const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("main");
  if (!fresh) {
    showLost("Airflow answers with another page.");
    return;
  }
  if (fresh.dataset.unreadable === "yes" && !main.dataset.unreadable) {
    showLost("The ledger does not answer.");
    return;
  }
  showLost("");
  if (fresh.innerHTML !== last) {
    last = fresh.innerHTML;
    exchange(fresh);
  }
  main.dataset.live = fresh.dataset.live;
  main.dataset.now = fresh.dataset.now || "";
  showUpdated();
}

// A run that does not move may go on at any time: someone clears a task. It is looked at now and then.
async function keepFresh() {
  const started = performance.now();
  if (!document.hidden) {
    await refresh();
  }
  // A server that is slow to answer is asked less often: each viewer takes a fifth of its time at most.
  const pause = Math.max(main.dataset.live === "yes" ? LIVE : SLOW, 4 * (performance.now() - started));
  window.setTimeout(keepFresh, pause);
}
if (main.dataset.live !== "never") {
  window.setTimeout(keepFresh, LIVE);
}
