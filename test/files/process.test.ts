import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { findPictures } from '../../src/files/find.ts';
import { formatBytes, progressLine } from '../../src/files/summary.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { cut, photograph, similarity } from '../helpers/pictures.ts';
import { runPicpipe } from '../helpers/processes.ts';

async function run(folder: string, ...args: string[]) {
	return runPicpipe({ folder, command: 'process', arguments: args });
}

describe('picpipe process', () => {
	it('makes the variants of files and folders, lists them and a table, and needs no Redis', async () => {
		const folder = await temporaryFolder();
		const photo = await photograph({ width: 1000, height: 700, orientation: 6 });
		await mkdir(join(folder, 'in/holiday day'), { recursive: true });
		await writeFile(join(folder, 'in/holiday day/beach (1).jpg'), photo);
		await writeFile(join(folder, 'in/holiday day/notes.txt'), 'no picture');
		await writeFile(join(folder, 'in/same.png'), await photograph({ width: 300, height: 200, format: 'png' }));
		await writeFile(join(folder, 'in/same.webp'), await photograph({ width: 300, height: 200, format: 'webp' }));
		const out = join(folder, 'out');
		const { code, output } = await run(folder, join(folder, 'in'), '--recipe', 'web', '--out', out);
		expect(output).toContain('3 of 3 pictures');
		expect(code).toBe(0);
		const files = (await readdir(out, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
		expect(files).toHaveLength(12);
		expect(await readdir(join(out, 'holiday day'))).toEqual([
			'beach (1)-large.webp',
			'beach (1)-medium.webp',
			'beach (1)-small.webp',
			'beach (1)-thumb.webp',
		]);
		expect(await readdir(out)).toContain('same.png-thumb.webp');
		const small = join(out, 'holiday day/beach (1)-small.webp');
		expect(await sharp(small).metadata()).toMatchObject({ width: 400, height: 280 });
		const expected = await sharp(photo).autoOrient().resize(400).png().toBuffer();
		expect(await similarity(await sharp(small).png().toBuffer(), expected)).toBeGreaterThan(0.97);
	});

	it('continues after a broken file, reports the reason, and exits with 1', async () => {
		const folder = await temporaryFolder();
		await writeFile(join(folder, 'good.jpg'), await photograph({ width: 320, height: 240 }));
		await writeFile(join(folder, 'half.jpg'), cut(await photograph({ width: 320, height: 240 }), 50));
		await writeFile(join(folder, 'text.jpg'), 'no picture');
		const named = ['half.jpg', 'text.jpg', 'good.jpg'].map((name) => join(folder, name));
		const { code, output } = await run(folder, ...named, '--out', join(folder, 'out'));
		expect(code).toBe(1);
		expect(output).toContain('1 of 3 pictures');
		expect(output).toMatch(/failed: .*half\.jpg: .*\(corrupt, corrupt-picture\)/);
		expect(output).toMatch(/failed: .*text\.jpg: .*\(unsupported, unsupported-type\)/);
		expect((await readdir(join(folder, 'out'))).every((name) => name.startsWith('good-'))).toBe(true);
	});

	it('says which variants are less than their recipe asks for', async () => {
		const folder = await temporaryFolder();
		const long = sharp({ create: { width: 16_500, height: 100, channels: 3, background: '#336699' } });
		await long.png().toFile(join(folder, 'long.png'));
		const recipes = { whole: { variants: { whole: { encode: [{ webp: {} }, { jpeg: {} }] } } } };
		await writeFile(join(folder, 'recipes.json'), JSON.stringify({ recipes }));
		const { code, output } = await runPicpipe({
			folder,
			command: 'process',
			arguments: [join(folder, 'long.png'), '--recipe', 'whole', '--out', join(folder, 'out')],
			environment: { PICPIPE_RECIPES: join(folder, 'recipes.json') },
		});
		expect(code).toBe(0);
		expect(output.match(/^limited: .*$/gm)).toEqual([
			expect.stringMatching(/long-whole\.webp: .*16500 × 100 was scaled down to 16383 × 99/),
		]);
	});

	it('writes the variants that it can make, names the others, and exits with 1', async () => {
		const folder = await temporaryFolder();
		await writeFile(join(folder, 'photo.jpg'), await photograph({ width: 320, height: 240 }));
		const variants = { small: { encode: [{ webp: {} }] }, second: { page: 2, encode: [{ webp: {} }] } };
		await writeFile(join(folder, 'recipes.json'), JSON.stringify({ recipes: { pages: { variants } } }));
		const { code, output } = await runPicpipe({
			folder,
			command: 'process',
			arguments: [join(folder, 'photo.jpg'), '--recipe', 'pages', '--out', join(folder, 'out')],
			environment: { PICPIPE_RECIPES: join(folder, 'recipes.json') },
		});
		expect(code).toBe(1);
		expect(output).toContain('1 of 1 pictures');
		expect(output).toMatch(/failed: .*photo\.jpg, variant second: Expected .*\(unsupported, no-such-page\)/);
		expect(await readdir(join(folder, 'out'))).toEqual(['photo-small.webp']);
	});

	it('processes an SVG of a folder if enabled, and skips it otherwise, unless it is named', async () => {
		const folder = await temporaryFolder();
		const logo = join(folder, 'in/logo.svg');
		await mkdir(join(folder, 'in'));
		await writeFile(logo, '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0H9V9z"/></svg>');
		await writeFile(join(folder, 'in/photo.jpg'), await photograph({ width: 320, height: 240 }));
		const process = (environment: Record<string, string>, ...paths: string[]) =>
			runPicpipe({
				folder,
				command: 'process',
				arguments: [...paths, '--out', join(folder, 'out')],
				environment,
			});
		const off = await process({}, join(folder, 'in'));
		expect(off).toMatchObject({ code: 0, output: expect.stringContaining('1 of 1 pictures') });
		const named = await process({}, logo);
		expect(named).toMatchObject({ code: 1, output: expect.stringContaining('PICPIPE_SVG') });
		const on = await process({ PICPIPE_SVG: 'true' }, join(folder, 'in'));
		expect(on).toMatchObject({ code: 0, output: expect.stringContaining('2 of 2 pictures') });
		expect(await sharp(join(folder, 'out/logo-thumb.webp')).metadata()).toMatchObject({ width: 300, height: 300 });
	});

	it('refuses invalid input with exit code 2', async () => {
		const folder = await temporaryFolder();
		await mkdir(join(folder, 'empty'));
		const out = ['--out', join(folder, 'out')];
		const missing = await run(folder, join(folder, 'absent.jpg'), ...out);
		expect(missing).toMatchObject({ code: 2, output: expect.stringContaining('does not exist') });
		const empty = await run(folder, join(folder, 'empty'), ...out);
		expect(empty).toMatchObject({ code: 2, output: expect.stringContaining('found none') });
		const unknown = await run(folder, folder, '--recipe', 'nope', ...out);
		expect(unknown).toMatchObject({ code: 2, output: expect.stringContaining('expected one of') });
	});
});

describe('files and their output', () => {
	it('skip results of an earlier run, unless they are named', async () => {
		const folder = await temporaryFolder();
		const photo = await photograph({ width: 64, height: 48 });
		await mkdir(join(folder, 'out/deep'), { recursive: true });
		for (const file of ['a.jpg', 'out/a-large.jpg', 'out/deep/b.jpg', 'outside.jpg']) {
			await writeFile(join(folder, file), photo);
		}
		const stems = async (path: string) =>
			(await findPictures([path], () => true, join(folder, 'out'))).map(({ stem }) => stem);
		expect(await stems(folder)).toEqual(['a', 'outside']);
		expect(await stems(join(folder, 'out'))).toEqual(['a-large', 'deep/b']);
	});

	it('have unique names', async () => {
		const folder = await temporaryFolder();
		const picture = await photograph({ width: 64, height: 48 });
		for (const below of ['a', 'b']) {
			await mkdir(join(folder, below));
			await writeFile(join(folder, below, 'x.jpg'), picture);
		}
		const stems = (await findPictures([join(folder, 'a/x.jpg'), join(folder, 'b/x.jpg'), folder])).map(
			({ stem }) => stem,
		);
		expect(new Set(stems).size).toBe(4);
	});

	it('show sizes and progress for people', () => {
		expect([0, 999, 1_000, 2_800_000, 5e12].map(formatBytes)).toEqual(['0 B', '999 B', '1.0 kB', '2.8 MB', '5.0 TB']);
		expect(progressLine(1, 2, 'a.jpg', 80)).toBe(`${'█'.repeat(15)}${'░'.repeat(15)} 1/2 a.jpg`);
		expect(progressLine(1, 2, 'x'.repeat(500), 60)).toHaveLength(59);
	});
});
