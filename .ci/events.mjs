// A reporter for "node --test": one line of JSON for each test and suite that ends, which report.mjs reads.
export default async function* events(source) {
  for await (const { type, data } of source) {
    if (type === 'test:stdout' || type === 'test:stderr') yield data.message;
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const { name, file, nesting, skip, todo, details } = data;
    const error = details.error;
    const cause = error?.cause ?? error;
    yield `${JSON.stringify({
      Js: name,
      Action: skip || todo || skip === '' || todo === '' ? 'skip' : type.slice('test:'.length),
      File: file,
      Nesting: nesting,
      Suite: details.type === 'suite',
      Elapsed: details.duration_ms / 1000,
      FailureType: error?.failureType,
      Output: cause && String(cause.stack ?? cause),
    })}\n`;
  }
}
