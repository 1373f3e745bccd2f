import sharp from 'sharp';
import { describe, expect, it, onTestFinished } from 'vitest';
import { form, json, untilFinished } from '../../helpers/api.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { gifDeclaring, photograph } from '../../helpers/pictures.ts';
import { PicpipeProcess } from '../../helpers/processes.ts';

/** Small enough that pictures beyond them are made quickly. */
const limits = {
	PICPIPE_MAX_BYTES: '60000',
	PICPIPE_MAX_MEGAPIXELS: '1',
	PICPIPE_MAX_DIMENSION: '1500',
	PICPIPE_MAX_OUTPUT_DIMENSION: '300',
	PICPIPE_MAX_FRAMES: '4',
	PICPIPE_SVG: 'true',
	PICPIPE_MAX_SVG_BYTES: '2000',
	PICPIPE_MAX_SVG_ELEMENTS: '5',
	PICPIPE_INLINE_RECIPES: 'true',
};

const recipe = (width: number) =>
	JSON.stringify({ variants: { only: { steps: [{ resize: { width } }], encode: [{ webp: {} }] } } });

function flat(width: number, height: number): Promise<Buffer> {
	return sharp({ create: { width, height, channels: 3, background: '#336699' } })
		.png()
		.toBuffer();
}

function svg(elements: number, more = ''): Buffer {
	const shapes = '<rect width="9" height="9"/>'.repeat(elements - 1);
	return Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">${shapes}<!--${more}--></svg>`);
}

describe('lowered limits of pictures', () => {
	it('refuse pictures beyond them, each with its code, and accept the others', async () => {
		const picpipe = new PicpipeProcess({ folder: await temporaryFolder(), environment: limits });
		onTestFinished(() => picpipe.destroy());
		const { api: url } = await picpipe.ready();
		const upload = async (file: Buffer, width = 300) => {
			const body = form([['a', file]], ['recipe', recipe(width)]);
			const answer = await json(await fetch(`${url}/v1/pictures`, { method: 'POST', body }));
			if (!answer.id) return { refused: answer };
			const { state, failure } = await untilFinished({ url }, answer.id);
			return { state, failure };
		};

		// Before anything is queued.
		for (const file of [await photograph({ width: 600, height: 500, format: 'png' }), svg(3, 'x'.repeat(2_000))]) {
			const { refused } = await upload(file);
			expect(refused).toMatchObject({ status: 413, code: 'file-too-large', class: 'limit' });
		}
		const beyond = [
			['too-many-pixels', 'at most 1 million pixels', await flat(1_200, 900)],
			['too-many-pixels', '1100 × 1000', gifDeclaring({ width: 1_100, height: 1_000, frames: 4 })],
			['too-wide-or-high', 'at most 1500 pixels', await flat(1_501, 10)],
			['too-many-frames', 'at most 4 frames', gifDeclaring({ width: 10, height: 10, frames: 5 })],
			['too-many-elements', 'at most 5 elements', svg(6)],
			['output-too-large', 'PICPIPE_MAX_OUTPUT_DIMENSION', await flat(20, 20), 301],
		] as const;
		for (const [code, words, file, width] of beyond) {
			const { state, failure } = await upload(file, width);
			expect({ state, ...failure }, code).toMatchObject({
				state: 'failed',
				class: 'limit',
				code,
				message: expect.stringContaining(words),
				attempt: 1,
			});
		}

		const within = [
			await flat(1_000, 1_000),
			await flat(1_500, 10),
			gifDeclaring({ width: 500, height: 500, frames: 4 }),
			// Its frames are read a few at a time.
			gifDeclaring({ width: 600, height: 500, frames: 4 }),
			svg(5),
		];
		for (const file of within) expect(await upload(file)).toEqual({ state: 'ready', failure: undefined });
		expect((await picpipe.stop()).code).toBe(0);
	});
});
