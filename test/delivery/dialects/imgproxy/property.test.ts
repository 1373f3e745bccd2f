import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { RenderPlan, SourceFacts } from '../../../../src/delivery/dialects/image-request.ts';
import { newPipeline, resizingTypes } from '../../../../src/delivery/dialects/imgproxy/pipeline.ts';
import { options as table } from '../../../../src/delivery/dialects/imgproxy/read-options.ts';
import { leastOf, sizesFor } from '../../../../src/delivery/dialects/imgproxy/resize.ts';
import { isSignedBy, parseImgproxy, signImgproxy } from '../../../../src/delivery/dialects/imgproxy.ts';
import { PicpipeError } from '../../../../src/errors.ts';
import { roundToEven } from '../../../../src/operations/geometry.ts';
import { findOperation } from '../../../../src/operations/index.ts';
import type { Size } from '../../../../src/operations/operation.ts';
import { propertyRuns } from '../../../helpers/thoroughness.ts';
import { dialect, id, pair, planOf } from './read.ts';

/** Change it to try others; a failure prints it together with what failed. */
const seed = 20_261_124;

const presets = dialect({ default: 'q:80', card: 'rs:fill:300:200/g:sm', loop: 'pr:loop', chain: 'w:300/-/bl:2' });
const names = [...table.flatMap((option) => option.names), 'preset', 'pr', 'plain', 'enc', ''];

const anyNumber = fc.oneof(
	fc.integer({ min: -10, max: 20_000 }).map(String),
	fc.double({ min: -2, max: 100, noNaN: true }).map(String),
	fc.constantFrom('0', '1', '1e309', '-0', '.5', '00009', '0x1', '١', 'NaN', ' 1'),
);
const anyWord = fc.constantFrom(
	...['', 't', 'f', 'fit', 'fill', 'fill-down', 'force', 'auto', 'ce', 'no', 'soea', 'sm', 'fp', 're', 'fff', 'ff00ff'],
	...[
		'jpg',
		'webp',
		'best',
		'size',
		'dssim',
		'lossless',
		'card',
		'loop',
		'chain',
		'__proto__',
		'constructor',
		'%',
		'%00',
	],
);
const option = fc
	.tuple(
		fc.constantFrom(...names),
		fc.array(fc.oneof(anyNumber, anyWord, fc.string({ maxLength: 8 })), { maxLength: 9 }),
	)
	.map(([name, args]) => [name, ...args].join(':'));
const source = fc.oneof(
	{
		weight: 6,
		arbitrary: fc.constantFrom(`plain/${id}`, `plain/${id}@webp`, 'aHR0cHM6Ly9leGFtcGxlLmNvbS9hLmpwZw.auto'),
	},
	{ weight: 1, arbitrary: fc.string({ maxLength: 80 }) },
	{ weight: 1, arbitrary: fc.base64String().map((text) => `plain/${text}`) },
);
const hostile = fc.oneof(
	{
		weight: 8,
		arbitrary: fc
			.tuple(
				fc.array(fc.oneof({ weight: 9, arbitrary: option }, { weight: 1, arbitrary: fc.constant('-') }), {
					maxLength: 8,
				}),
				source,
			)
			.map(([parts, place]) => `/${[...parts, place].join('/')}`),
	},
	{ weight: 1, arbitrary: fc.string({ maxLength: 4_096, unit: 'binary' }) },
	{ weight: 1, arbitrary: fc.string({ maxLength: 200 }).map((text) => `/${text}`) },
);
const anyFacts: fc.Arbitrary<SourceFacts> = fc.record({
	width: fc.integer({ min: 1, max: 30_000 }),
	height: fc.integer({ min: 1, max: 30_000 }),
	frames: fc.integer({ min: 1, max: 20 }),
	alpha: fc.boolean(),
	format: fc.constantFrom('jpeg', 'png', 'svg', 'tiff', 'gif', 'heic'),
});

