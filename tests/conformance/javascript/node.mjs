// SPDX-License-Identifier: Apache-2.0
// Runs the corpus in node, with the modules of firmware/web.
//
//     node node.mjs                      all cases
//     node node.mjs RULE[/CASE]...       these only
//     node node.mjs --compare FILE       compares the verdicts with those of another runner, from its results file
//     node node.mjs --results FILE       writes the verdicts
//     node node.mjs --rules FOLDER       the cases of another folder
//     --verdicts-only                    with --compare: ignores the expected verdicts of the cases
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { canRun, normalized, runCase } from "./runner.mjs";

const { values, positionals } = parseArgs({ allowPositionals: true, options: {
  compare: { type: "string" }, results: { type: "string" }, rules: { type: "string" }, "verdicts-only": { type: "boolean" } } });
const rules = values.rules ? pathToFileURL(`${resolve(values.rules)}/`) : new URL("../rules/", import.meta.url);
const others = values.compare ? JSON.parse(readFileSync(values.compare, "utf8")) : null;
const total = { cases: 0, verdicts: 0, identical: 0, failed: 0 }, ran = new Set(), notRun = new Map(), results = {};

for (const rule of readdirSync(rules).sort()) {
  for (const file of readdirSync(new URL(`${rule}/`, rules)).sort()) {
    const name = `${rule}/${file.slice(0, -".json".length)}`;
    if (positionals.length > 0 && !positionals.some((p) => name === p || name.startsWith(`${p}/`))) continue;
    const json = JSON.parse(readFileSync(new URL(`${rule}/${file}`, rules), "utf8"));
    if (!canRun(json)) {
      const counts = notRun.get(json.under_test) ?? new Map();
      notRun.set(json.under_test, counts.set(rule, (counts.get(rule) ?? 0) + 1));
      continue;
    }
    const { verdicts, faults } = await runCase(json);
    if (others && values["verdicts-only"]) faults.length = 0;
    if (others && normalized(others[name] ?? []) !== normalized(verdicts)) faults.push("the other runner has other verdicts");
    else if (others) total.identical += verdicts.length;
    for (const fault of faults) console.log(`${name}: ${fault}`);
    ran.add(rule);
    ++total.cases;
    total.verdicts += verdicts.length;
    total.failed += faults.length > 0 ? 1 : 0;
    results[name] = verdicts;
  }
}

for (const [side, counts] of notRun) {
  const sum = [...counts.values()].reduce((a, b) => a + b, 0);
  console.log(`not run, because a browser is no ${side}: ${sum} cases (${[...counts].map(([rule, count]) => `${rule} ${count}`).join(", ")})`);
}
if (values.results) writeFileSync(values.results, `${JSON.stringify(results, null, 1)}\n`);
const compared = others ? `, ${total.identical} verdicts identical with the other runner` : "";
console.log(`${ran.size} rules, ${total.cases} cases, ${total.verdicts} verdicts${compared}, ${total.failed} cases failed`);
process.exitCode = total.failed > 0 || total.cases === 0 ? 1 : 0;
