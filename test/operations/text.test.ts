import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseRecipe } from '../../src/pipeline/recipe/parse-recipe.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { one } from '../pipeline/make.ts';
import { at, draw, type Rgba, stepped } from './pixels.ts';

const ground = [0, 0, 255];
const picture = { width: 240, height: 120 };

/** Written in white on blue. */
async function written(options: object, below: readonly number[] = ground): Promise<Rgba> {
	return stepped(await draw(picture, () => below), { text: { size: 20, ...options } });
}

/** Left, top, right and bottom of what is not as it was; the last two lie outside. */
function found(made: Rgba, is = (colour: readonly number[]) => colour[0] !== 0): number[] {
	const columns: number[] = [];
	const rows: number[] = [];
	for (let y = 0; y < made.height; y++) {
		for (let x = 0; x < made.width; x++) {
			if (!is(at(made, x, y))) continue;
			columns.push(x);
			rows.push(y);
		}
	}
	return [Math.min(...columns), Math.min(...rows), Math.max(...columns) + 1, Math.max(...rows) + 1];
}

const size = ([left = 0, top = 0, right = 0, bottom = 0]: readonly number[]) => ({
	width: right - left,
	height: bottom - top,
});

describe('text', () => {
	it('has the requested size and place, and keeps an opaque picture opaque', async () => {
		const small = await written({ text: 'Hxg', position: 'left top', x: 7, y: 9 });
		const [left = 0, top = 0] = found(small);
		expect([left, top]).toEqual([7, 9]);
		expect(small.hasAlpha).toBe(false);
		const large = await written({ text: 'Hxg', position: 'right bottom', size: 40 });
		expect(found(large).slice(2)).toEqual([240, 120]);
		const [one, other] = [size(found(small)), size(found(large))];
		expect(other.height / one.height).toBeCloseTo(2, 0);
		expect(other.width / one.width).toBeCloseTo(2, 0);
		const share = await written({ text: 'Hxg', position: 'right bottom', size: '33%' });
		expect(size(found(share))).toEqual(other);
	});

	it('is never markup: every character is literal', async () => {
		const tags = await written({ text: '<b>&amp;</b> "x" \'y\'' });
		const same = await written({ text: '<i>&amp;</i> "x" \'y\'' });
		const plain = await written({ text: '& "x" \'y\'' });
		// As wide as all those characters, and not bold or italic.
		expect(size(found(tags)).width).toBeGreaterThan(size(found(plain)).width * 1.8);
		expect(Math.abs(size(found(tags)).width - size(found(same)).width)).toBeLessThan(20);
		const broken = [
			'</span>',
			'<span size="1000000">x',
			'&',
			'&#0;',
			'&#xD800;',
			'<',
			'\u200b',
			'%s%n',
			'<!-- -->',
			']]>',
		];
		for (const text of broken) {
			const made = await written({ text });
			expect(made, text).toMatchObject(picture);
		}
		// No attribute of Pango's: it would fill the picture.
		expect(size(found(await written({ text: '<span size="1000000">x' }))).height).toBeLessThan(50);
	});

	it('has a box with padding and a background', async () => {
		const made = await written({ text: 'Box', position: 'left top', padding: 10, background: '#00ff00' });
		const letters = found(made);
		const box = found(made, (colour) => (colour[1] ?? 0) > 0);
		expect(box.slice(0, 2)).toEqual([0, 0]);
		expect(letters[0]).toBeGreaterThanOrEqual(10);
		expect(letters[1]).toBeGreaterThanOrEqual(10);
		expect(Math.abs((box[2] ?? 0) - (letters[2] ?? 0) - 10)).toBeLessThanOrEqual(1);
		const wide = await written({ text: 'Box', position: 'centre', width: 100, height: '50%', background: '#00ff00' });
		expect(found(wide, (colour) => (colour[1] ?? 0) > 0)).toEqual([70, 30, 170, 90]);
	});

	it.each([
		['left', (left: number, right: number) => left < 75 && right < 150],
		['right', (left: number, right: number) => left > 100 && right > 160],
		['centre', (left: number, right: number) => Math.abs(left + right - 240) <= 2],
	] as const)('is aligned in its box: %s', async (align, isRight) => {
		const [left = 0, , right = 0] = found(await written({ text: 'ab', width: 100, position: 'centre', align }));
		expect(isRight(left, right), `${left} ${right}`).toBe(true);
	});

	it('wraps long lines, keeps short ones, and shrinks if it does not fit', async () => {
		const line = size(found(await written({ text: 'many words here' })));
		const wrapped = size(found(await written({ text: 'many words here', width: 80 })));
		expect(wrapped.width).toBeLessThanOrEqual(80);
		expect(wrapped.height).toBeGreaterThan(line.height * 1.8);
		const lines = size(found(await written({ text: 'a\nb\nc' })));
		expect(lines.height).toBeGreaterThan(line.height * 2);
		const long = 'Lorem ipsum dolor sit amet. '.repeat(17);
		for (const options of [{ text: long }, { text: 'HUGE', size: 5_000 }, { text: long, width: 60, height: 60 }]) {
			const made = size(found(await written(options)));
			expect(made.width).toBeLessThanOrEqual('width' in options ? 60 : 240);
			expect(made.height).toBeLessThanOrEqual('height' in options ? 60 : 120);
			// Not smaller than it has to be.
			expect(made.width * made.height).toBeGreaterThan(1_500);
		}
	});

	it('never exceeds the picture, however small it is', async () => {
		const tiny = await draw({ width: 3, height: 2 }, () => ground);
		const options = { text: 'Text\nText', size: 900, padding: 16_384, outline: { width: 20 }, width: 16_384 };
		expect(await stepped(tiny, { text: options })).toMatchObject({ width: 3, height: 2 });
		expect(await written(options)).toMatchObject(picture);
		expect(await stepped(await draw({ width: 1, height: 1 }, () => ground), { text: options })).toMatchObject({
			width: 1,
		});
	});

	it('has an outline around every letter', async () => {
		const isBlack = (colour: readonly number[]) => (colour[2] ?? 0) < 10;
		const bare = found(await written({ text: 'O', position: 'centre' }, [0, 0, 255]));
		const made = await written({ text: 'O', position: 'centre', outline: { width: 4 } });
		const around = found(made, isBlack);
		expect(Math.abs(size(around).width - size(bare).width - 8)).toBeLessThanOrEqual(2);
		expect(Math.abs(size(around).height - size(bare).height - 8)).toBeLessThanOrEqual(2);
		// Round: nothing in the corners of its box.
		expect(isBlack(at(made, around[0] ?? 0, around[1] ?? 0))).toBe(false);
	});

	it('has a colour with opacity, a weight and a slant', async () => {
		const solid = await written({ text: '█', size: 60, colour: '#ff0000', position: 'centre' });
		const half = await written({ text: '█', size: 60, colour: '#ff000080', position: 'centre' });
		expect(at(solid, 120, 60)).toEqual([255, 0, 0, 255]);
		expect(Math.abs((at(half, 120, 60)[0] ?? 0) - 128)).toBeLessThanOrEqual(2);
		const normal = size(found(await written({ text: 'mmmm' })));
		const bold = size(found(await written({ text: 'mmmm', weight: 'bold' })));
		expect(bold.width).toBeGreaterThan(normal.width);
	});

	it.each([
		[{}, 'text.text: expected 1 to 500 characters of visible text'],
		[{ text: ' \n ' }, 'text.text: expected 1 to 500 characters of visible text'],
		[{ text: 'x'.repeat(501) }, 'text.text: expected 1 to 500 characters'],
		[{ text: 'a\u0000b' }, 'text.text: expected 1 to 500 characters'],
		[{ text: 'a\u001bb' }, 'text.text: expected 1 to 500 characters'],
		[{ text: 'a', font: '/etc/passwd' }, 'text.font: expected the name of a font family'],
		[{ text: 'a', font: 'sans, 900px' }, 'text.font: expected the name of a font family'],
		[{ text: 'a', size: 3 }, 'text.size: expected pixels from 4 to 16384'],
		[{ text: 'a', outline: { width: 21 } }, 'text.outline.width: expected an integer from 1 to 20, received 21'],
	])('refuses %j', (options, message) => {
		expect(() => parseRecipe('r', one([{ text: options }]))).toThrow(message);
	});

	it('fails as no-fonts on a machine without fonts', async () => {
		const folder = await temporaryFolder();
		await writeFile(join(folder, 'fonts.conf'), '<?xml version="1.0"?><fontconfig><dir>/nowhere</dir></fontconfig>');
		const source = fileURLToPath(new URL('../../src/operations/draw-text.ts', import.meta.url));
		const program = `
			const { drawText } = await import(${JSON.stringify(source)});
			const style = { font: 'sans', weight: 'normal', italic: false, size: 20, colour: '#ffffff', align: 'left' };
			await drawText('text', style, { width: 100, height: 100 }).catch((error) => console.log(error.code, error.class));
		`;
		const { stdout } = await promisify(execFile)(
			process.execPath,
			['--import', 'tsx', '--input-type=module', '--eval', program],
			{ env: { ...process.env, FONTCONFIG_FILE: join(folder, 'fonts.conf') } },
		);
		expect(stdout.trim()).toBe('no-fonts unsupported');
	});
});
