// A person's way through the pages, in a real Chromium: fill the form, watch the run, see a file fail, clear it from the tab.
// Pictures are taken on the way. Arguments: Chromium's path, the folder for the pictures, the command that breaks or mends the load.
"use strict";

const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { chromium } = require("playwright-core");

const [, , program, pictures, python] = process.argv;
const base = process.env.AIRFLOW__API__BASE_URL.replace(/\/$/, "");
const PATIENCE = 600_000;
const ARGUMENTS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

function check(condition, message) {
  if (!condition) {
    throw new Error(message);
  }
}

function tell(text) {
  console.log(`  ${text}`);
}

async function open(theme, width, height) {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), "snowmelt-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: program, headless: true, args: ARGUMENTS, viewport: { width, height }, colorScheme: theme,
  });
  context.setDefaultTimeout(PATIENCE);
  const errors = [];
  const page = context.pages()[0] || (await context.newPage());
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    const from = (message.location() || {}).url || "";
    if (message.type() === "error" && from.includes("/snowmelt/")) {
      errors.push(message.text());
    }
  });
  await page.addInitScript((wanted) => window.localStorage.setItem("theme", wanted), theme);
  const close = async () => {
    await context.close();
    fs.rmSync(profile, { recursive: true, force: true });
    check(errors.length === 0, `the pages' own errors: ${errors.join("; ")}`);
  };
  return { page, close };
}

const picture = (page, name) => page.screenshot({ path: path.join(pictures, `${name}.png`) });
const tab = (page) => page.frameLocator('iframe[title="Migration"]');

// Airflow draws the frame anew once it knows more about the run: a picture waits until the page stands still.
async function settled(page, ready) {
  for (let calm = 0; calm < 4; ) {
    await ready.waitFor();
    await page.waitForTimeout(700);
    calm = (await ready.isVisible()) ? calm + 1 : 0;
  }
}

// A mapped task as Airflow's own list of them shows it: named after its chunk or file, not numbered.
async function labelled(page, run, task, state, label) {
  await page.goto(`${base}/dags/migrate_table/runs/${encodeURIComponent(run)}/tasks/${task}/mapped`);
  await page.getByRole("row").filter({ hasText: state }).filter({ hasText: label }).first().waitFor();
}

const addressOf = (run) => `${base}/dags/migrate_table/runs/${encodeURIComponent(run)}/plugin/migration`;

async function trigger(page, target) {
  await page.goto(`${base}/dags/migrate_table`);
  await page.getByRole("button", { name: "Trigger" }).first().click();
  const form = page.getByRole("dialog").filter({ hasText: "Trigger Dag" });
  const submit = form.getByRole("button", { name: "Trigger", exact: true });
  await form.getByRole("button", { name: "Source" }).click();
  check(await submit.isDisabled(), "the form can be sent without a source");
  const values = {
    source_database: "ANALYTICS", source_schema: "BI", source_table: "FACTVISITCALLPERFORMANCE_CR",
  };
  for (const [name, value] of Object.entries(values)) {
    const field = form.locator(`#element_${name}`);
    await field.fill(value);
    await field.press("Enter");
    await field.press("Tab");
  }
  await page.setViewportSize({ width: 1280, height: 1100 });
  if (target === "walked") {
    await picture(page, "form");
  }
  await form.getByRole("button", { name: "Target" }).click();
  await form.locator("#element_target_table").fill(target);
  await form.getByRole("button", { name: "Tuning" }).click();
  await form.locator("#element_chunking_column").fill("Visit Id");
  await form.locator('input[name="element_chunk_rows"]').fill("75000");
  await form.locator('input[name="element_max_file_size_mb"]').fill("10");
  await submit.click();
  await page.waitForURL(/\/runs\/manual/);
  tell("the form was filled and sent");
  return decodeURIComponent(new URL(page.url()).pathname.split("/")[4]);
}

