// SPDX-License-Identifier: Apache-2.0
// Removes one rule at a time from copies of the modules of firmware/web, and reports which of these faults the corpus detects. The corpus has
// no app and no broker, so unit tests must detect the faults of the modules for them: the rule of such a mutation is the file of the tests.
//
//     node mutations.mjs [NUMBER...]
//
// Each mutation replaces one text of a file. The copies without a mutation must pass all cases of hubs, and the unit tests.
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MUTATIONS } from "./mutation_table.mjs";

const top = fileURLToPath(new URL("../../", import.meta.url)), modules = "firmware/web", rules = "tests/conformance/rules";

function fail(text) {
  console.log(text);
  process.exit(2);
}

// A folder with the modules, the runner, and a link to the cases. `mutation` is applied to it.
function prepare(folder, mutation) {
  for (const path of [modules, "tests/web", "tests/conformance/javascript"])
    cpSync(join(top, path), join(folder, path), { recursive: true });
  symlinkSync(join(top, rules), join(folder, rules));
  if (!mutation) return;
  const [rule, file, text, replacement] = mutation, path = join(folder, modules, file), source = readFileSync(path, "utf8");
  const found = source.split(text).length - 1;
  if (found !== 1) fail(`mutation of ${rule}: '${text}' is ${found} times in ${file}; adapt the text in mutation_table.mjs`);
  writeFileSync(path, source.replace(text, () => replacement));
}

// The names of the cases that fail, among those of these rules.
function run(folder, cases) {
  const program = join(folder, "tests/conformance/javascript/node.mjs");
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program, ...cases], { stdio: ["ignore", "pipe", "pipe"], timeout: 300_000 });
    let output = "";
    child.stdout.on("data", (data) => { output += data; });
    child.on("close", (code) => {
      const failed = new Set(output.split("\n").map((line) => /^(R-[A-Z]+-\d+\/[^:]+):/.exec(line)?.[1]).filter(Boolean));
      if (code !== 0 && code !== 1) failed.add(`the runner ended with ${code}`);
      resolve([...failed]);
    });
  });
}

// Whether the unit tests in this file fail; ends with the first test that fails. A mutation may leave a timer, or let a test wait for ever. With
// --test, node would run the file in a process of its own, which survives the limit of time. wait: ms, until an effect that a test expects is a failure.
function fails(folder, file, wait) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--test-force-exit", "--test-reporter=tap", join(folder, "tests/web", file)],
                        { stdio: ["ignore", "pipe", "ignore"], timeout: 60_000, env: { ...process.env, SEALCAM_WAIT_MS: wait } });
    let output = "";
    child.stdout.on("data", (data) => {
      output += data;
      if (/^ *not ok /m.test(output)) child.kill("SIGKILL");
    });
    child.on("close", (code) => resolve(code !== 0));
  });
}

async function checkUnit(folder, number, [rule, file], own) {
  const found = await fails(own, rule, 5000);
  rmSync(own, { recursive: true });
  console.log(`${String(number).padStart(3)} ${rule.padEnd(11)} ${file}: ${found ? "detected" : "NOT DETECTED"}`);
  return found;
}

async function check(folder, number) {
  const mutation = MUTATIONS[number - 1], [rule, file] = mutation, own = join(folder, String(number));
  prepare(own, mutation);
  if (rule.endsWith(".mjs")) return checkUnit(folder, number, mutation, own);
  let failed = existsSync(join(top, rules, rule)) ? await run(own, [rule]) : [], where = "of the rule";
  if (failed.length === 0) [failed, where] = [await run(own, []), "of other rules"];
  rmSync(own, { recursive: true });
  const text = failed.length > 0 ? `${failed.length} cases ${where}, for example ${failed[0]}` : "NOT DETECTED";
  console.log(`${String(number).padStart(3)} ${rule.padEnd(11)} ${file}: ${text}`);
  return failed.length > 0;
}

const folder = mkdtempSync(join(tmpdir(), "sealcam-mutations-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const numbers = process.argv.length > 2 ? process.argv.slice(2).map(Number) : MUTATIONS.map((_, i) => i + 1);
prepare(join(folder, "control"), null);
const undetected = [], unit = (number) => MUTATIONS[number - 1][0].endsWith(".mjs"), files = new Set(numbers.filter(unit).map((number) => MUTATIONS[number - 1][0]));
const control = async () => { if ((await run(join(folder, "control"), [])).length > 0) fail("the modules without a mutation fail"); };
const unitControl = async (file) => { if (await fails(join(folder, "control"), file, 30_000)) fail(`${file} fails without a mutation`); };
await Promise.all([control(), ...[...files].map(unitControl)]);
// The corpus needs the processor, and unit tests mostly wait. So both run at the same time, two processes of each.
const queues = [numbers.filter(unit), numbers.filter((number) => !unit(number))];
await Promise.all([...queues, ...queues].map(async (queue) => {
  for (let number = queue.shift(); number !== undefined; number = queue.shift()) if (!await check(folder, number)) undetected.push(number);
}));
console.log(`${numbers.length} mutations, ${numbers.length - undetected.length} detected`);
process.exitCode = undetected.length === 0 && numbers.length > 0 ? 0 : 1;
