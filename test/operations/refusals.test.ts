import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { operations } from '../../src/operations/index.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { parseRecipe } from '../../src/pipeline/recipe/parse-recipe.ts';

/** What a recipe with this step is refused with. */
function refusal(step: unknown): string {
	try {
		parseRecipe('test', { variants: { card: { steps: [step], encode: [{ webp: {} }] } } });
	} catch (error) {
		expect(error).toMatchObject({ code: 'invalid-recipe', class: 'request' });
		return (error as Error).message.replace('variants.card.steps[0].', '');
	}
	return expect.fail(`Expected ${JSON.stringify(step)} to be refused.`);
}

interface Range {
	readonly type: 'integer' | 'number';
	readonly minimum: number;
	readonly maximum: number;
}

/** Options that are a number in a range. */
function ranges(operation: Operation): [string, Range][] {
	const { properties = {} } = z.toJSONSchema(operation.schema, { io: 'input' });
	return Object.entries(properties).flatMap(([name, json]): [string, Range][] => {
		if (typeof json !== 'object') return [];
		const { type, minimum, maximum } = json;
		if ((type !== 'integer' && type !== 'number') || minimum === undefined || maximum === undefined) return [];
		return [[name, { type, minimum, maximum }]];
	});
}

describe.each(operations)('operation $name', (operation) => {
	const { name, example } = operation;

	it('refuses unknown options, and anything but an object', () => {
		const { properties = {} } = z.toJSONSchema(operation.schema, { io: 'input' });
		const hint = 'colour' in properties ? ' (did you mean colour?)' : '';
		expect(refusal({ [name]: { ...example, colur: 1 } })).toBe(`${name}.colur: expected no such key${hint}`);
		expect(refusal({ [name]: 5 })).toBe(`${name}: expected an object, received 5`);
		expect(refusal({ [name]: null })).toBe(`${name}: expected an object, received null`);
	});

	it.each(ranges(operation))(
		'accepts %s from its minimum to its maximum and refuses values beyond',
		(option, range) => {
			const { minimum, maximum, type } = range;
			const expected = `expected ${type === 'integer' ? 'an integer' : 'a number'} from ${minimum} to ${maximum}`;
			for (const value of [minimum - 1, maximum + 1, minimum - 0.01, 'big', null, type === 'integer' ? 1.5 : true]) {
				const message = refusal({ [name]: { ...example, [option]: value } });
				expect(message).toContain(`${name}.${option}: ${expected}, received ${JSON.stringify(value)}`);
			}
			for (const value of [minimum, maximum]) {
				const { error } = operation.schema.safeParse({ ...example, [option]: value });
				// Together with the rest of the example it may be too much; by itself it is allowed.
				expect(error?.issues.filter(({ code }) => code !== 'custom') ?? []).toEqual([]);
			}
		},
	);
});

