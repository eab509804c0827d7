// Keeps a page fresh, opens Airflow's own pages around it, and clears a failed task on request.
"use strict";

const LIVE = 3000;
const SLOW = 15000;
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

let last = main.innerHTML;
async function refresh() {
  const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer || !answer.ok) {
    return;
  }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  if (fresh && fresh.dataset.unreadable === "yes" && !main.dataset.unreadable) {
    showStatus("The ledger does not answer at the moment; this is its last state.");
  } else if (fresh && fresh.innerHTML !== last) {
    last = fresh.innerHTML;
    exchange(fresh);
  } else if (fresh) {
    main.dataset.live = fresh.dataset.live;
  }
}

// A run that does not move may go on at any time: someone clears a task. It is looked at now and then.
async function keepFresh() {
  const pause = main.dataset.live === "yes" ? LIVE : SLOW;
  await new Promise((resume) => window.setTimeout(resume, pause));
  if (!document.hidden) {
    await refresh();
  }
  keepFresh();
}
keepFresh();
