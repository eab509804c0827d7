// Looks at pages in a real Chromium. Input: a JSON list of looks: {url, name, width, wait, freeze}; output: a line of JSON for each: {name, text,
// wide, errors}. `wait` is a text that has to appear; `freeze` a process that is stopped for some seconds once the page is there.
"use strict";

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { chromium } = require("playwright-core");

const [, , program, folder, base, token] = process.argv;
const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"];

async function look(context, one) {
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.setViewportSize({ width: one.width || 1280, height: one.height || 900 });
  await page.goto(`${base}${one.url}`);
  if (one.freeze) {
    process.kill(one.freeze, "SIGSTOP");
  }
  try {
    if (one.wait) {
      await page.getByText(one.wait).first().waitFor({ timeout: 150_000 });
    }
    await page.screenshot({ path: path.join(folder, `${one.name}.png`), fullPage: Boolean(one.full) });
    await page.waitForTimeout(1000 * (one.seconds || 0));
  } finally {
    if (one.freeze) {
      process.kill(one.freeze, "SIGCONT");
    }
  }
  if (one.back) {
    await page.locator("#lost").waitFor({ state: "hidden", timeout: 60_000 });
  }
  const seen = await page.evaluate(() => ({
    text: document.body.innerText,
    wide: document.documentElement.scrollWidth > window.innerWidth + 1,
    size: document.documentElement.outerHTML.length,
  }));
  await page.close();
  return { name: one.name, errors, ...seen };
}

(async () => {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), "snowmelt-chromium-"));
  const context = await chromium.launchPersistentContext(profile, { executablePath: program, headless: true, args: ARGUMENTS });
  await context.addCookies([{ name: "_token", value: token, url: base }]);
  try {
    for (const one of JSON.parse(fs.readFileSync(0, "utf8"))) {
      console.log(JSON.stringify(await look(context, one)));
    }
  } finally {
    await context.close();
    fs.rmSync(profile, { recursive: true, force: true });
  }
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