const refused: readonly (readonly [step: unknown, message: string])[] = [
	[{ crop: {} }, 'crop: expected a width, a height, a ratio, or several of them, received {}'],
	[
		{ crop: { width: 0 } },
		"crop.width: expected pixels from 1 to 16384, or a share of the picture's width from 0.01% to 100%",
	],
	...['0%', '0.001%', '100.1%', '101%', '-5%', '05%', '.5%', '5.00001%', '5', '5 %', '%', 1.5, null].map(
		(height) =>
			[
				{ crop: { height } },
				`crop.height: expected pixels from 1 to 16384, or a share of the picture's height from 0.01% to 100%, received ${JSON.stringify(height)}`,
			] as const,
	),
	[
		{ crop: { width: 5, x: '-101%' } },
		"crop.x: expected pixels from -16384 to 16384, or a share of the picture's width",
	],
	...[{ focus: { x: 1, y: 1 } }, { left: 1 }, { position: 'entropy' }].map(
		(place) =>
			[
				{ crop: { width: 5, y: 1, ...place } },
				'crop.x: expected no x and y because nothing but a side, a corner or centre is moved from',
			] as const,
	),
	[{ crop: { ratio: '16/9' } }, 'crop.ratio: expected a ratio of width to height such as 16:9, from 1:100 to 100:1'],
	[{ crop: { ratio: '0:1' } }, 'crop.ratio: expected a ratio of width to height such as 16:9'],
	[{ crop: { ratio: '1:0' } }, 'crop.ratio: expected a ratio of width to height such as 16:9'],
	[{ crop: { ratio: '1:101' } }, 'crop.ratio: expected a ratio of width to height such as 16:9'],
	[{ crop: { ratio: 1.5 } }, 'crop.ratio: expected a ratio of width to height such as 16:9'],
	[{ crop: { width: 5, position: 'middle' } }, 'crop.position: expected one of centre, top, right top,'],
	[{ crop: { width: 5, focus: { x: 1.1, y: 0 } } }, 'crop.focus.x: expected a number from 0 to 1, received 1.1'],
	[{ crop: { width: 5, focus: { x: 1 } } }, 'crop.focus.y: expected a number from 0 to 1, received nothing'],
	[{ crop: { width: 5, focus: { x: 1, y: 1, z: 1 } } }, 'crop.focus.z: expected no such key'],
	[
		{ crop: { width: 5, focus: { x: 1, y: 1 }, left: 1 } },
		'crop.focus: expected no focus because left or top is given, received {"x":1,"y":1}',
	],
	[
		{ crop: { width: 5, position: 'attention', top: 1 } },
		'crop.position: expected no position because focus, left or top is given, received "attention"',
	],
	[{ extend: {} }, 'extend: expected either sides, or a width, a height, a ratio, or several of them, received {}'],
	[{ extend: { top: 0 } }, 'extend: expected either sides, or a width, a height, a ratio, or several of them'],
	[
		{ extend: { top: 1, width: 5 } },
		'extend: expected either sides, or a width, a height, a ratio, or several of them',
	],
	[
		{ extend: { right: '0%' } },
		"extend.right: expected pixels from 0 to 16384, or a share of the picture's width from 0.01%",
	],
	[{ resize: {} }, 'resize: expected a width, a height, a minWidth, a minHeight, or several of them, received {}'],
	[
		{ resize: { width: '10001%' } },
		"resize.width: expected pixels from 1 to 16384, or a share of the picture's width from",
	],
	[{ resize: { minWidth: 0 } }, 'resize.minWidth: expected an integer from 1 to 16384, received 0'],
	[{ resize: { minHeight: 9_000, dpr: 2 } }, 'resize.dpr: expected width and height to be at most 16384 pixels'],
	[{ resize: { width: 5, dpr: 1.5, minDpr: 2 } }, 'resize.minDpr: expected at most the value of dpr, received 2'],
	[{ resize: { width: 5, minDpr: 2 } }, 'resize.minDpr: expected at most the value of dpr, received 2'],
	[
		{ resize: { width: 5, height: 5, minWidth: 9 } },
		'resize.minWidth: expected no minWidth and minHeight because fit crops',
	],
	[
		{ resize: { width: 5, fit: 'contain', minHeight: 9 } },
		'resize.minWidth: expected no minWidth and minHeight because',
	],
	[
		{ resize: { width: 5, x: 1 } },
		'resize.x: expected no x, y and focus because nothing is cropped, or the content decides',
	],
	[
		{ resize: { width: 5, height: 5, fit: 'inside', y: 1 } },
		'resize.x: expected no x, y and focus because nothing is cropped',
	],
	[
		{ resize: { width: 5, height: 5, position: 'entropy', x: 1 } },
		'resize.x: expected no x, y and focus because nothing',
	],
	[
		{ resize: { width: 5, height: 5, position: 'left', focus: { x: 0, y: 0 } } },
		'resize.focus: expected no focus because position, x or y is given',
	],
	[{ extend: { top: 1, position: 'attention' } }, 'extend.position: expected one of centre, top, right top,'],
	[{ extend: { top: 1, with: 'glue' } }, 'extend.with: expected one of background, mirror, copy, repeat'],
	[{ extend: { top: 1, background: 'red' } }, 'extend.background: expected a colour such as #ffffff or #00000080'],
	[{ flatten: { background: '#00000080' } }, 'flatten.background: expected a colour such as #ffffff, received'],
	[{ border: {} }, 'border.width: expected an integer from 1 to 4096, received nothing'],
	[{ rotate: {} }, 'rotate.angle: expected a number from -360 to 360, received nothing'],
	[{ rotate: { angle: Number.NaN } }, 'rotate.angle: expected a number from -360 to 360'],
	...[0, 16_385, '0%', '51%', '5.5%', '50', 'half', null, 1.5].map(
		(radius) =>
			[
				{ round: { radius } },
				`round.radius: expected pixels from 1 to 16384, or a share of the shorter side from 1% to 50%, received ${JSON.stringify(radius)}`,
			] as const,
	),
	[{ round: {} }, 'round.radius: expected pixels from 1 to 16384, or a share of the shorter side from 1% to 50%'],
	[{ normalise: { lower: 50, upper: 50 } }, 'normalise.upper: expected more than lower, received 50'],
	[{ gradient: { towards: 'top', angle: 5 } }, 'gradient.towards: expected no such key because an angle is given'],
	[{ tint: {} }, 'tint.colour: expected a colour such as #ffffff, received nothing'],
	[{ duotone: { dark: '#000' } }, 'duotone.light: expected a colour such as #ffffff, received nothing'],
	[{ trim: { matte: '#ff00ff80' } }, 'trim.matte: expected a colour such as #ffffff, received "#ff00ff80"'],
	[{ trim: { lineArt: 'yes' } }, 'trim.lineArt: expected a boolean, received "yes"'],
];

it.each(refused)('refuses %j', (step, message) => {
	expect(refusal(step)).toContain(message);
});

it.each([
	[{ rotate: { angle: -90 } }, { rotate: { angle: 270 } }],
	[{ rotate: { angle: 360 } }, { rotate: { angle: 0 } }],
	[{ modulate: { hue: -30 } }, { modulate: { hue: 330 } }],
	[{ flatten: { background: '#FFF' } }, { flatten: {} }],
	[{ border: { width: 1, colour: '#000000FF' } }, { border: { width: 1 } }],
	[{ crop: { width: '50.50%' } }, { crop: { width: '50.5%' } }],
	[{ crop: { ratio: '1:1', position: 'center' } }, { crop: { ratio: '1:1' } }],
	[{ circle: { position: 'center' } }, { circle: {} }],
])('treats %j and %j alike', (one, other) => {
	const digest = (step: unknown) =>
		parseRecipe('test', { variants: { a: { steps: [step], encode: [{ png: {} }] } } }).digest;
	expect(digest(one)).toBe(digest(other));
});
