// Pages of the site in Chromium; see check-docs.sh. Arguments: its folder, and a part of the
// names of the pages that are wanted.
import { readdirSync, readFileSync, mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import puppeteer from "puppeteer-core";

const [folder, part = ""] = process.argv.slice(2);
const axe = readFileSync("node_modules/axe-core/axe.min.js", "utf8");
const serious = ["serious", "critical"];
const pages = readdirSync(folder, { recursive: true })
  .filter((path) => path.endsWith(".html") && !path.startsWith("_static"))
  .filter((path) => path.includes(part))
  .sort();
let complaints = 0;

const kinds = {
  ".html": "text/html",
  ".css": "text/css",
  ".js": "text/javascript",
  ".svg": "image/svg+xml",
};
const server = createServer((request, response) => {
  const path = decodeURIComponent(new URL(request.url, "http://site").pathname);
  try {
    const content = readFileSync(join(folder, path));
    response.setHeader("Content-Type", kinds[extname(path)] ?? "application/octet-stream");
    response.end(content);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const address = `http://127.0.0.1:${server.address().port}`;

function complain(...words) {
  complaints += 1;
  console.log(...words);
}

async function open(browser, path, width, theme) {
  const context = await browser.createBrowserContext(); // a memory of its own
  const page = await context.newPage();
  await page.setViewport({ width, height: 900 });
  await page.evaluateOnNewDocument((mode) => localStorage.setItem("mode", mode), theme);
  page.on("pageerror", (error) => complain(path, error.message));
  page.on("requestfailed", (request) => complain(path, "cannot load", request.url()));
  page.on("response", (response) => {
    if (response.status() >= 400) complain(path, response.status(), response.url());
  });
  await page.goto(`${address}/${path}`, { waitUntil: "load" });
  return page;
}

// Pictures, findings of axe, and pages that are wider than the window.
async function look(browser, path, width, theme) {
  const page = await open(browser, path, width, theme);
  const name = `${path.replaceAll("/", "-").replace(".html", "")}-${width}-${theme}.png`;
  await page.screenshot({ path: `pictures/${name}`, fullPage: width > 1000 });
  const where = `${path} (${width}, ${theme})`;
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  if (wide > width) complain(where, `is ${wide} pixels wide`);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run());
  for (const found of violations.filter(({ impact }) => serious.includes(impact)))
    complain(where, found.id, found.help, found.nodes[0].html.slice(0, 200));
  await page.browserContext().close();
}

// What a reader does: open the search, type, and follow the first answer.
async function search(browser, words, answer) {
  const page = await open(browser, "index.html", 1400, "light");
  await page.keyboard.down("Control");
  await page.keyboard.press("k");
  await page.keyboard.up("Control");
  await page.keyboard.type(words);
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await page.waitForSelector("#search-results li a");
  await page.screenshot({ path: "pictures/search.png" });
  const found = await page.$$eval("#search-results li a", (links) => links.map((a) => a.href));
  const place = found.findIndex((link) => link.includes(answer));
  if (place < 0) complain(`a search for "${words}" does not find ${answer}:`, found);
  else console.log(`A search for "${words}" finds ${answer} at place ${place + 1}.`);
  await page.browserContext().close();
}

mkdirSync("pictures", { recursive: true });
const browser = await puppeteer.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
for (const path of pages)
  await Promise.all(
    [1400, 400].flatMap((width) =>
      ["light", "dark"].map((theme) => look(browser, path, width, theme)),
    ),
  );
await search(browser, "profile intervals", "after-the-fit");
await search(browser, "curve_fit_batch", "minpack.curve_fit_batch");
await search(browser, "outliers", "outliers");
await browser.close();
server.close();
console.log(`${pages.length} pages, ${complaints} complaints`);
process.exit(complaints ? 1 : 0);
