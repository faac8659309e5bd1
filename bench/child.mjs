// One measured process: runs the scenario that its arguments name, and sends what it found to its parent.
const [name, options] = process.argv.slice(2);
// A parent that is killed takes it along; a scenario that serves sees to that itself, as it may have to put something away.
const abandoned = () => process.exit(1);
process.once('disconnect', abandoned);
const { run, endsItself } = await import(new URL(`scenarios/${name}.mjs`, import.meta.url).href);
if (endsItself === true) process.off('disconnect', abandoned);
const result = await run(JSON.parse(options));
const { maxRSS } = process.resourceUsage();
await new Promise((resolve) => process.send({ maxRssMiB: Math.round(maxRSS / 1024), ...result }, resolve));
process.off('disconnect', abandoned);
process.disconnect();
