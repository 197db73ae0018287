// Reads what .ci/test writes, which is its own lines about steps, the output of "go test -json" and of events.mjs, and
// prints a line for each Go package and each JavaScript suite when it ends, the output of a failed test when it fails,
// and in the end one line of counts. Steps that run at once write to a pipe each.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

const QUIET_MS = 15_000; // after so long without a line it says what is running

const counts = { passed: 0, failed: 0, skipped: 0 };
const names = { pass: 'passed', fail: 'failed', skip: 'skipped' };
const began = Date.now();

const steps = []; // of each pipe, the step that is running
let printedAt = Date.now();
let interrupted = false;

const output = new Map(); // of each Go test or package, until it has passed
const running = new Map(); // Go package -> its tests that have started, for the line in a quiet time
const tallies = new Map(); // Go package, or 'the suite' of JavaScript -> its counts

function print(text) {
  console.log(text);
  printedAt = Date.now();
}

function tally(step, kind, of) {
  const count = tallies.get(of) ?? { passed: 0, failed: 0, skipped: 0 };
  count[names[kind]]++;
  tallies.set(of, count);
  counts[names[kind]]++;
  if (kind === 'fail') step.failures++;
}

/** "12 passed, 1 failed": what is 0 is left out, except passed. */
function said({ passed = 0, failed = 0, skipped = 0 } = {}) {
  return [`${passed} passed`, failed && `${failed} failed`, skipped && `${skipped} skipped`].filter(Boolean).join(', ');
}

const seconds = (s) => `${s.toFixed(1)} s`;

function onStep(step, line) {
  // failures are those printed: a command that fails without one is a failure itself
  Object.assign(step, line, { done: 0, failures: 0, ended: false });
  print(`[step ${step.Step} of ${step.Steps}] ${step.Name}${step.Packages > 1 ? `: ${step.Packages} packages` : ''}`);
}

function onExit(step, { Exit }) {
  step.ended = true;
  if (Exit === 0 || step.failures > 0) return;
  if (!interrupted) counts.failed++;
  print(`FAIL ${step.Name}: ended with exit status ${Exit}`);
}

function onGo(step, { Action, Package, ImportPath, Test, Output = '', Elapsed = 0 }) {
  const key = `${Package ?? ImportPath} ${Test ?? ''}`.trimEnd();
  switch (Action) {
    case 'start':
      running.set(Package, new Set());
      return;
    case 'run':
    case 'cont':
      running.get(Package)?.add(Test);
      return;
    case 'pause':
      running.get(Package)?.delete(Test);
      return;
    case 'output':
    case 'build-output':
      output.set(key, (output.get(key) ?? '') + Output);
      return;
    case 'build-fail':
      print(`FAIL ${key}\n${output.get(key) ?? ''}`); // and each package that needed it fails
      output.delete(key);
      return;
    case 'pass':
    case 'fail':
    case 'skip':
      break;
    default:
      return;
  }
  const text = output.get(key) ?? '';
  output.delete(key);
  if (Test) {
    running.get(Package)?.delete(Test);
    tally(step, Action, Package);
    if (Action === 'fail') print(`FAIL ${key}\n${text}`);
    if (Action === 'skip') print(`skipped ${key}: ${text.split('\n').at(-3)?.trim() ?? ''}`);
    return;
  }
  running.delete(Package);
  step.done++;
  if (Action === 'skip') return; // it has no tests
  const failed = Action === 'fail';
  // A package may fail outside of its tests: it does not build, or its TestMain exits.
  const byItself = failed && !tallies.get(Package)?.failed;
  if (byItself) tally(step, 'fail', Package);
  const place = step.Packages > 1 ? `${step.done}/${step.Packages} ` : '';
  print(`${failed ? 'FAIL' : 'ok  '} ${place}${Package}: ${said(tallies.get(Package))} in ${seconds(Elapsed)}${byItself ? `\n${text}` : ''}`);
}

function onJs(step, { Js, Action, File, Nesting, Suite, Elapsed, FailureType, Output = '' }) {
  const of = 'the suite'; // they come one after the other, each behind its tests
  if (!Suite) tally(step, Action, of);
  // A suite fails with its tests, which have been counted, or by itself.
  const failed = Action === 'fail' && FailureType !== 'subtestsFailed';
  if (Suite && failed) tally(step, 'fail', of);
  if (failed) print(`FAIL ${Js} (${File})\n${Output}`);
  if (Action === 'skip' && !Suite) print(`skipped ${Js} (${File})`);
  if (Nesting > 0) return;
  print(`${Action === 'fail' ? 'FAIL' : 'ok  '} ${Js}: ${said(tallies.get(of))} in ${seconds(Elapsed)}`);
  tallies.delete(of);
}

function onLine(step, line) {
  if (!line.startsWith('{')) return line && print(line);
  let event;
  try {
    event = JSON.parse(line);
  } catch {
    return print(line);
  }
  if (event.Step) onStep(step, event);
  else if (event.Beside) beside = read(createReadStream(event.Beside));
  else if (event.Exit !== undefined) onExit(step, event);
  else if (event.Js !== undefined) onJs(step, event);
  else onGo(step, event);
}

/** Reads a pipe to its end. */
async function read(input) {
  const step = { Step: 0, Steps: 0, Name: '', Packages: 0, done: 0, failures: 0, ended: true };
  steps.push(step);
  for await (const line of createInterface({ input })) onLine(step, line);
}

const at = () => [
  ...[...running].map(([name, tests]) => `${name} ${[...tests].at(-1) ?? ''}`.trimEnd()),
  ...steps.filter((step) => !step.ended && step.Packages === 0).map((step) => step.Name),
].join(', ') || 'still at it';

const quiet = setInterval(() => {
  if (Date.now() - printedAt < QUIET_MS) return;
  print(`     ${seconds((Date.now() - began) / 1000)}: ${at()}; so far ${said(counts)}`);
}, 1000);

// Ctrl-C reaches the tests too: their last lines are still to come.
process.on('SIGINT', () => { interrupted = true; });

let beside; // a second pipe
await read(process.stdin);
await beside;
clearInterval(quiet);

if (interrupted) {
  const open = steps.filter((step) => !step.ended).map((step) => `step ${step.Step} of ${step.Steps}, ${step.Name}`);
  print(`interrupted in ${open.join(', and ') || 'the end'}: ${at()}`);
}
print(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(counts.failed === 0 && counts.passed > 0 && !interrupted ? 0 : 1);
