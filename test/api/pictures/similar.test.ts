import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { form, json, startTestApi, type TestApi, untilFinished } from '../../helpers/api.ts';
import { photograph } from '../../helpers/pictures.ts';

const recipe = JSON.stringify({
	analyse: ['phash', 'placeholder', 'exif', 'element'],
	variants: {
		small: { steps: [{ resize: { width: 80 } }], encode: [{ webp: {} }, { jpeg: {} }] },
		tiny: { from: 'small', steps: [{ resize: { width: 40 } }], encode: [{ webp: {} }] },
	},
});

async function finish(api: TestApi, bytes: Buffer, filename: string, asked = recipe) {
	const answer = await fetch(`${api.url}/v1/pictures`, {
		method: 'POST',
		body: form([[filename, bytes]], ['recipe', asked]),
	});
	return untilFinished(api, (await json(answer)).id);
}

async function similar(api: TestApi, id: string, query = '') {
	const answer = await fetch(`${api.url}/v1/pictures/${id}/similar${query}`);
	expect(answer.status).toBe(200);
	return json(answer);
}

describe('GET /v1/pictures/{id}/similar', () => {
	it('finds similar pictures after deletions, loss of the index and with another recipe', async () => {
		const api = await startTestApi({ PICPIPE_INLINE_RECIPES: 'true' });
		await api.startWorker();
		const file = await photograph({ width: 640, height: 480, gps: true });
		const original = await finish(api, file, 'light & <house>.jpg');
		const smaller = await finish(api, await sharp(file).resize(200).webp({ quality: 70 }).toBuffer(), 'smaller.webp');
		const mirrored = await finish(api, await sharp(file).flop().toBuffer(), 'mirrored.jpg');
		expect(original.links.similar).toBe(`/v1/pictures/${original.id}/similar`);

		const found = await similar(api, original.id);
		const { job: _job, ...links } = smaller.links;
		expect(found).toMatchObject({ complete: true, pictures: [{ picture: { id: smaller.id, links } }] });
		expect(found.pictures[0].distance).toBeLessThanOrEqual(5);
		expect((await similar(api, smaller.id)).pictures.map((one: { picture: { id: string } }) => one.picture.id)).toEqual(
			[original.id],
		);
		expect((await similar(api, mirrored.id)).pictures).toEqual([]);
		expect((await similar(api, original.id, '?distance=11&limit=1')).pictures).toHaveLength(1);

		// What else the recipe asked for: no place among it, and the file's name made harmless.
		expect(original.analysis).toMatchObject({ exif: { make: 'Picpipe Camera Works' } });
		expect(JSON.stringify(original)).not.toMatch(/latitude|Ada Private/i);
		const { element, placeholder } = original.analysis;
		const variants = `/v1/pictures/${original.id}/variants`;
		expect(element).toContain(
			`<source type="image/webp" srcset="${variants}/tiny.webp 40w, ${variants}/small.webp 80w"`,
		);
		expect(element).toContain(`<img src="${variants}/small.jpeg"`);
		expect(element).toContain('width="80" height="60" alt="light &amp; &lt;house&gt;"');
		expect(element).toContain(`url(${placeholder})`);

		await api.loseIndex();
		expect((await similar(api, original.id)).pictures).toEqual([]);
		await api.reindex();
		expect((await similar(api, original.id)).pictures).toHaveLength(1);

		await fetch(`${api.url}/v1/pictures/${smaller.id}`, { method: 'DELETE' });
		expect((await similar(api, original.id)).pictures).toEqual([]);

		const process = (id: string) =>
			fetch(`${api.url}/v1/pictures/${id}/process`, {
				method: 'POST',
				body: JSON.stringify({ recipe: { variants: { small: { encode: [{ webp: {} }] } } } }),
				headers: { 'content-type': 'application/json' },
			});
		expect((await process(original.id)).status).toBe(202);
		const without = await untilFinished(api, original.id);
		expect(without.analysis).toEqual({});
		expect(without.links).not.toHaveProperty('similar');
		const refused = await fetch(`${api.url}/v1/pictures/${original.id}/similar`);
		expect(refused.status).toBe(409);
		expect(await json(refused)).toMatchObject({ code: 'not-hashed' });
	});

	it('compares pictures of different built-in recipes', async () => {
		const api = await startTestApi();
		await api.startWorker();
		const file = await photograph({ width: 640, height: 480 });
		const post = async (bytes: Buffer, ...fields: [string, string][]) => {
			const answer = await fetch(`${api.url}/v1/pictures`, {
				method: 'POST',
				body: form([['a.jpg', bytes]], ...fields),
			});
			return untilFinished(api, (await json(answer)).id);
		};
		const original = await post(file);
		const avatar = await post(await sharp(file).resize(320).toBuffer(), ['recipe', 'avatar']);
		const found = await similar(api, avatar.id);
		expect(found.pictures.map((one: { picture: { id: string } }) => one.picture.id)).toEqual([original.id]);
	});

	it('refuses invalid requests', async () => {
		const api = await startTestApi();
		const { id } = await json(
			await fetch(`${api.url}/v1/pictures`, {
				method: 'POST',
				body: form([['a.jpg', await photograph({ width: 64, height: 48 })]]),
			}),
		);
		const code = async (path: string) => (await json(await fetch(`${api.url}/v1/pictures/${path}`))).code;
		expect(await code(`${id}/similar`)).toBe('not-hashed');
		expect(await code(`${id}/similar?distance=12`)).toBe('invalid-field');
		expect(await code(`${id}/similar?limit=0`)).toBe('invalid-field');
		expect(await code(`${id}/similar?near=1`)).toBe('unknown-field');
		expect(await code('pic_01h455vb4pex5vsknk084sn02q/similar')).toBe('picture-not-found');
	});
});
