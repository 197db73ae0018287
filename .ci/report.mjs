// Prints what failed and one closing line of counts, from the output of
// "go test -json" and of "node --test".
import { readFileSync } from 'node:fs';

const [goFile, jsFile] = process.argv.slice(2);
const counts = { passed: 0, failed: 0, skipped: 0 };

const output = new Map(); // of each Go test or package, until it has passed
for (const line of readFileSync(goFile, 'utf8').split('\n')) {
  if (!line.startsWith('{')) {
    if (line) console.log(line);
    continue;
  }
  const { Action, Package, ImportPath, Test, Output = '', Elapsed } = JSON.parse(line);
  const key = `${Package ?? ImportPath} ${Test ?? ''}`;
  if (Action === 'output' || Action === 'build-output') output.set(key, (output.get(key) ?? '') + Output);
  if (!['pass', 'fail', 'skip', 'build-fail'].includes(Action)) continue;
  if (Action.endsWith('fail')) console.log(`FAIL ${key}\n${output.get(key) ?? ''}`);
  if (Action === 'skip' && Test) console.log(`skipped ${key}: ${(output.get(key) ?? '').split('\n').at(-3)?.trim() ?? ''}`);
  if (Test) counts[{ pass: 'passed', fail: 'failed', skip: 'skipped' }[Action]]++;
  else if (Action.endsWith('fail')) counts.failed++;
  else if (Action === 'pass') console.log(`ok   ${Package} ${Elapsed} s`);
  output.delete(key);
}

const js = readFileSync(jsFile, 'utf8');
const number = (name) => Number(new RegExp(`^(?:#|ℹ) ${name} (\\d+)$`, 'm').exec(js)?.[1] ?? NaN);
const [pass, fail, skip] = ['pass', 'fail', 'skipped'].map(number);
if (!(pass > 0) || fail > 0) console.log(js.slice(-20_000));
console.log(`ok   JavaScript suite: ${pass} passed, ${fail} failed, ${skip} skipped`);
counts.passed += pass;
counts.failed += Number.isNaN(fail) ? 1 : fail;
counts.skipped += skip || 0;

console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(counts.failed === 0 && counts.passed > 0 ? 0 : 1);