async function main() {
  const { page, close } = await open("light", 1280, 1000);
  execFileSync(python, ["-m", "tests.ui.walk", "break"], { stdio: "inherit" });
  const run = await trigger(page, "walked");
  const address = addressOf(run);
  await page.goto(address);
  await tab(page).locator("#unload .tile").first().waitFor();
  tell("the tab shows the chunks");
  await labelled(page, run, "unload", "Deferred", /chunk 003: Visit Id/);
  tell("Airflow's list names a deferred chunk");
  await page.goto(address);
  const chunk = tab(page).locator("#unload-list tr").filter({ hasText: "chunk 003" });
  await chunk.locator("code").filter({ hasText: /[0-9a-f]{8}-/ }).waitFor();
  check((await tab(page).locator("#load .tile").count()) === 0, "the query was not told before its result");
  tell("the tab names its query while it runs");
  await tab(page).locator("#load .tile").first().waitFor();
  await tab(page).locator("#plots svg").first().waitFor();

  await tab(page).locator("#failed").waitFor();
  const failed = tab(page).locator("#failed .failure").filter({ hasText: "chunk_001/" }).first();
  await failed.waitFor();
  check((await failed.innerText()).includes("broken for the test"), "the failure does not say why");
  await labelled(page, run, "load", "Running", /chunk_000\/data_/);
  await page.getByRole("row").filter({ hasText: "Failed" }).filter({ hasText: /chunk_001\/data_/ }).first().waitFor();
  await page.getByRole("row").filter({ hasText: "Success" }).filter({ hasText: /chunk_002\/data_/ }).first().waitFor();
  await page.setViewportSize({ width: 1280, height: 1000 });
  await picture(page, "tasks");
  execFileSync(python, ["-m", "tests.ui.walk", "go"], { stdio: "inherit" });
  tell("Airflow's list names running, failed and finished files");
  await page.goto(address);
  await tab(page).locator("main:not([data-live='yes'])").waitFor();
  tell("the failed file is named with its error");
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto(address); // around the tab Airflow shows the run's end only when asked anew
  await page.getByText("Failed", { exact: true }).first().waitFor();
  await settled(page, failed);
  await picture(page, "failed");

  await failed.getByRole("link", { name: "Open the task" }).click();
  await page.waitForURL(/\/tasks\/load\/mapped\/\d+/);
  tell("its link leads to the mapped task");
  await page.goto(address);

  execFileSync(python, ["-m", "tests.ui.walk", "mend"], { stdio: "inherit" });
  for (;;) {
    // All at once where several failed: clearing one after another lets the scheduler block what follows in between.
    const clear = tab(page).locator("#failed button.clear").first();
    await tab(page).locator("#failed, #head .pill.done").first().waitFor();
    if ((await tab(page).locator("#failed").count()) === 0) {
      break;
    }
    const id = await clear.getAttribute("id");
    await clear.focus();
    await page.keyboard.press("Enter");
    await tab(page).locator(`#${id}.sure`).waitFor();
    await page.keyboard.press("Enter");
    await tab(page).locator(`#${id}`).waitFor({ state: "detached" });
    tell("a failed file was cleared from the tab, by keyboard");
  }
  await tab(page).locator("#verification .pill.done").waitFor();
  await tab(page).locator("#head .pill.done", { hasText: "Published" }).waitFor();
  check((await tab(page).locator("#failed").count()) === 0, "a failure is still shown");
  check((await tab(page).locator("#load .tile.done").count()) > 1, "the files are not all done");
  tell("the run ended: published and verified");
  const calm = addressOf(await trigger(page, "visits")); // the same table once more, with nobody in its way
  await page.goto(calm);
  await tab(page).locator("#head .pill.done", { hasText: "Published" }).waitFor();
  await tab(page).locator("main:not([data-live='yes'])").waitFor();
  await page.setViewportSize({ width: 1280, height: 1300 });
  await page.goto(calm); // around the tab Airflow shows the run's end only when asked anew
  await page.getByText("Success").first().waitFor();
  await settled(page, tab(page).locator("#verification .pill.done"));
  await picture(page, "finished");

  await page.goto(`${base}/plugin/migrations`);
  const list = page.frameLocator('iframe[title="Migrations"]');
  await list.getByRole("link", { name: "public.walked" }).waitFor();
  await page.setViewportSize({ width: 1280, height: 560 });
  await picture(page, "migrations");
  await list.locator("#filter").fill("no such table");
  await list.locator("#none").waitFor();
  await list.locator("#filter").fill("walked");
  await list.getByRole("link", { name: "public.walked" }).click();
  await page.waitForURL(/\/plugin\/migration$/);
  tell("the list of all tables leads to the run");
  await close();

  const dark = await open("dark", 1280, 1300);
  await dark.page.goto(calm);
  await settled(dark.page, tab(dark.page).locator("#verification .pill.done"));
  await tab(dark.page).locator("html[data-theme=dark]").waitFor({ timeout: 60_000 });
  await picture(dark.page, "finished-dark");
  await dark.close();

  const narrow = await open("light", 420, 900);
  await narrow.page.goto(`${base}/snowmelt/run?dag_id=migrate_table&run_id=${encodeURIComponent(run)}`);
  await narrow.page.locator("#verification .pill.done").waitFor();
  const wide = await narrow.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  check(wide <= 0, `the page is ${wide} pixels wider than a narrow window`);
  await narrow.close();
  tell("dark and narrow windows are fine");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
