// SPDX-License-Identifier: Apache-2.0
// The folders that a browser gets as one: its files import each other as "./name.js", but they are in several folders of the repository. node resolves
// imports by files, so these functions copy the files into one folder, which is deleted at the end of the process.
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const firmware = fileURLToPath(new URL("../../firmware/", import.meta.url));
const filesOf = (folder) => readdirSync(join(firmware, folder), { withFileTypes: true })
  .filter((entry) => entry.isFile()).map((entry) => join(firmware, folder, entry.name));
const made = new Map();

function folderOf(name, files) {
  if (!made.has(name)) {
    const folder = mkdtempSync(join(tmpdir(), `sealcam-${name}-`));
    process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
    for (const file of files) {
      const copy = join(folder, basename(file));
      if (existsSync(copy)) throw new Error(`two files of the ${name} have the name ${basename(file)}`);
      copyFileSync(file, copy);
    }
    made.set(name, pathToFileURL(`${folder}/`));
  }
  return made.get(name);
}

// The page of sealcam-hub, as firmware/hub/web/CMakeLists.txt embeds it: the address of the folder.
export const hubPage = () => folderOf("page", [...filesOf("hub/web/page"), ...filesOf("web/page"), ...["web/bytes.js", "web/clock.js"].map((name) => join(firmware, name))]);

// The app, as scripts/app makes it, but without mqtt.js and the service worker. fakes: with the stand-ins of fake_link/ in place of the modules of the
// same name.
export function appFolder(fakes = true) {
  const own = fakes ? readdirSync(new URL("fake_link/", import.meta.url)).map((name) => fileURLToPath(new URL(`fake_link/${name}`, import.meta.url))) : [];
  const replaced = own.map((path) => basename(path));
  const modules = filesOf("web").filter((path) => path.endsWith(".js") && !replaced.includes(basename(path)));
  return folderOf(fakes ? "app" : "app-real", [...filesOf("web/app"), ...filesOf("web/page"), ...modules, ...own]);
}
