import { writeFile } from 'node:fs/promises';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { signCloudinary } from '../../../src/delivery/dialects/cloudinary.ts';
import { json } from '../../helpers/api.ts';
import { bytesOf, ready, signatureOf, signed } from '../../helpers/delivery.ts';
import { temporaryFolder } from '../../helpers/folder.ts';

const secret = 'a-secret-of-cloudinary';

it('with presets only, every dialect refuses other options, signed or not, and expiring URLs cannot be signed', async () => {
	const folder = await temporaryFolder();
	await writeFile(
		`${folder}/recipes.yaml`,
		'presets: { imgproxy: { small: "rs:fit:90:90" }, ipx: { small: "w_90" }, cloudinary: { small: "c_fit,w_90,h_90" } }\n',
	);
	const { api, id } = await ready({
		PICPIPE_RECIPES: `${folder}/recipes.yaml`,
		PICPIPE_PRESETS_ONLY: 'true',
		PICPIPE_IPX: 'true',
		PICPIPE_CLOUDINARY: 'true',
		PICPIPE_CLOUDINARY_SECRETS: secret,
	});
	const cloudinary = (text: string) => `/cld/demo/image/upload/${signCloudinary(text, secret)}/${text}`;
	const ipx = (path: string) => `/ipx${path}?s=${signatureOf(path)}`;
	for (const address of [
		`/img/unsafe/small/plain/${id}@png`,
		signed(`/small/plain/${id}@png`),
		`/ipx/preset_small/${id}`,
		ipx(`/preset_small/${id}`),
		`/cld/demo/image/upload/t_small/${id}.png`,
		cloudinary(`t_small/${id}.png`),
	]) {
		const answer = await fetch(api.url + address);
		expect([address, answer.status]).toEqual([address, 200]);
		expect(await sharp(await bytesOf(answer)).metadata()).toMatchObject({ width: 90, height: 60 });
	}
	for (const address of [
		`/img/unsafe/w:80/plain/${id}@png`,
		signed(`/pr:small/w:80/plain/${id}@png`),
		`/ipx/w_80/${id}`,
		ipx(`/preset_small,w_80/${id}`),
		`/cld/demo/image/upload/c_fit,w_80/${id}.png`,
		cloudinary(`t_small/c_fit,w_80/${id}.png`),
	]) {
		const answer = await fetch(api.url + address);
		expect([address, answer.status, (await json(answer)).code]).toEqual([address, 400, 'invalid-delivery-url']);
	}

	const sign = (body: object) =>
		fetch(`${api.url}/v1/sign`, {
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: JSON.stringify({ options: 'small', id, format: 'png', ...body }),
		});
	const made = await json(await sign({}));
	expect((await fetch(made.url)).status).toBe(200);
	const refused = await sign({ expires: 60 });
	expect([refused.status, await json(refused)]).toMatchObject([
		400,
		{ code: 'option-unsupported', detail: expect.stringContaining('Expected no expiry') },
	]);
});
