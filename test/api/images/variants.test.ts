import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { readManifest, writeManifest } from '../../../src/catalog/manifest.ts';
import { json, startTestApi, type TestApi } from '../../helpers/api.ts';
import { bytesOf, upload } from '../../helpers/delivery.ts';
import { ultraHdr } from '../../helpers/gain-map.ts';
import { photograph, similarity } from '../../helpers/pictures.ts';

const recipe = {
	variants: {
		plain: { steps: [{ resize: { width: 90 } }], encode: [{ png: {} }, { webp: { quality: 60 } }] },
		small: { steps: [{ resize: { width: 90 } }], encode: [{ auto: { formats: ['webp', 'jpeg'] } }, { png: {} }] },
		second: {
			from: 'small',
			steps: [{ resize: { width: 60 } }],
			encode: [{ gif: {} }, { auto: { formats: ['jpeg'] } }],
		},
	},
};

/** Flat and with edges, so that `auto` writes it without loss. */
function drawing(): Promise<Buffer> {
	const svg =
		'<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200"><rect width="300" height="200" fill="#fff"/><rect x="60" y="40" width="90" height="90" fill="#06c"/></svg>';
	return sharp(Buffer.from(svg)).png().toBuffer();
}

async function open(picture: Buffer, type: string): Promise<{ readonly api: TestApi; readonly id: string }> {
	const api = await startTestApi({ PICPIPE_INLINE_RECIPES: 'true', PICPIPE_DELIVERY_MEGABYTES: '0' });
	await api.startWorker();
	return { api, id: await upload(api, picture, { type, recipe }) };
}

describe('a variant whose file is missing', () => {
	it.each([
		['a drawing', drawing, 'image/png'],
		['a photograph', () => photograph({ width: 300, height: 200 }), 'image/jpeg'],
	])('of %s is made again unchanged, for both kinds of URLs and with a chosen format', async (_what, picture, type) => {
		const { api, id } = await open(await picture(), type);
		const manifest = await readManifest(api.storage, id);
		const variants = manifest?.variants ?? [];
		expect(variants).toHaveLength(6);
		for (const { name, format, key, type: mediaType } of variants) {
			const isFirst = variants.find((one) => one.name === name)?.format === format;
			const addresses = [
				`/v1/pictures/${id}/variants/${name}.${format}`,
				`/img/unsafe/variant:${name}:${format}/plain/${id}`,
				...(isFirst ? [`/v1/pictures/${id}/variants/${name}`, `/img/unsafe/variant:${name}/plain/${id}`] : []),
			];
			const before = await bytesOf(await fetch(api.url + addresses[0]));
			await api.storage.delete(key);
			for (const address of addresses) {
				const answer = await fetch(api.url + address);
				expect([address, answer.status, answer.headers.get('content-type')]).toEqual([address, 200, mediaType]);
				const made = await bytesOf(answer);
				// Made alone, a photograph is scaled from another size of the decoder.
				if (type === 'image/png') expect(made.equals(before), address).toBe(true);
				else expect(await similarity(made, before), address).toBeGreaterThan(0.9);
			}
		}
	});

	it('lies as in the file where its recipe says so', async () => {
		const api = await startTestApi({ PICPIPE_INLINE_RECIPES: 'true', PICPIPE_DELIVERY_MEGABYTES: '0' });
		await api.startWorker();
		const stored = { orient: false, steps: [{ resize: { width: 90 } }], encode: [{ png: {} }] };
		const upright = { steps: [{ resize: { width: 60 } }], encode: [{ png: {} }] };
		const picture = await photograph({ width: 200, height: 300, orientation: 6 });
		const variants = { stored, upright, further: { from: 'stored', steps: [{ flop: {} }], encode: [{ png: {} }] } };
		const id = await upload(api, picture, { type: 'image/jpeg', recipe: { variants } });
		const manifest = await readManifest(api.storage, id);
		for (const { name, key, width, height } of manifest?.variants ?? []) {
			const before = await bytesOf(await fetch(`${api.url}/v1/pictures/${id}/variants/${name}`));
			await api.storage.delete(key);
			const made = await bytesOf(await fetch(`${api.url}/img/unsafe/variant:${name}/plain/${id}`));
			expect(await sharp(made).metadata(), name).toMatchObject({ width, height });
			expect(await similarity(made, before), name).toBeGreaterThan(0.9);
			expect([name, width, height]).toEqual(name === 'upright' ? [name, 60, 90] : [name, 90, 60]);
		}
		expect(manifest?.variants).toHaveLength(3);
	});

	it('is not guessed if its format was never chosen, and is a 404 if the recipe does not have it', async () => {
		const { api, id } = await open(await photograph({ width: 300, height: 200 }), 'image/jpeg');
		const manifest = await readManifest(api.storage, id);
		if (!manifest) throw new Error('no manifest');
		await writeManifest(api.storage, { ...manifest, variants: [] });
		const problemOf = async (variant: string) => {
			const answer = await fetch(`${api.url}/img/unsafe/variant:${variant}/plain/${id}`);
			const { code, detail } = await json(answer);
			return [answer.status, code, detail];
		};
		expect(await problemOf('small:webp')).toEqual([
			404,
			'variant-not-found',
			'Expected a variant in the format that its encoder chose but "small.webp" does not exist yet, or its format is different.',
		]);
		expect(await problemOf('small:gif')).toEqual([
			404,
			'variant-not-found',
			'Expected a variant of small.webp, small.jpeg, small.png but received "small.gif".',
		]);
		expect(await problemOf('large')).toEqual([
			404,
			'variant-not-found',
			'Expected a variant of plain, small, second but received "large".',
		]);
		// The first of its encodings that can be made.
		const answer = await fetch(`${api.url}/img/unsafe/variant:small/plain/${id}`);
		expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'image/png']);
	});
});

it('Ultra HDR goes through imaging processes, with and without its gain map', async () => {
	const api = await startTestApi({ PICPIPE_INLINE_RECIPES: 'true', PICPIPE_DELIVERY_MEGABYTES: '0' });
	await api.startWorker();
	const steps = [{ resize: { width: 160 } }];
	const variants = {
		kept: { hdr: 'keep', steps, encode: [{ jpeg: {} }] },
		usual: { steps, encode: [{ jpeg: {} }] },
	};
	const file = await ultraHdr({ width: 320, height: 240, orientation: 6 });
	const id = await upload(api, file, { type: 'image/jpeg', recipe: { variants } });
	const shown = await json(await fetch(`${api.url}/v1/pictures/${id}`));
	expect(shown).toMatchObject({ state: 'ready', facts: { width: 320, height: 240, gainMap: true } });
	const gainMapOf = async (data: Buffer) => (await sharp(data).metadata()).gainMap !== undefined;
	for (const { name, key, dropped, width, height } of (await readManifest(api.storage, id))?.variants ?? []) {
		expect([name, width, height, dropped]).toEqual([name, 160, 120, name === 'kept' ? undefined : ['gain-map']]);
		const before = await bytesOf(await fetch(`${api.url}/v1/pictures/${id}/variants/${name}`));
		await api.storage.delete(key);
		const again = await bytesOf(await fetch(`${api.url}/img/unsafe/variant:${name}/plain/${id}`));
		expect([name, await gainMapOf(before), await gainMapOf(again)]).toEqual([name, name === 'kept', name === 'kept']);
	}
});
