import { run, start } from './scale-store.mjs';
import { getJson } from './sides.mjs';

/** How often each list is asked for. */
const repeats = 20;

/** The CPU time of a whole rebuild, and what Redis holds afterwards. */
export async function measureRebuild(place) {
	const { redis, size } = place;
	const [memory, before] = [await redis.memory(), await redis.commands()];
	const own = await run(place, 'reindex');
	const after = await redis.commands();
	return {
		rebuild: { value: (own + (after.usec - before.usec) / 1_000) / size, unit: 'ms CPU a picture' },
		'kept in Redis': { value: ((await redis.memory()) - memory) / size, unit: 'bytes a picture' },
	};
}

/** What a page of a list asks of Redis, with matches and without. */
export async function measureLists(place) {
	const api = await start(place, 'api');
	try {
		const { address } = await api.until(({ msg }) => msg === 'API is listening');
		const cost = async (query) => {
			const url = `${address}/v1/pictures?${query}`;
			await getJson(url);
			const before = await place.redis.commands();
			for (let at = 0; at < repeats; at++) await getJson(url);
			const after = await place.redis.commands();
			// The two questions for the figures are commands too.
			return { value: (after.usec - before.usec) / 1_000 / repeats, unit: 'ms of Redis' };
		};
		return {
			'first page': await cost('limit=20'),
			'state and tag': await cost('state=ready&tag=tag-3&limit=20'),
			'no match': await cost('tag=tag-3&state=queued&limit=20'),
		};
	} finally {
		await api.stop();
	}
}
