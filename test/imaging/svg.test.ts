import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { photograph } from '../helpers/pictures.ts';
import { type PoolFixture, startPool } from './pool-fixture.ts';

const limits = { maxMegapixels: 50, maxDimension: 30_000, maxFrames: 1_000, maxOutputDimension: 30_000 };
const svg = { maxBytes: 1_000_000, maxElements: 10_000 };

let fixture: PoolFixture | undefined;
afterEach(async () => {
	delete process.env.VIPS_BLOCK_UNTRUSTED;
	await fixture?.stop();
	fixture = undefined;
});

async function open(...options: Parameters<typeof startPool>): Promise<PoolFixture> {
	fixture = await startPool(...options);
	return fixture;
}

const drawing = Buffer.from(
	'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 30 20"><rect width="30" height="20" fill="#f00"/></svg>',
);
const recipe = { variants: { only: { steps: [{ resize: { width: 300 } }], encode: [{ png: {} }] } } };

describe('an SVG in an imaging process', () => {
	it.each([undefined, '1'])('is rasterised if enabled, with VIPS_BLOCK_UNTRUSTED=%s', async (blocked) => {
		if (blocked) process.env.VIPS_BLOCK_UNTRUSTED = blocked;
		const { task, run } = await open({ processes: 1, limits: { ...limits, svg } });
		const work = run(await task(drawing, recipe));
		expect((await work.result).facts).toMatchObject({ format: 'svg', width: 30, height: 20 });
		const { channels, isOpaque } = await sharp(work.outputs[0]?.data).stats();
		expect(isOpaque).toBe(true);
		expect(channels.slice(0, 3).map(({ mean }) => mean)).toEqual([255, 0, 0]);
		expect(work.outputs[0]).toMatchObject({ width: 300, height: 200 });
		// Everything else goes on as always.
		await run(await task(await photograph({ width: 400, height: 300 }))).result;
	});

	it('is refused if disabled, even within another picture', async () => {
		const { task, run } = await open({ processes: 1 });
		await expect(run(await task(drawing, recipe)).result).rejects.toMatchObject({ code: 'unsupported-type' });
	});

	it('ends with its process if it takes too long', async () => {
		const { task, run } = await open({ processes: 1, pictureSeconds: 2, limits: { ...limits, svg } });
		const blurs = '<feTurbulence numOctaves="100"/><feGaussianBlur stdDeviation="500"/>'.repeat(100);
		const endless = `<svg xmlns="http://www.w3.org/2000/svg" width="6000" height="6000"><filter id="f">${blurs}</filter><rect width="6000" height="6000" filter="url(#f)"/></svg>`;
		const started = performance.now();
		const work = run(await task(Buffer.from(endless), recipe));
		await expect(work.result).rejects.toMatchObject({ code: 'picture-timeout', class: 'limit' });
		expect(performance.now() - started).toBeLessThan(10_000);
		await run(await task(drawing, recipe)).result;
	});

	it('of many parts waits its turn like one of many pixels', async () => {
		const { task, run } = await open({
			processes: 2,
			megapixelsInFlight: 1,
			limits: { ...limits, svg: { maxBytes: 5_000_000, maxElements: 100_000 } },
		});
		// 20,000 elements count as 1.7 million pixels: each of them has to be alone.
		const parts = '<path d="M0 0L30 20"/>'.repeat(20_000);
		const file = Buffer.from(drawing.toString().replace('</svg>', `${parts}</svg>`));
		const works = [run(await task(file, recipe)), run(await task(file, recipe))];
		await Promise.all(works.map(({ result }) => result));
		const [first, second] = works
			.map(({ steps }) => steps)
			.sort((a, b) => (a[0]?.startedAt ?? 0) - (b[0]?.startedAt ?? 0));
		const last = first?.at(-1);
		// A few milliseconds of grace: start and length come from different clocks.
		expect(second?.[0]?.startedAt).toBeGreaterThanOrEqual((last?.startedAt ?? 0) + (last?.milliseconds ?? 0) - 5);
	});
});
