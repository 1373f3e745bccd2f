import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { photograph } from '../../helpers/pictures.ts';
import { analyse, boxes } from './subjects.ts';

async function phash(file: Buffer): Promise<string> {
	const { phash } = await analyse(file, 'phash');
	expect(phash).toMatch(/^[0-9a-f]{16}$/);
	return phash ?? '';
}

/** Bits that differ, counted another way than the index does. */
function apart(one: string, other: string): number {
	return [...(BigInt(`0x${one}`) ^ BigInt(`0x${other}`)).toString(2)].filter((bit) => bit === '1').length;
}

const original = () => photograph({ width: 800, height: 600 });

describe('phash', () => {
	it.each<[string, (file: Buffer) => Promise<Buffer>]>([
		['half the size', (file) => sharp(file).resize(400).png().toBuffer()],
		['a sixth of the size', (file) => sharp(file).resize(133).png().toBuffer()],
		['a poor JPEG', (file) => sharp(file).jpeg({ quality: 25 }).toBuffer()],
		['a WebP of another size', (file) => sharp(file).resize(500).webp({ quality: 60 }).toBuffer()],
		['without colours', (file) => sharp(file).greyscale().png().toBuffer()],
		['a little brighter', (file) => sharp(file).linear(1.05, 4).png().toBuffer()],
		['a little blurred', (file) => sharp(file).blur(1.5).png().toBuffer()],
		['distorted a little', (file) => sharp(file).resize(700, 600, { fit: 'fill' }).png().toBuffer()],
	])('stays near for the same picture %s', async (_how, change) => {
		const file = await original();
		expect(apart(await phash(file), await phash(await change(file)))).toBeLessThanOrEqual(5);
	});

	it('is equal for equal bytes, and for all orientations of one picture', async () => {
		const [upright, turned] = await Promise.all(
			[1, 6].map(async (orientation) => phash(await photograph({ width: 600, height: 400, orientation }))),
		);
		expect(await phash(await original())).toBe(await phash(await original()));
		expect(apart(upright ?? '', turned ?? '')).toBeLessThanOrEqual(3);
	});

	it.each<[string, (file: Buffer) => Promise<Buffer>]>([
		['mirrored', (file) => sharp(file).flop().png().toBuffer()],
		['upside down', (file) => sharp(file).rotate(180).png().toBuffer()],
		['its negative', (file) => sharp(file).negate({ alpha: false }).png().toBuffer()],
		['only its left top', (file) => sharp(file).extract({ left: 0, top: 0, width: 400, height: 300 }).png().toBuffer()],
	])('is far for the picture %s', async (_how, change) => {
		const file = await original();
		expect(apart(await phash(file), await phash(await change(file)))).toBeGreaterThan(16);
	});

	it('is different for other drawings', async () => {
		const drawings = await Promise.all(
			[
				{ left: 20, top: 20, width: 80, height: 200 },
				{ left: 200, top: 30, width: 90, height: 60 },
				{ left: 120, top: 140, width: 160, height: 80 },
			].map((box) => boxes(320, 240, '#ffffff', { ...box, colour: '#203040' }).then(phash)),
		);
		for (const [index, one] of drawings.entries()) {
			for (const other of drawings.slice(index + 1)) expect(apart(one, other)).toBeGreaterThan(16);
		}
	});

	it('treats transparent pixels as white', async () => {
		const box = { left: 40, top: 30, width: 90, height: 120, colour: '#203040' };
		const [transparent, white] = [await boxes(320, 240, '#00000000', box), await boxes(320, 240, '#ffffff', box)];
		// Edges come out a little different where there is nothing to mix with.
		expect(apart(await phash(transparent), await phash(white))).toBeLessThanOrEqual(2);
	});

	it('is all zeros for a single colour', async () => {
		expect(
			await phash(
				await sharp(await boxes(300, 200, '#336699'))
					.jpeg({ quality: 60 })
					.toBuffer(),
			),
		).toBe('0'.repeat(16));
	});
});
