// Checks whether Node's server has changed: compares the versions in package-lock.json with npm's newest, and records the
// transcripts again, with the newest packages if there are newer ones. If anything differs, it prints the differences and
// exits with 1; the transcripts then contain the new recording, which "git checkout" undoes. With --versions it only
// compares versions.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const transcripts = join(root, "compat/transcripts");

// socket.io and the packages that it consists of, which it loads from the top level of node_modules.
const packages = ["socket.io", "engine.io", "engine.io-parser", "socket.io-parser", "socket.io-adapter", "ws"];

function versions() {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  return packages.map((name) => ({
    name,
    locked: lock[`node_modules/${name}`].version,
    newest: execFileSync("npm", ["view", name, "version"], { encoding: "utf8" }).trim(),
  }));
}

// install installs the newest versions in a temporary directory, so that neither the lock file nor node_modules changes.
function install(list) {
  const folder = mkdtempSync(join(tmpdir(), "puente-drift-"));
  const newest = Object.fromEntries(list.map(({ name, newest }) => [name, newest]));
  const { "socket.io": server, ...overrides } = newest;
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, dependencies: { "socket.io": server }, overrides }));
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: folder, stdio: "inherit" });
  return folder;
}

const read = () => new Map(readdirSync(transcripts).map((file) => [file, readFileSync(join(transcripts, file), "utf8")]));

// record records every transcript again from Node's server and returns the names of those that changed.
function record(reference) {
  const before = read();
  execFileSync("go", ["test", "-count=1", "-run", "^TestNode$", "./compat", "-update"], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, REFERENCE_MODULES: reference },
  });
  return [...read()].filter(([file, text]) => before.get(file) !== text).map(([file]) => file);
}

const list = versions();
for (const { name, locked, newest } of list) {
  console.log(`${name} ${locked}${locked === newest ? "" : `: npm has ${newest}`}`);
}
const moved = list.some(({ locked, newest }) => locked !== newest);
let changed = [];
if (!process.argv.includes("--versions")) {
  const folder = moved ? install(list) : root;
  try {
    changed = record(folder);
  } finally {
    if (moved) rmSync(folder, { recursive: true });
  }
  if (changed.length > 0) {
    console.log(`\nNode's answers differ in ${changed.join(", ")}:`);
    execFileSync("git", ["--no-pager", "diff", "--", "compat/transcripts"], { cwd: root, stdio: "inherit" });
  } else {
    console.log("\nNode's answers match every transcript.");
  }
}
if (moved) console.log("\npackage-lock.json is outdated: pin the new versions in package.json, run npm install, and decide about each difference.");
process.exitCode = moved || changed.length > 0 ? 1 : 0;
