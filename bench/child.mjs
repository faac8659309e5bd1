// One measured process: runs the scenario that its arguments name, and sends what it found to its parent.
const [name, options] = process.argv.slice(2);
const { run } = await import(new URL(`scenarios/${name}.mjs`, import.meta.url).href);
const result = await run(JSON.parse(options));
const { maxRSS } = process.resourceUsage();
await new Promise((resolve) => process.send({ maxRssMiB: Math.round(maxRSS / 1024), ...result }, resolve));
process.disconnect();
