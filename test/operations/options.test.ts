import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { operations } from '../../src/operations/index.ts';
import type { KnownAsset } from '../../src/pipeline/render/run.ts';
import { photograph } from '../helpers/pictures.ts';
import { make, one } from '../pipeline/make.ts';
import { assetsFrom, logo } from './assets.ts';
import { draw, pixelsOf } from './pixels.ts';

type Options = Readonly<Record<string, unknown>>;

/** Options of which one gets another value. Of what is listed in the schema, every value is tried, and none is given here. */
type Row = readonly [base: Options, option: string, value?: unknown, pictures?: keyof typeof pictures];

const sides = { width: 30, height: 30 };
const spot = { ...sides, focus: { x: 0.3, y: 0.3 } };
const mark = { picture: 'logo.png', position: 'left top' };
const tiles = { ...mark, width: 20, tile: true };
const words = { text: 'Two\nlines', size: 14 };
const boxed = { ...words, background: '#004080' };
const outlined = { ...words, outline: { width: 1, colour: '#ff0000' } };

const rows: Readonly<Record<string, readonly Row[]>> = {
	resize: [
		[{ width: 30 }, 'width', 20],
		[{ height: 30 }, 'height', 20],
		[{ width: 20 }, 'dpr', 2],
		[{ width: 40, dpr: 4 }, 'minDpr', 1],
		[{ width: 20 }, 'minWidth', 40],
		[{ width: 20 }, 'minHeight', 40],
		[sides, 'fit'],
		[sides, 'position', undefined, 'long'],
		[{ width: 10, height: 30 }, 'x', 5],
		[{ width: 30, height: 10 }, 'y', 5],
		[{ ...spot, width: 10 }, 'focus.x', 0.7],
		[{ ...spot, height: 10 }, 'focus.y', 0.7],
		[{ width: 25 }, 'kernel'],
		[{ width: 100 }, 'withoutEnlargement'],
		[{ width: 100, height: 100 }, 'orSmaller'],
		[{ ...sides, fit: 'contain' }, 'background', '#ff0000'],
	],
	crop: [
		[sides, 'width', 20],
		[sides, 'height', 20],
		[{ ratio: '1:1' }, 'ratio', '2:1'],
		[sides, 'position'],
		[sides, 'x', 5],
		[sides, 'y', 5],
		[spot, 'focus.x', 0.7],
		[spot, 'focus.y', 0.7],
		[{ ...sides, top: 5 }, 'left', 20],
		[{ ...sides, left: 5 }, 'top', 20],
	],
	trim: [
		[{}, 'background', '#000000', 'framed'],
		[{ background: '#ff00ff' }, 'matte', '#ff00ff', 'clear'],
		[{}, 'threshold', 40, 'framed'],
		[{}, 'margin', 3, 'framed'],
		[{}, 'lineArt', undefined, 'framed'],
		[{}, 'equal', undefined, 'lopsided'],
	],
	extend: [
		[{ left: 5 }, 'top', 10],
		[{ left: 5 }, 'right', 10],
		[{ left: 5 }, 'bottom', 10],
		[{ top: 5 }, 'left', 10],
		[{ height: 100 }, 'width', 110],
		[{ width: 100 }, 'height', 110],
		[{ ratio: '1:1' }, 'ratio', '2:1'],
		[{ width: 100, height: 100 }, 'position'],
		[{ width: 100, height: 100 }, 'x', 5],
		[{ width: 100, height: 100 }, 'y', 5],
		[{ left: 5 }, 'with'],
		[{ left: 5 }, 'background', '#ff0000'],
	],
	border: [
		[{ width: 4 }, 'width', 5],
		[{ width: 4 }, 'colour', '#ff0000'],
	],
	rotate: [
		[{ angle: 20 }, 'angle', 160],
		[{ angle: 20 }, 'background', '#ff0000'],
	],
	flip: [],
	flop: [],
	flatten: [[{}, 'background', '#ff0000', 'clear']],
	round: [[{ radius: 5 }, 'radius', '50%']],
	circle: [[{}, 'position']],
	sharpen: [
		[{}, 'sigma', 3],
		[{}, 'm1', 20],
		[{}, 'm2', 20],
		[{}, 'x1', 10],
		[{ m2: 20 }, 'y2', 50],
		[{ m2: 20 }, 'y3', 2],
	],
	unsharp: [[{}, 'amount', 0.5]],
	blur: [[{}, 'sigma', 1]],
	median: [[{}, 'size', 9]],
	modulate: [
		[{}, 'brightness', 0.5],
		[{}, 'saturation', 0],
		[{}, 'hue', 90],
		[{}, 'lightness', 20],
	],
	contrast: [
		[{ factor: 1 }, 'factor', 2],
		[{ factor: 1 }, 'brightness', 40],
	],
	gamma: [[{ value: 1 }, 'value', 2.2]],
	normalise: [
		[{}, 'lower', 30],
		[{}, 'upper', 70],
	],
	clahe: [
		[{ height: 20 }, 'width', 10],
		[{ width: 20 }, 'height', 10],
		[{}, 'maxSlope', 1],
	],
	grayscale: [],
	tint: [
		[{ colour: '#c08040' }, 'colour', '#4080c0'],
		[{ colour: '#c08040' }, 'intensity', 0.5],
	],
	duotone: [
		[{ dark: '#000040', light: '#ffff80' }, 'dark', '#400000'],
		[{ dark: '#000040', light: '#ffff80' }, 'light', '#80ffff'],
		[{ dark: '#000040', light: '#ffff80' }, 'intensity', 0.5],
	],
	colorize: [
		[{}, 'colour', '#ff0000'],
		[{}, 'opacity', 0.2],
		[{}, 'keepTransparency', undefined, 'clear'],
	],
	gradient: [
		[{}, 'colour', '#ff0000'],
		[{}, 'opacity', 0.5],
		[{}, 'towards'],
		[{ angle: 30 }, 'angle', 200],
		[{}, 'start', 0.5],
		[{}, 'stop', 0.5],
	],
	negate: [],
	threshold: [[{}, 'value', 90]],
	pixelate: [[{ size: 5 }, 'size', 10]],
	opacity: [[{ value: 1 }, 'value', 0.5]],
	watermark: [
		[{ picture: 'logo.png' }, 'picture', 'other.png'],
		[{ picture: 'logo.png' }, 'position'],
		[mark, 'x', '10%'],
		[mark, 'y', 7],
		[mark, 'scale', 0.5],
		[mark, 'width', 11],
		[mark, 'height', 11],
		[mark, 'opacity', 0.5],
		[{ picture: 'other.png', scale: 1 }, 'blend'],
		[mark, 'tile'],
		[tiles, 'gap', 6],
		[tiles, 'gapBelow', 6],
	],
	text: [
		[words, 'text', 'Other\nlines'],
		[words, 'font', 'monospace'],
		[words, 'weight'],
		[words, 'italic'],
		[words, 'size', '30%'],
		[words, 'colour', '#ff0000'],
		[words, 'align'],
		[boxed, 'width', '100%'],
		[boxed, 'height', '100%'],
		[boxed, 'padding', 4],
		[words, 'background', '#00000080'],
		[outlined, 'outline.width', 2],
		[outlined, 'outline.colour', '#00ff00'],
		[words, 'position'],
		[words, 'x', 5],
		[words, 'y', '10%'],
	],
};

