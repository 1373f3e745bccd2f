import { fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { median } from './figures.mjs';

/** Connections of wrk, all in use all the time. */
const connections = 16;
const rounds = 5;

/**
 * The share of the rate of bare `node:http`, which sends the same bytes from memory with two header fields, in turns. Each server is one
 * process, and wrk has a thread of its own.
 *
 * @param {string} url of a cached result
 * @param {number} seconds of each measurement
 * @returns {Promise<{ bytes: number, own: number, bare: number, share: number } | undefined>} medians, rates a second; undefined without wrk
 */
export async function shareOfBare(url, seconds) {
	if (spawnSync('wrk', ['-v']).error) return undefined;
	const answer = await fetch(url);
	const data = Buffer.from(await answer.arrayBuffer());
	const bare = fork(fileURLToPath(new URL('./bare-process.mjs', import.meta.url)), { serialization: 'advanced' });
	try {
		bare.send({ type: answer.headers.get('content-type'), data });
		const [bareUrl] = await once(bare, 'message');
		const own = [];
		const others = [];
		// The first requests run code that is not compiled yet.
		for (const one of [url, bareUrl]) await rateOf(one, 1);
		for (let round = 0; round < rounds; round++) {
			own.push(await rateOf(url, seconds));
			others.push(await rateOf(bareUrl, seconds));
		}
		const shares = own.map((rate, at) => rate / others[at]);
		return { bytes: data.length, own: median(own), bare: median(others), share: median(shares) };
	} finally {
		bare.kill();
	}
}

async function rateOf(url, seconds) {
	const wrk = spawn('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, url], { stdio: ['ignore', 'pipe', 'inherit'] });
	let output = '';
	wrk.stdout.setEncoding('utf8').on('data', (text) => {
		output += text;
	});
	await once(wrk, 'close');
	if (/Non-2xx/.test(output)) throw new Error(`${url} was refused:\n${output}`);
	const rate = /Requests\/sec:\s+([\d.]+)/.exec(output)?.[1];
	if (rate === undefined) throw new Error(`wrk printed no rate:\n${output}`);
	return Number(rate);
}
