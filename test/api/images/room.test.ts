import { expect, it } from 'vitest';
import { connected } from '../../helpers/connection.ts';
import { bytesOf, ready, signed } from '../../helpers/delivery.ts';
import { photograph } from '../../helpers/pictures.ts';

it('renders beyond their space are deleted by the sweep, made again on request, and not counted after a deletion', async () => {
	const { api, id } = await ready(
		{ PICPIPE_RENDER_MEGABYTES: '1', PICPIPE_DELIVERY_MEGABYTES: '0' },
		await photograph({ width: 1_200, height: 900 }),
	);
	const redis = await connected();
	const taken = async () => Number(await redis.get(`${api.config.redisPrefix}:renders:total`));
	const renders = async () => (await api.keys()).filter((key) => key.includes('/render-'));
	const bytesAt = async (width: number) => {
		const answer = await fetch(api.url + signed(`/w:${width}/plain/${id}@png`));
		expect(answer.status).toBe(200);
		return (await bytesOf(answer)).length;
	};
	let sum = 0;
	for (const width of [800, 810, 820, 830]) sum += await bytesAt(width);
	expect(sum).toBeGreaterThan(1_000_000);
	expect([await taken(), (await renders()).length]).toEqual([sum, 4]);
	const { rendersTrimmed } = await api.sweep();
	expect(rendersTrimmed).toBeGreaterThan(0);
	expect(await renders()).toHaveLength(4 - rendersTrimmed);
	expect(await taken()).toBeLessThanOrEqual(1_000_000);
	await bytesAt(800);
	expect((await fetch(`${api.url}/v1/pictures/${id}`, { method: 'DELETE' })).status).toBe(204);
	expect([await taken(), await api.keys()]).toEqual([0, []]);
});
