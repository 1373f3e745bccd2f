import { type OddTiff, oddTiff, type sampleFormats, storedLevel } from '../../helpers/odd-tiff.ts';
import type { OddFile } from './odd-file.ts';

/** Side of the pictures: two tiles each way. */
const side = 32;

type Level = (x: number, y: number) => number;
const across: Level = (x) => x / (side - 1);
const down: Level = (_x, y) => y / (side - 1);
const back: Level = (x) => 1 - x / (side - 1);
/** From opaque to half transparent. */
const fading: Level = (_x, y) => 1 - y / (2 * (side - 1));

/** Kinds of colour, and how a level becomes a value from 0 to 255. */
const kinds = {
	blackIsZero: { levels: [across], shown: ([grey = 0]: number[]) => [grey, grey, grey] },
	whiteIsZero: { levels: [across], shown: ([grey = 0]: number[]) => [1 - grey, 1 - grey, 1 - grey] },
	rgb: { levels: [across, down, back], shown: (rgb: number[]) => rgb },
} as const;

const types: readonly (readonly [keyof typeof sampleFormats | undefined, number])[] = [
	[undefined, 8],
	...Array.from({ length: 32 }, (_, index) => ['uint', index + 1] as const),
	['uint', 40],
	['uint', 48],
	['uint', 64],
	...[4, 8, 12, 16, 24, 32, 64].map((bits) => ['int', bits] as const),
	...[16, 24, 32, 64].map((bits) => ['float', bits] as const),
	['complexInt', 32],
	['complexFloat', 64],
	['complexFloat', 128],
];

type Layout = Partial<OddTiff> & { readonly name: string };

const layouts: readonly Layout[] = [
	{ name: 'strips' },
	{ name: 'strips, planar, big-endian', isPlanar: true, isBigEndian: true },
	{ name: 'tiles, BigTIFF', tile: 16, isBig: true },
	{ name: 'tiles, planar', tile: 16, isPlanar: true },
	{ name: 'with alpha, deflate', extra: [2], compression: 'deflate' },
	{
		name: 'with alpha, tiles, planar, PackBits, big-endian',
		extra: [2],
		tile: 16,
		isPlanar: true,
		isBigEndian: true,
		compression: 'packBits',
	},
];

/** Every type and size of samples, each in half of the layouts: in strips and tiles, side by side and apart, in both byte orders. */
export function tiffsOfEveryType(): OddFile[] {
	return (['blackIsZero', 'whiteIsZero', 'rgb'] as const).flatMap((photometric) =>
		types.flatMap(([sampleFormat, bits], type) =>
			layouts
				.filter((_, index) => (index + type) % 2 === 0)
				.map((layout) => {
					const isUnknown = sampleFormat?.startsWith('complex') || (sampleFormat === 'float' && bits === 24);
					const alpha = layout.extra ? { alpha: fading } : {};
					const made = tiffOf(photometric, { ...layout, bits, ...(sampleFormat && { sampleFormat }) }, alpha);
					const name = `TIFF ${photometric} ${sampleFormat ?? 'of no type'} ${bits} ${layout.name}`;
					return { ...made, name, ends: [isUnknown ? 'unsupported' : 'ready'] };
				}),
		),
	);
}

/** Samples beyond those of the colour, and what they do. */
const extras: readonly (readonly [extra: readonly number[] | undefined, count: number, alpha: boolean])[] = [
	[[2], 1, true],
	[[1], 1, true],
	[[0], 1, false],
	[undefined, 1, true],
	[undefined, 2, false],
	[[0, 0], 2, false],
	[[0, 2], 2, false],
	[[2, 0], 2, true],
	[[0, 0, 0], 3, false],
];

/** Every kind of further samples, in each layout. */
export function tiffsWithFurtherSamples(): OddFile[] {
	return (['blackIsZero', 'rgb'] as const).flatMap((photometric) =>
		extras.flatMap(([extra, further, hasAlpha]) =>
			[8, 16].flatMap((bits) =>
				layouts.map((layout) => {
					const { extra: _, ...spec } = { ...layout, bits };
					const made = tiffOf(
						photometric,
						{ ...spec, ...(extra && { extra }) },
						{
							further,
							isPremultiplied: extra?.[0] === 1,
							...(hasAlpha && { alpha: fading }),
						},
					);
					const name = `TIFF ${photometric} ${bits} ${layout.name}, further samples: ${extra?.join() ?? `${further} of no kind`}`;
					// Premultiplied values have lost some of their precision.
					return { ...made, name, ends: ['ready'], tolerance: 3 };
				}),
			),
		),
	);
}

interface Further {
	readonly alpha?: Level;
	/** Samples beyond those of the colour; as many as there are alphas if absent. */
	readonly further?: number;
	readonly isPremultiplied?: boolean;
}

function tiffOf(
	photometric: keyof typeof kinds,
	{ extra, ...spec }: Partial<OddTiff> & Pick<OddTiff, 'bits'>,
	{ alpha, further = alpha ? 1 : 0, isPremultiplied = false }: Further,
): Pick<OddFile, 'file' | 'pixel'> {
	const { bits, sampleFormat } = spec;
	const { levels, shown } = kinds[photometric];
	const level = (x: number, y: number, sample: number) => {
		const own = levels[sample];
		if (own) return own(x, y) * (isPremultiplied && alpha ? alpha(x, y) : 1);
		// Further samples that are no alpha hold what would be seen.
		return sample === levels.length && alpha ? alpha(x, y) : back(x, y);
	};
	const left = (level: number) => seen(level, bits, sampleFormat);
	return {
		file: oddTiff({
			...spec,
			...(extra && { extra }),
			width: side,
			height: side,
			photometric,
			samples: levels.length + further,
			value: (x, y, sample) => storedLevel(level(x, y, sample), bits, sampleFormat),
		}),
		pixel: (x, y) => {
			const [red = 0, green = 0, blue = 0] = shown(levels.map((own) => left(own(x, y)))).map((one) => one * 255);
			return [red, green, blue, alpha ? left(alpha(x, y)) * 255 : 255];
		},
	};
}

/** What is left of a level in so many bits. */
function seen(level: number, bits: number, sampleFormat: keyof typeof sampleFormats = 'uint'): number {
	if (sampleFormat === 'float' || bits > 16) return level;
	return Math.round(level * (2 ** bits - 1)) / (2 ** bits - 1);
}
