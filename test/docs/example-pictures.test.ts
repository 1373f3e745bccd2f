import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { differenceOf, examplePictures, picturesOf } from '../../scripts/docs/example-pictures.ts';
import { sceneSize } from '../../scripts/docs/scene.ts';
import { operations } from '../../src/operations/index.ts';

const folder = fileURLToPath(new URL('../../docs/reference/pictures', import.meta.url));

let made: ReadonlyMap<string, Buffer>;
beforeAll(async () => {
	made = await examplePictures();
});

function picture(name: string): Buffer {
	return made.get(name) ?? expect.fail(`There is no ${name}.`);
}

/** The same picture as another version of the codec would write it. */
function written(file: Buffer, quality: number): Promise<Buffer> {
	return sharp(file).keepXmp().webp({ quality }).toBuffer();
}

describe('the example pictures', () => {
	it.each(operations)('show what $name does, at the size that it predicts', async (operation) => {
		const { before, after } = picturesOf(operation);
		const [from, to] = await Promise.all([before, after].map((name) => sharp(picture(name)).metadata()));
		expect(from).toMatchObject({ format: 'webp', ...sceneSize });
		const { output, isAtMost } = operation.predict(sceneSize, operation.schema.parse(operation.example));
		if (!isAtMost) expect(to).toMatchObject(output);
		// A reader has to see the difference.
		if (to?.width !== from?.width || to?.height !== from?.height) return;
		const [one, other] = await Promise.all(
			[before, after].map((name) => sharp(picture(name)).ensureAlpha().raw().toBuffer()),
		);
		const difference = (one as Buffer).reduce(
			(sum, value, at) => sum + Math.abs(value - ((other as Buffer)[at] ?? 0)),
			0,
		);
		expect(difference / (one as Buffer).length).toBeGreaterThan(1);
	});

	it('are all in the reference, together less than a megabyte', async () => {
		expect((await readdir(folder)).sort()).toEqual([...made.keys()].sort());
		const sizes = await Promise.all([...made.keys()].map(async (name) => (await stat(join(folder, name))).size));
		expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(1_000_000);
		const page = await readFile(join(folder, '../operations.md'), 'utf8');
		for (const operation of operations) {
			const { before, after } = picturesOf(operation);
			expect(page).toContain(`| ![before](pictures/${before}) | ![after ${operation.name}](pictures/${after}) |`);
		}
	});
});

describe('the comparison of a stored picture with what is made now', () => {
	it('forgives what another version of a codec does', async () => {
		for (const [name, file] of made) {
			expect(await differenceOf(name, await written(file, 60), file), name).toBeUndefined();
		}
	});

	it('tells every other picture', async () => {
		const names = [...made.keys()];
		for (const [index, name] of names.entries()) {
			const other = names.at(index - 1) ?? '';
			expect(await differenceOf(name, picture(other), picture(name)), `${other} for ${name}`).toBeTypeOf('string');
		}
	});

	it('tells what went wrong with it', async () => {
		const file = picture('blur.webp');
		expect(await differenceOf('blur.webp', Buffer.from('no picture'), file)).toBe('is no picture');
		const smaller = await sharp(file).keepXmp().resize(300).webp().toBuffer();
		expect(await differenceOf('blur.webp', smaller, file)).toBe('is webp of 300 × 200 and not webp of 600 × 400');
		expect(await differenceOf('blur.webp', await sharp(file).webp().toBuffer(), file)).toBe('was made by other steps');
		for (const [what, wrong] of [
			['another blur', sharp(picture('before-scene.webp')).blur(11)],
			['other colours', sharp(file).modulate({ hue: 20 })],
			['a little darker', sharp(file).linear(0.95)],
		] as const) {
			const { xmp } = await sharp(file).metadata();
			const stored = await wrong
				.withXmp(xmp?.toString() ?? '')
				.webp({ quality: 75 })
				.toBuffer();
			expect(await differenceOf('blur.webp', stored, file), what).toMatch(/^looks different/);
		}
	});
});
