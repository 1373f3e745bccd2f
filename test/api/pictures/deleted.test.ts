import { describe, expect, it } from 'vitest';
import { form, json, startTestApi } from '../../helpers/api.ts';
import { photograph } from '../../helpers/pictures.ts';
import { sendByTus } from '../../helpers/tus.ts';

const bytes = await photograph({ width: 60, height: 40 });

describe('a request that is repeated after its picture was deleted', () => {
	it('by tus-js-client sends the file anew', async () => {
		const api = await startTestApi();
		const first = await sendByTus(api.url, bytes);
		const resume = { uploadUrl: first.url };
		expect((await sendByTus(api.url, bytes, resume)).picture, 'resumed').toBe(first.picture);
		expect((await fetch(`${api.url}/v1/pictures/${first.picture}`, { method: 'DELETE' })).status).toBe(204);
		const again = await sendByTus(api.url, bytes, resume);
		expect(again).toMatchObject({ picture: expect.stringMatching(/^pic_/) });
		expect(again.url).not.toBe(first.url);
		expect(again.picture).not.toBe(first.picture);
		expect((await fetch(`${api.url}/v1/pictures/${again.picture}`)).status).toBe(200);
	});

	it('with one Idempotency-Key for several pictures is told of the deleted one, and gets the others', async () => {
		const api = await startTestApi();
		const upload = async () => {
			const body = form([
				['a.jpg', bytes],
				['b.jpg', bytes],
			]);
			const headers = { 'idempotency-key': '"several"' };
			const response = await fetch(`${api.url}/v1/pictures`, { method: 'POST', headers, body });
			return { status: response.status, body: await json(response) };
		};
		const [one, other] = (await upload()).body.pictures;
		expect((await fetch(`${api.url}/v1/pictures/${one.id}`, { method: 'DELETE' })).status).toBe(204);
		const repeated = await upload();
		expect(repeated.status).toBe(202);
		expect(repeated.body.pictures).toMatchObject([{ id: other.id }]);
		expect(repeated.body.refused).toMatchObject([{ problem: { code: 'picture-deleted', status: 410 } }]);
		expect((await fetch(`${api.url}/v1/pictures/${other.id}`, { method: 'DELETE' })).status).toBe(204);
		expect(await upload()).toMatchObject({ status: 410, body: { code: 'picture-deleted' } });
	});
});
