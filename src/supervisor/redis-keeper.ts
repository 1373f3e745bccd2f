/**
 * A process between the supervisor and picpipe's own Redis. It outlives a killed supervisor, waits until the other processes have finished
 * their work and disconnected, and then stops Redis.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError, readConfig } from '../config/index.ts';
import { createLogger } from '../observe/log.ts';
import { untilAway } from '../queue/outage.ts';
import { connectRedis } from '../queue/redis.ts';
import { surviveBrokenOutput } from './exit.ts';
import { asList, type OwnRedis, runOwnRedis } from './redis.ts';
import { makeRedisPlace } from './redis-place.ts';

/** Extra time for the other processes in addition to their own limit, milliseconds. */
const grace = 2_000;

surviveBrokenOutput();
const config = readConfig(process.env);
const log = createLogger('redis', config.logLevel);
let isStopping = false;
/** Aborts a start that takes long. */
const stopping = new AbortController();

const starting = begin();
process.on('SIGTERM', () => void end());
process.on('SIGINT', () => void end());
process.on('disconnect', () => void endAfterOthers());
// The supervisor may have died before this process could listen for it.
if (!process.connected) void endAfterOthers();

async function begin(): Promise<{ redis: OwnRedis; url: string }> {
	try {
		const place = await makeRedisPlace(config.dataFolder);
		const redis = await runOwnRedis(place, log, stopping.signal);
		process.send?.({ type: 'ready', address: place.url });
		void redis.ended.then((lastLines) => {
			if (isStopping) process.exit(0);
			log.error({ lastLines: asList(lastLines) }, 'Redis stopped');
			process.exit(1);
		});
		return { redis, url: place.url };
	} catch (error) {
		if (isStopping) process.exit(0);
		if (!(error instanceof ConfigError)) throw error;
		process.stderr.write(`${error.message}\n`);
		process.exit(2);
	}
}

async function end(): Promise<never> {
	isStopping = true;
	stopping.abort();
	await (await starting).redis.stop();
	process.exit(0);
}

async function endAfterOthers(): Promise<void> {
	isStopping = true;
	const { url } = await starting;
	const redis = connectRedis(url, 'worker');
	redis.on('error', () => {}); // Without Redis, this process ends in a moment.
	const isOver = AbortSignal.timeout(config.stopSeconds * 1_000 + grace);
	const untilAlone = async () => {
		while (!isOver.aborted) {
			const clients = /^connected_clients:(\d+)/m.exec(await redis.info('clients'))?.[1];
			if (Number(clients) <= 1) return; // Only this connection is left.
			await sleep(100);
		}
	};
	await Promise.race([untilAlone(), untilAway(redis, isOver), once(isOver, 'abort')]);
	await end();
}
