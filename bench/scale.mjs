import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { table } from './figures.mjs';
import { measureLists, measureRebuild } from './scale-index.mjs';
import { measureDrain, measureSweep, measureWebhooks } from './scale-queue.mjs';
import { fillKept, fillWaiting, startRedis } from './scale-store.mjs';

/**
 * How the cost of everything that runs each minute, for each request or for each picture grows with the number of pictures that are kept and
 * that wait. Each size gets a store of generated pictures, a Redis and processes of its own.
 *
 *   npm run bench:scale               1,000, 10,000 and 100,000 pictures
 *   npm run bench:scale -- --quick    1,000 and 10,000
 *   npm run bench:scale -- --large    a million too
 *
 * The last line is `ratio: <number>`: the worst growth from the smallest to the largest size. 1 is flat; what is linear counts for each picture.
 */
const { values: options } = parseArgs({
	options: { quick: { type: 'boolean', default: false }, large: { type: 'boolean', default: false } },
});
const sizes = options.quick ? [1_000, 10_000] : [1_000, 10_000, 100_000, ...(options.large ? [1_000_000] : [])];

const measured = [];
for (const size of sizes) measured.push(await measure(size));
process.stdout.write(
	`${table(measured.map((figures, at) => ({ pictures: sizes[at].toLocaleString('en'), ...texts(figures) })))}\n`,
);
const [smallest, largest] = [measured[0], measured.at(-1)];
const growths = Object.keys(smallest).map((name) => {
	const { value, isRate } = smallest[name];
	const growth = isRate ? value / largest[name].value : largest[name].value / value;
	return { measure: name, growth: growth.toFixed(2) };
});
process.stdout.write(`${table(growths)}\n`);
process.stdout.write(`ratio: ${Math.max(...growths.map(({ growth }) => Number(growth))).toFixed(3)}\n`);

/** @returns {Promise<Record<string, { value: number, unit: string, isRate?: boolean }>>} */
async function measure(size) {
	const folder = await mkdtemp(join(tmpdir(), 'picpipe-scale-'));
	const redis = await startRedis(join(folder, 'redis'));
	const place = { folder, redis, size };
	try {
		tell(`${size.toLocaleString('en')} pictures: filling the store`);
		await fillKept(place);
		tell('rebuilding the index');
		const rebuild = await measureRebuild(place);
		tell('asking for lists');
		const lists = await measureLists(place);
		await fillWaiting(place);
		tell('sweeping');
		const sweep = await measureSweep(place);
		tell('processing');
		const drain = await measureDrain(place);
		tell('letting webhooks wait');
		const webhooks = await measureWebhooks(place);
		return { ...rebuild, ...lists, ...sweep, ...drain, ...webhooks };
	} finally {
		await redis.stop();
		await rm(folder, { recursive: true, force: true });
	}
}

function texts(figures) {
	return Object.fromEntries(
		Object.entries(figures).map(([name, { value, unit }]) => [
			`${name}, ${unit}`,
			Number(value.toPrecision(3)).toLocaleString('en'),
		]),
	);
}

/** Progress, for people. */
function tell(text) {
	process.stderr.write(`${text}\n`);
}
