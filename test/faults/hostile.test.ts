import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { json } from '../helpers/api.ts';
import { mixedPhotographs, quickRecipe, rounds, startForFaults } from '../helpers/faults.ts';
import { Ledger } from '../helpers/ledger.ts';
import {
	cut,
	extraTitle,
	gifDeclaring,
	photograph,
	pngChunk,
	pngDeclaring,
	sharedPictures,
} from '../helpers/pictures.ts';

const shared = sharedPictures('broken');

/** Files of which none may become a picture, with the classes that say so. */
async function badFiles(): Promise<{ name: string; bytes: Buffer; classes: readonly string[] }[]> {
	const jpeg = await photograph({ width: 1200, height: 900 });
	const png = await photograph({ width: 400, height: 300, format: 'png' });
	const webp = await photograph({ width: 400, height: 300, format: 'webp' });
	const broken = [jpeg, png, webp].flatMap((file) =>
		[10, 50, 90].map((percent) => ({
			name: `cut at ${percent} percent`,
			bytes: cut(file, percent),
			classes: ['corrupt'],
		})),
	);
	const other = (name: string, bytes: Buffer | string, ...classes: string[]) => ({
		name,
		bytes: Buffer.from(bytes),
		classes,
	});
	return [
		...broken,
		other('text', 'This is no picture at all, whatever it is called.'.repeat(50), 'unsupported'),
		other('HTML', '<!doctype html><html><script>alert(1)</script></html>'.repeat(20), 'unsupported'),
		other(
			'SVG',
			'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/><script>1</script></svg>',
			'unsupported',
		),
		other('empty', '', 'request'),
		other('huge PNG', pngDeclaring(200_000, 200_000), 'limit', 'corrupt'),
		other('a PNG of a picture too large', pngDeclaring(20_000, 20_000), 'limit', 'corrupt'),
		other('GIF of many frames', gifDeclaring({ width: 2_000, height: 2_000, frames: 5_000 }), 'limit', 'corrupt'),
		other('signature alone', Buffer.from([0xff, 0xd8, 0xff, 0xe0]), 'corrupt', 'unsupported'),
		other('noise with a signature', Buffer.concat([png.subarray(0, 40), noise(5_000)]), 'corrupt'),
		...(await Promise.all(
			shared.map(async ({ path }) => other(path.split('/').at(-1) ?? path, await readFile(path), 'corrupt')),
		)),
	];
}

/** Odd files that are sound pictures all the same. */
async function oddFiles(): Promise<Buffer[]> {
	const jpeg = await photograph({ width: 600, height: 400 });
	const png = await photograph({ width: 300, height: 200, format: 'png' });
	// Before the last chunk, whose place is fixed (12 bytes).
	const withChunk = (type: string, data: Buffer) =>
		Buffer.concat([png.subarray(0, -12), pngChunk(type, data), png.subarray(-12)]);
	return [
		// Two formats glued together: it is the first of them.
		Buffer.concat([jpeg, png]),
		Buffer.concat([png, jpeg]),
		withChunk('zzZz', noise(3_000_000)),
		await sharp(jpeg)
			.withExif({ IFD0: { ImageDescription: 'x'.repeat(50_000), Copyright: '<script>alert(1)</script>' } })
			.toBuffer(),
	];
}

function noise(length: number): Buffer {
	return Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 7919 + (at >> 3) * 104729) & 0xff));
}

describe.each(rounds)(extraTitle('hostile files among good ones, round %i', shared), () => {
	it('good pictures are ready, bad ones are classified, no process dies', { timeout: 240_000 }, async () => {
		const picpipe = await startForFaults({ ...quickRecipe, PICPIPE_ATTEMPTS: '2' });
		const { api, data } = await picpipe.ready();
		const pids = (['api', 'worker'] as const).map((role) => picpipe.pidOf(role));
		const good = new Ledger();
		const bad = await badFiles();
		const refused: string[] = [];
		const accepted = new Map<string, (typeof bad)[number]>();
		const uploadBad = async () => {
			for (const file of bad) {
				const response = await fetch(`${api}/v1/pictures`, {
					method: 'POST',
					body: new Uint8Array(file.bytes),
					headers: { 'content-type': 'image/jpeg' },
				});
				const answer = await json(response);
				if (response.ok) accepted.set(answer.id, file);
				else {
					expect(response.status, file.name).toBeGreaterThanOrEqual(400);
					expect(response.status, file.name).toBeLessThan(500);
					expect(file.classes, `${file.name}: ${answer.code}`).toContain(answer.class);
					refused.push(file.name);
				}
			}
		};
		await Promise.all([good.uploadAll(api, [...(await mixedPhotographs()), ...(await oddFiles())]), uploadBad()]);
		expect(good.refused).toEqual([]);
		expect(refused.length + accepted.size).toBe(bad.length);
		expect(refused).toEqual(expect.arrayContaining(['text', 'HTML', 'SVG', 'empty']));

		await good.untilFinished(`file:${data}`, 120_000);
		for (const id of accepted.keys()) good.accepted.set(id, { sha256: '' });
		await good.untilFinished(`file:${data}`, 60_000);
		await good.expectTold(picpipe.sink);
		for (const [id, file] of accepted) {
			const picture = await json(await fetch(`${api}/v1/pictures/${id}`));
			expect(picture, file.name).toMatchObject({ state: 'failed' });
			expect(file.classes, `${file.name}: ${picture.failure.code}`).toContain(picture.failure.class);
			// Whatever it is, whoever sent it can have it back.
			const original = Buffer.from(await (await fetch(api + picture.links.original)).arrayBuffer());
			expect(original.equals(file.bytes)).toBe(true);
			good.accepted.delete(id);
		}
		await good.expectWhole(`file:${data}`);
		expect((['api', 'worker'] as const).map((role) => picpipe.pidOf(role))).toEqual(pids);
		expect(picpipe.lines.filter(({ msg }) => msg === 'imaging process died')).toEqual([]);
	});
});
