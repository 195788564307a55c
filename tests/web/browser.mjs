// SPDX-License-Identifier: Apache-2.0
// Runs page.mjs in a headless browser: the corpus and the checks that need a browser. The page sends its results to the server of this script.
//
//     node browser.mjs [--compare FILE] [chromium | firefox]     FILE: the verdicts of another runner
//
// SEALCAM_CHROMIUM and SEALCAM_FIREFOX are the paths of the programs. Exit status 4: skipped, because the browser is not installed.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { normalized } from "../conformance/javascript/runner.mjs";

const top = fileURLToPath(new URL("../../", import.meta.url));
const { values, positionals } = parseArgs({ allowPositionals: true, options: { compare: { type: "string" } } });
const BROWSERS = {
  chromium: { program: process.env.SEALCAM_CHROMIUM ?? "/usr/bin/chromium", arguments: (profile) => ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", `--user-data-dir=${profile}`] },
  firefox: { program: process.env.SEALCAM_FIREFOX ?? "/usr/bin/firefox-esr", arguments: (profile) => ["--headless", "--no-remote", "--profile", profile] },
};
// Firefox reads them from its profile. Chromium ignores the file.
const PREFERENCES = { "datareporting.policy.dataSubmissionEnabled": false, "app.update.enabled": false, "browser.shell.checkDefaultBrowser": false,
                      "network.captive-portal-service.enabled": false, "network.connectivity-service.enabled": false, "browser.aboutwelcome.enabled": false,
                      "media.gmp-manager.updateEnabled": false, "extensions.update.enabled": false };
const browser = BROWSERS[positionals[0] ?? "chromium"];
const TIMEOUT = 240_000;
// The modules need no other right than their own scripts and connections.
const POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'";
const SERVED = /^\/(firmware\/web|tests\/web|tests\/conformance\/(javascript|rules\/[\w-]+))\/[\w-]+\.(js|mjs|json)$/;
const TYPES = { js: "text/javascript", mjs: "text/javascript", json: "application/json" };

if (!browser) {
  console.log(`'${positionals[0]}' is not one of ${Object.keys(BROWSERS).join(", ")}`);
  process.exit(64);
}
if (!existsSync(browser.program)) {
  console.log(`SKIPPED: ${browser.program} is not installed`);
  process.exit(4);
}

const rules = join(top, "tests/conformance/rules");
const cases = readdirSync(rules).sort().flatMap((rule) => readdirSync(join(rules, rule)).sort().map((file) => `${rule}/${file.slice(0, -".json".length)}`));

let finish;
const finished = new Promise((resolve) => { finish = resolve; });

function answer(request, response) {
  const path = new URL(request.url, "http://localhost").pathname;
  const send = (type, body, status = 200) => response.writeHead(status, { "Content-Type": type, "Content-Security-Policy": POLICY, "Cache-Control": "no-store" }).end(body);
  if (request.method === "POST" && path === "/results") {
    const parts = [];
    request.on("data", (part) => parts.push(part)).on("end", () => {
      send("text/plain", "");
      finish(JSON.parse(Buffer.concat(parts).toString("utf8")));
    });
  } else if (path === "/") {
    send("text/html", '<!doctype html><title>web</title><script type="module" src="/tests/web/page.mjs"></script>');
  } else if (path === "/cases.json") {
    send("application/json", JSON.stringify(cases));
  } else if (SERVED.test(path) && existsSync(join(top, path))) {
    send(TYPES[path.split(".").at(-1)], readFileSync(join(top, path)));
  } else {
    send("text/plain", "", 404);
  }
}

const server = createServer(answer).listen(0, "127.0.0.1");
await new Promise((resolve) => { server.on("listening", resolve); });
const profile = mkdtempSync(join(tmpdir(), "sealcam-browser-"));
writeFileSync(join(profile, "user.js"), Object.entries(PREFERENCES).map(([name, value]) => `user_pref("${name}", ${value});\n`).join(""));
let log = "";
const child = spawn(browser.program, [...browser.arguments(profile), `http://127.0.0.1:${server.address().port}/`], { stdio: ["ignore", "ignore", "pipe"], detached: true });
child.stderr.on("data", (data) => { log = (log + data).slice(-4000); });
const timer = setTimeout(() => finish({ failure: `no results within ${TIMEOUT / 1000} s` }), TIMEOUT);
child.on("exit", (code) => finish({ failure: `the browser ended with ${code}` }));
const results = await finished;
clearTimeout(timer);
child.removeAllListeners("exit");
const ended = new Promise((resolve) => { child.on("exit", resolve); });
if (child.exitCode === null) {
  process.kill(-child.pid, "SIGKILL");  // the group: the other processes of a browser would still write to the profile
  await ended;
}
server.closeAllConnections();
server.close();
rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });

if (results.failure) {
  console.log(`${results.failure}\n${log}`);
  process.exit(1);
}
let failed = 0, identical = 0, verdicts = 0;
const others = values.compare ? JSON.parse(readFileSync(values.compare, "utf8")) : null, ran = Object.entries(results.cases);
for (const [name, result] of ran) {
  const faults = [...result.faults];
  if (others && normalized(others[name] ?? []) !== normalized(result.verdicts)) faults.push("the other runner has other verdicts");
  else identical += result.verdicts.length;
  verdicts += result.verdicts.length;
  for (const fault of faults) console.log(`${name}: ${fault}`);
  failed += faults.length > 0 ? 1 : 0;
}
for (const { name, error } of results.checks) {
  console.log(`${error === null ? "ok" : "FAILED"}: ${name}${error === null ? "" : `: ${error}`}`);
  failed += error === null ? 0 : 1;
}
console.log(results.agent);
const compared = others ? `, ${identical} identical with the other runner` : "";
console.log(`${ran.length} cases, ${verdicts} verdicts${compared}, ${cases.length - ran.length} cases of other sides not run, ${results.checks.length} checks, ${failed} failed`);
process.exitCode = failed > 0 || ran.length === 0 || results.checks.length === 0 ? 1 : 0;