function orPicpipeError<Result>(work: () => Result): Result | undefined {
	try {
		return work();
	} catch (error) {
		if (!(error instanceof PicpipeError)) throw error;
		expect(['invalid-delivery-url', 'option-unsupported']).toContain(error.code);
		expect(error.message.length).toBeLessThan(2_000);
		return undefined;
	}
}

/** Size after the steps, by what the operations themselves predict. */
function sizeAfter({ steps }: RenderPlan, start: Size): Size {
	return steps.reduce<Size>((size, step) => {
		const [name = '', written] = Object.entries(step)[0] ?? [];
		const operation = findOperation(name);
		if (!operation) throw new Error(`There is no operation ${name}.`);
		return operation.predict(size, operation.schema.parse(written)).output;
	}, start);
}

it('parses or refuses any URL, and every plan is a valid recipe', () => {
	let understood = 0;
	const runs = propertyRuns(5_000, seed);
	fc.assert(
		fc.property(hostile, anyFacts, fc.boolean(), (path, facts, presetsOnly) => {
			const image = orPicpipeError(() =>
				parseImgproxy(path, { ...presets, presetsOnly: presetsOnly && path.length % 5 === 0 }),
			);
			if (image?.target.kind !== 'render') return;
			const plan = orPicpipeError(() => planOf(image, facts));
			if (!plan) return;
			understood++;
			expect(plan.steps.length).toBeLessThanOrEqual(20);
		}),
		runs,
	);
	expect(understood).toBeGreaterThan(runs.numRuns / 25);
});

const sensible = fc
	.tuple(
		fc.constantFrom(...resizingTypes),
		fc.integer({ min: 0, max: 2_000 }),
		fc.integer({ min: 0, max: 2_000 }),
		fc.boolean(),
		fc.constantFrom('', '/g:no', '/g:soea:10:0.1', '/g:fp:0.2:0.8', '/g:sm'),
		fc.constantFrom('', '/c:0.5:0.7', '/c:300:200:no', '/car:1.5', '/rot:90', '/rot:270/fl:1'),
		fc.constantFrom('', '/ex:1', '/exar:1:no', '/pd:7:3', '/ex:1/pd:5'),
		fc.constantFrom('', '/dpr:2', '/dpr:0.5', '/z:1.5', '/mw:500', '/mh:700'),
	)
	.map(([type, width, height, enlarge, ...more]) => `rs:${type}:${width}:${height}:${Number(enlarge)}${more.join('')}`);

it('predicts the sizes that operations make', () => {
	let known = 0;
	const runs = propertyRuns(2_000, seed);
	fc.assert(
		fc.property(sensible, anyFacts, (options, facts) => {
			const plan = orPicpipeError(() => planOf(parseImgproxy(`/${options}/plain/${id}`, dialect()), facts));
			if (!plan) return;
			const size = sizeAfter(plan, facts);
			if (size.width === 1 && size.height === 1) return;
			// Where the last pixel is says what size the next pipeline counts with.
			const next = orPicpipeError(() =>
				planOf(parseImgproxy(`/${options}/-/c:1:1:soea/plain/${id}`, dialect()), facts),
			);
			if (!next) return;
			expect(next.steps).toHaveLength(plan.steps.length + 1);
			expect(next.steps.at(-1)?.crop).toMatchObject({ left: size.width - 1, top: size.height - 1 });
			known++;
		}),
		runs,
	);
	expect(known).toBeGreaterThan(runs.numRuns / 2);
});

