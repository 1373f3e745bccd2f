import type { Size } from '../../../operations/operation.ts';
import { maximumSide } from '../../../operations/options.ts';
import { type Modifier, modifier } from './modifier.ts';
import { materials, type Resize, type Settings } from './settings.ts';

/** Modifiers that decide what is seen, and how large. */

/** Most pixels that ipx adds on a side. */
const maximumEdge = 10_000;
/** Most turns that ipx takes, in degrees. */
const maximumAngle = 3_600;

/** As sharp takes a size: what is not said again stays, and whatever was turned so far is turned first. */
function sized({ resize, angle = 0 }: Settings, { width, height, ...said }: Resize): Settings {
	const kept = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
	const isSized = width !== undefined || height !== undefined;
	return { resize: { ...resize, ...kept, width, height }, ...(angle !== 0 && isSized && { turnsFirst: true }) };
}

/** The shape that is asked for, no wider or higher than the picture; rounds as ipx does. */
function withinPicture(asked: Size, picture: Size): Size {
	const ratio = asked.width / asked.height;
	const narrow =
		asked.width > picture.width ? { width: picture.width, height: Math.round(picture.width / ratio) } : asked;
	const low =
		narrow.height > picture.height ? { width: Math.round(picture.height * ratio), height: picture.height } : narrow;
	return { width: Math.max(1, low.width), height: Math.max(1, low.height) };
}

function side(names: string, of: (pixels: number | undefined) => Resize): Modifier {
	return modifier(names, 1, (given) => {
		const asked = of(given.integer(0, 1, maximumSide));
		return (settings) => sized(settings, { ...asked, withoutEnlargement: !settings.enlarge });
	});
}

export const geometryModifiers: readonly Modifier[] = [
	side('width w', (width) => ({ width })),
	side('height h', (height) => ({ height })),
	modifier('resize s', 1, (given) => {
		const asked = given.size(0, maximumSide);
		return (settings, picture) => {
			if (!asked) return {};
			const { fit, position, kernel, enlarge } = settings;
			return sized(settings, {
				...(enlarge ? asked : withinPicture(asked, picture)),
				fit,
				position,
				kernel,
			});
		};
	}),
	modifier('trim', 1, (given) => {
		const trim = given.number(0, 0, 255) ?? 10;
		return ({ angle = 0 }) => ({ trim, ...(angle !== 0 && { turnsFirst: true }) });
	}),
	modifier('extract crop', 4, (given) => {
		const pixel = (at: number, least: number, most: number, part: string) =>
			given.needed(given.integer(at, least, most, part), part);
		const area = {
			left: pixel(0, 0, 65_535, 'left'),
			top: pixel(1, 0, 65_535, 'top'),
			width: pixel(2, 1, maximumSide, 'width'),
			height: pixel(3, 1, maximumSide, 'height'),
		};
		// A second one, under the other name, comes after the scaling.
		return ({ cutFirst }) => (cutFirst ? { cutLast: area } : { cutFirst: area });
	}),
	modifier(
		'extend',
		5,
		(given) => {
			const edge = (at: number, part: string) => given.integer(at, 0, maximumEdge, part) ?? 0;
			const extend = {
				top: edge(0, 'top'),
				right: edge(1, 'right'),
				bottom: edge(2, 'bottom'),
				left: edge(3, 'left'),
				with: given.choice(4, materials, 'extendWith') ?? ('background' as const),
			};
			return { extend };
		},
		1,
	),
	modifier('rotate', 1, (given) => {
		const degrees = given.number(0, -maximumAngle, maximumAngle);
		// Without an angle it is as the picture's own orientation says, which is always applied.
		return degrees === undefined ? {} : { angle: ((degrees % 360) + 360) % 360 };
	}),
	modifier('autoorient', 'flag', () => ({})),
	modifier('flip', 'flag', () => ({ flip: true })),
	modifier('flop', 'flag', () => ({ flop: true })),
];