/** Each in two shapes, because a place can make no difference where there is no room beside it. */
const pictures = {
	whole: async () => [
		await photograph({ width: 90, height: 60, format: 'png' }),
		await photograph({ width: 60, height: 90, format: 'png', seed: 2 }),
	],
	/** With a red spot off the middle, which draws the eye, and a busy part on the other side of it. */
	long: async () => {
		const colour = (along: number, across: number) => {
			if (Math.hypot(along - 42, across - 20) < 8) return [230, 30, 30];
			const busy = along > 70 && along < 90 ? (along * 97 + across * 57) % 256 : 90 + along / 2;
			return [busy, busy, busy];
		};
		return [
			await draw({ width: 120, height: 40 }, (x, y) => colour(x, y)),
			await draw({ width: 40, height: 120 }, (x, y) => colour(y, x)),
		];
	},
	clear: async () => [
		await draw({ width: 60, height: 40 }, (x, y) => [x * 4, y * 6, 99, (x * 4) % 256]),
		await draw({ width: 40, height: 60 }, (x, y) => [x * 6, y * 4, 99, (y * 4) % 256]),
	],
	/** White with a speck, in it light grey, and in that what is to be kept. */
	framed: async () => [
		await draw({ width: 50, height: 40 }, (x, y) => {
			if (x === 2 && y === 20) return [0, 0, 0];
			const edge = Math.min(x, y, 49 - x, 39 - y);
			if (edge < 6) return [255, 255, 255];
			return edge < 12 ? [232, 232, 232] : [(x * 20) % 256, 40, (y * 20) % 256];
		}),
	],
	/** Something near the left top. */
	lopsided: async () => [
		await draw({ width: 50, height: 40 }, (x, y) => {
			const isKept = x >= 5 && x < 20 && y >= 8 && y < 20;
			return isKept ? [(x * 20) % 256, 40, (y * 20) % 256] : [255, 255, 255];
		}),
	],
} as const;

