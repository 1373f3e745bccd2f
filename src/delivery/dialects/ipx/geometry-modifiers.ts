import { kernels, type Size } from '../../../operations/operation.ts';
import { maximumSide } from '../../../operations/options.ts';
import { invalidValue } from '../shared/refusals.ts';
import type { ModifierArguments } from './arguments.ts';
import { type Modifier, modifier } from './modifier.ts';
import { fits, type IpxResize, materials, type Position, type Settings } from './settings.ts';

/** Modifiers for the size and the visible part of the picture, and settings that other modifiers use. */

const places = ['top', 'right top', 'right', 'right bottom', 'bottom', 'left bottom', 'left', 'left top'] as const;
const gravities = ['north', 'northeast', 'east', 'southeast', 'south', 'southwest', 'west', 'northwest'];

/** Every position: sharp's gravity names and numbers. */
const positions: ReadonlyMap<string, Position> = new Map<string, Position>([
	...places.map((place): [string, Position] => [place, place]),
	...gravities.map((gravity, index): [string, Position] => [gravity, places[index] as Position]),
	...(
		['centre', 'top', 'right', 'bottom', 'left', 'right top', 'right bottom', 'left bottom', 'left top'] as const
	).map((place, number): [string, Position] => [String(number), place]),
	['centre', 'centre'],
	['center', 'centre'],
	['entropy', 'entropy'],
	['16', 'entropy'],
	['attention', 'attention'],
	['17', 'attention'],
]);

function positionOf(args: ModifierArguments): Position | undefined {
	const text = args.text(0);
	if (text === undefined) return undefined;
	const position = positions.get(text.replace('-', ' '));
	if (position) return position;
	throw invalidValue(args.name, 'a side, a corner such as right-top, center, entropy or attention', text);
}

/** Most pixels that ipx adds to a side. */
const maximumEdge = 10_000;
/** Largest angle in ipx, degrees. */
const maximumAngle = 3_600;

/** Sets a size as sharp does: missing sides are dropped, other options are kept, and an earlier rotation happens first. */
function withSize({ resize, angle = 0 }: Settings, { width, height, ...given }: IpxResize): Settings {
	const kept = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
	const isSized = width !== undefined || height !== undefined;
	return { resize: { ...resize, ...kept, width, height }, ...(angle !== 0 && isSized && { turnsFirst: true }) };
}

/** The requested shape, no wider or higher than the picture, rounded as in ipx. */
function withinPicture(requested: Size, picture: Size): Size {
	const ratio = requested.width / requested.height;
	const narrow =
		requested.width > picture.width ? { width: picture.width, height: Math.round(picture.width / ratio) } : requested;
	const low =
		narrow.height > picture.height ? { width: Math.round(picture.height * ratio), height: picture.height } : narrow;
	return { width: Math.max(1, low.width), height: Math.max(1, low.height) };
}

function side(names: string, of: (pixels: number | undefined) => IpxResize): Modifier {
	return modifier(names, 1, (args) => {
		const requested = of(args.integer(0, 1, maximumSide));
		return (settings) => withSize(settings, { ...requested, withoutEnlargement: !settings.enlarge });
	});
}

export const geometryModifiers: readonly Modifier[] = [
	// Settings that other modifiers use.
	modifier('quality q', 1, (args) => ({ quality: args.integer(0, 1, 100) }), -1),
	modifier('fit', 1, (args) => ({ fit: args.choice(0, fits) }), -1),
	modifier('position pos', 1, (args) => ({ position: positionOf(args) }), -1),
	modifier('background b bg', 1, (args) => ({ background: args.colour(0) }), -1),
	modifier('enlarge', 'flag', () => ({ enlarge: true })),
	modifier('kernel', 1, (args) => ({ kernel: args.choice(0, kernels) })),
	modifier('flatten', 'flag', () => ({ flatten: true })),
	modifier('grayscale', 'flag', () => ({ grayscale: true })),
	// Modifiers that change the size.
	side('width w', (width) => ({ width })),
	side('height h', (height) => ({ height })),
	modifier('resize s', 1, (args) => {
		const requested = args.size(0, maximumSide);
		return (settings, picture) => {
			if (!requested) return {};
			const { fit, position, kernel, enlarge } = settings;
			return withSize(settings, {
				...(enlarge ? requested : withinPicture(requested, picture)),
				fit,
				position,
				kernel,
			});
		};
	}),
	modifier('trim', 1, (args) => {
		const trim = args.number(0, 0, 255) ?? 10;
		return ({ angle = 0 }) => ({ trim, ...(angle !== 0 && { turnsFirst: true }) });
	}),
	modifier('extract crop', 4, (args) => {
		const pixel = (at: number, least: number, most: number, part: string) =>
			args.needed(args.integer(at, least, most, part), part);
		const area = {
			left: pixel(0, 0, 65_535, 'left'),
			top: pixel(1, 0, 65_535, 'top'),
			width: pixel(2, 1, maximumSide, 'width'),
			height: pixel(3, 1, maximumSide, 'height'),
		};
		// A second crop, under the other name, happens after scaling.
		return ({ cutFirst }) => (cutFirst ? { cutLast: area } : { cutFirst: area });
	}),
	modifier(
		'extend',
		5,
		(args) => {
			const edge = (at: number, part: string) => args.integer(at, 0, maximumEdge, part) ?? 0;
			const extend = {
				top: edge(0, 'top'),
				right: edge(1, 'right'),
				bottom: edge(2, 'bottom'),
				left: edge(3, 'left'),
				with: args.choice(4, materials, 'extendWith') ?? ('background' as const),
			};
			return { extend };
		},
		1,
	),
	modifier('rotate', 1, (args) => {
		const degrees = args.number(0, -maximumAngle, maximumAngle);
		// Without an angle, the picture's own orientation is applied, which always happens anyway.
		return degrees === undefined ? {} : { angle: ((degrees % 360) + 360) % 360 };
	}),
	modifier('autoorient', 'flag', () => ({})),
	modifier('flip', 'flag', () => ({ flip: true })),
	modifier('flop', 'flag', () => ({ flop: true })),
];