const afterTrim = fc.record({
	type: fc.constantFrom(...resizingTypes),
	width: fc.integer({ min: 0, max: 2_000 }),
	height: fc.integer({ min: 0, max: 2_000 }),
	enlarge: fc.boolean(),
	gravity: fc.constantFrom('', '/g:no', '/g:soea:10:-0.1', '/g:fp:0.2:0.8', '/g:sm'),
	factor: fc.constantFrom('', '', '/z:1.5', '/z:0.3', '/z:2:0.5', '/dpr:2', '/dpr:0.5'),
	cut: fc.constantFrom('', '', '/c:300:200', '/c:0.5:0.7:ea:0.1', '/car:1.5', '/c:0.8:300/car:0.7'),
	least: fc.constantFrom('', '', '', '/mw:500', '/mw:200/mh:700'),
	room: fc.constantFrom('', '', '/ex:1:no:0:9', '/exar:1', '/pd:7:3'),
});

it('makes the same of a trimmed picture as of a picture of that size', () => {
	let same = 0;
	const runs = propertyRuns(3_000, seed);
	const side = fc.integer({ min: 1, max: 3_000 });
	fc.assert(
		fc.property(fc.record({ width: side, height: side }), afterTrim, (size, asked) => {
			const { type, width, height, enlarge, gravity, factor, cut, least, room } = asked;
			// Too small a picture loses less to a low density, and has less than a high one beside it, than operations can know.
			const isBeyond = factor === '/dpr:0.5' || (factor === '/dpr:2' && room.startsWith('/pd'));
			if (isBeyond && !enlarge) return;
			const facts: SourceFacts = { ...size, frames: 1, alpha: false, format: 'png' };
			const options = `rs:${type}:${width}:${height}:${Number(enlarge)}${[gravity, factor, cut, least, room].join('')}`;
			const [known, trimmed] = [options, `t:10/${options}`].map((text) =>
				orPicpipeError(() => planOf(parseImgproxy(`/${text}/plain/${id}`, dialect()), facts)),
			);
			if (!known || !trimmed) return;
			const right = sizeAfter(known, size);
			const made = sizeAfter({ ...trimmed, steps: trimmed.steps.slice(1) }, size);
			// A pixel of one side is so much of the other.
			const most = 1 + Math.max(right.width / right.height, right.height / right.width);
			expect(Math.abs(right.width - made.width), options).toBeLessThanOrEqual(most);
			expect(Math.abs(right.height - made.height), options).toBeLessThanOrEqual(most);
			same++;
		}),
		runs,
	);
	expect(same).toBeGreaterThan(runs.numRuns / 2);
});

it('never enlarges without being asked, and never leaves less than a pixel', () => {
	const sizes = fc.record({ width: fc.integer({ min: 1, max: 30_000 }), height: fc.integer({ min: 1, max: 30_000 }) });
	fc.assert(
		fc.property(
			sizes,
			sizes,
			fc.constantFrom(...resizingTypes),
			fc.boolean(),
			(input, asked, resizingType, enlarge) => {
				const { scaled, kept } = sizesFor(input, { ...newPipeline(), ...asked, resizingType, enlarge }, false);
				const result = leastOf(scaled, kept);
				expect(Math.min(result.width, result.height)).toBeGreaterThanOrEqual(1);
				if (!enlarge) expect(scaled.width <= input.width && scaled.height <= input.height).toBe(true);
				expect(result.width).toBeLessThanOrEqual(asked.width);
				expect(result.height).toBeLessThanOrEqual(asked.height);
			},
		),
		propertyRuns(2_000, seed),
	);
});

it('accepts only the right signature', () => {
	fc.assert(
		fc.property(
			fc.string(),
			fc.oneof(fc.string(), fc.base64String(), fc.string({ unit: 'binary' })),
			(path, signature) => {
				expect(isSignedBy(path, signature, [pair])).toBe(signature === signImgproxy(path, pair));
				expect(isSignedBy(path, signImgproxy(path, pair), [pair])).toBe(true);
			},
		),
		propertyRuns(500, seed),
	);
});

it('rounds halves to the even neighbour', () => {
	expect([0.5, 1.5, 2.5, -0.5, -1.5, 2.4, 2.6].map((value) => roundToEven(value) + 0)).toEqual([0, 2, 2, 0, -2, 2, 3]);
});