let assets: ReadonlyMap<string, KnownAsset>;
let files: Readonly<Record<keyof typeof pictures, readonly Buffer[]>>;
beforeAll(async () => {
	const other = await draw({ width: 60, height: 60 }, (x, y) => [(x * 4) % 256, (y * 4) % 256, (x * y) % 256]);
	assets = await assetsFrom({ 'logo.png': await logo(), 'other.png': other });
	files = {
		whole: await pictures.whole(),
		long: await pictures.long(),
		clear: await pictures.clear(),
		framed: await pictures.framed(),
		lopsided: await pictures.lopsided(),
	};
});

/** What can be seen of what the operation makes of each picture. */
async function seen(operation: string, options: Options, from: readonly Buffer[]): Promise<string> {
	const made: string[] = [];
	for (const file of from) {
		const recipe = one([{ [operation]: options }], [{ png: { compressionLevel: 0 } }]);
		const { data, width, height } = await pixelsOf((await make(file, recipe, { assets })).variant('only').data);
		// Nothing has no colour.
		for (let at = 0; at < data.length; at += 4) if (data[at + 3] === 0) data.fill(0, at, at + 4);
		made.push(`${width} × ${height} ${Buffer.from(data).toString('base64')}`);
	}
	return made.join();
}

/** @param option of one within another: `focus.x` */
function withOption(base: Options, option: string, value: unknown): Options {
	const [name = '', inner] = option.split('.');
	return { ...base, [name]: inner ? { ...(base[name] as Options), [inner]: value } : value };
}

type Json = z.core.JSONSchema.BaseSchema;

/** Every option with its schema, those within others too: `focus.x`. */
function optionsOf(schema: Json, before = ''): readonly (readonly [name: string, schema: Json])[] {
	return Object.entries(schema.properties ?? {}).flatMap(([name, option]) => {
		const inner = optionsOf(option as Json, `${before}${name}.`);
		return inner.length > 0 ? inner : [[`${before}${name}`, option as Json] as const];
	});
}

/** All that an option can be, where the schema has a list; `center` is another spelling of `centre`. */
function listed({ enum: list, type }: Json): readonly unknown[] | undefined {
	if (type === 'boolean') return [false, true];
	return list?.filter((value) => value !== 'center');
}

describe.each(operations)('an option of $name', ({ name, schema }) => {
	const options = optionsOf(z.toJSONSchema(schema, { io: 'input' }) as Json);
	const known = new Map(options);

	const cases = (rows[name] ?? []).map(([base, option, value, kind = 'whole']) => ({ base, option, value, kind }));

	it.each(cases)('$option has an effect, besides $base', async ({ base, option, value, kind }) => {
		const list = listed(known.get(option) ?? {});
		const tried = (list ?? [value]).map((value) => withOption(base, option, value));
		const valid = [...(list ? [] : [base]), ...tried];
		const made = new Map<string, Options>();
		for (const options of valid) {
			const looks = await seen(name, options, files[kind]);
			expect(made.get(looks), JSON.stringify(options)).toBeUndefined();
			made.set(looks, options);
		}
		expect(made.size).toBeGreaterThan(1);
	});

	it('has a test here for every option', () => {
		const tested = (rows[name] ?? []).map(([, option]) => option);
		expect([...new Set(tested)].sort()).toEqual([...known.keys()].sort());
	});
});
