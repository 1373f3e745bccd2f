import { isPictureId } from '../../../domain/picture.ts';
import { base64Decoded } from '../shared/arguments.ts';
import { hexDigits } from '../shared/colours.ts';
import { invalidValue, unsupportedOption } from '../shared/refusals.ts';
import type { StepList, StepOptions } from '../shared/step-list.ts';
import { limitedOffset, maximumOffset, offset, offsetPixels, type PlaceName, placeNames, places } from './gravity.ts';
import { argument, colourArgument, type ImgproxyOption, missing, single, stepOption } from './option.ts';
import type { PipelineState } from './pipeline.ts';

/** Options for the background and the overlays, in the order in which imgproxy applies them. */

const background: ImgproxyOption = {
	names: ['background', 'bg'],
	most: 3,
	read(args, pipeline, _draft, name) {
		if (args.length === 1 && args[0] === '') {
			delete pipeline.background;
		} else if (args.length === 3) {
			pipeline.background = `#${args.map((text) => hexDigits(argument.integer(name, text, 0, 255))).join('')}`;
		} else {
			if (args.length !== 1) throw invalidValue(name, 'red, green and blue, or a colour', args.join(':'));
			pipeline.background = colourArgument(name, args[0] ?? '');
		}
	},
};

/** Puts the background behind a picture that may be transparent. */
export function flattenOntoBackground(steps: StepList, { pipeline, wasTransparent }: PipelineState): void {
	const { background, backgroundOpacity } = pipeline;
	if (!wasTransparent || background === undefined) return;
	// Added areas already have this opacity, but no step can give it to the area behind the picture itself.
	if (backgroundOpacity < 1) {
		throw unsupportedOption('background_alpha', 'Behind a transparent picture a background is opaque.');
	}
	steps.add('flatten', { background });
}

/** Direction in which a gradient becomes opaque: a word, or degrees clockwise from the bottom. */
const directions = [
	{ word: 'down', angle: 0, towards: 'bottom' },
	{ word: 'left', angle: 90, towards: 'left' },
	{ word: 'up', angle: 180, towards: 'top' },
	{ word: 'right', angle: 270, towards: 'right' },
] as const;

function readDirection(name: string, text: string) {
	const named = directions.find(({ word }) => word === (text || 'down'));
	if (named) return { towards: named.towards };
	const angle = ((argument.number(name, text, -36_000, 36_000) % 360) + 360) % 360;
	const turned = directions.find((one) => one.angle === angle);
	// The operation's angle starts at the top.
	return turned ? { towards: turned.towards } : { angle: (angle + 180) % 360 };
}

interface Watermark {
	readonly opacity: number;
	/** Name of a place, or `re`: repeated. */
	readonly position: PlaceName | 're';
	readonly x: number;
	readonly y: number;
	/** 0 is the watermark's original size. */
	readonly scale: number;
}

function readWatermark([opacity = '', position = '', x = '', y = '', scale = '']: readonly string[], name: string) {
	if (position === 'ch') throw unsupportedOption(`${name}:…:ch`, 'Watermarks can be repeated in rows only: re.');
	const offset = (text: string) => (text === '' ? 0 : argument.number(name, text, -maximumOffset, maximumOffset));
	return {
		opacity: argument.number(name, opacity, 0, 1),
		position: position === '' ? 'ce' : argument.choice(name, position, [...placeNames, 're']),
		x: offset(x),
		y: offset(y),
		scale: scale === '' ? 0 : argument.number(name, scale, 0, 1),
	} satisfies Watermark;
}

function placed({ size }: StepList, { position, x, y }: Watermark, dpr: number): StepOptions {
	/** Pixels, or a share if the size is unknown. */
	const along = (by: number, side: number | undefined) => {
		if (by === 0) return 0;
		return side === undefined ? offset(by, dpr) : limitedOffset(offsetPixels(by, side, dpr));
	};
	const [across, down] = [along(x, size?.width), along(y, size?.height)];
	if (position !== 're') {
		return { position: places[position], ...(across !== 0 && { x: across }), ...(down !== 0 && { y: down }) };
	}
	if (typeof across === 'string' || typeof down === 'string') {
		throw unsupportedOption('watermark:…:re', 'The size of the picture is not known before.');
	}
	if (across < 0 || down < 0) throw invalidValue('watermark', 'gaps of 0 or more', `${x}:${y}`);
	return {
		position: 'centre',
		tile: true,
		...(across > 0 && { gap: across }),
		...(down !== across && { gapBelow: down }),
	};
}

/** Names that the operation accepts; it checks them again. */
const assetName = /^[\p{L}\p{N}_](?:[\p{L}\p{N}_. -]{0,98}[\p{L}\p{N}_-])?$/u;

const watermarkPicture = single(['watermark_url', 'wmu'], (text, pipeline, _draft, name) => {
	const picture = base64Decoded(name, text).replace(/^(?:picpipe:\/\/|local:\/\/\/)/, '');
	if (!isPictureId(picture) && !assetName.test(picture)) {
		throw invalidValue(name, 'a picture’s id or the plain name of a file in PICPIPE_ASSETS', picture);
	}
	pipeline.watermarkPicture = picture;
});

const noObjects = 'Objects are not detected.';
const watermarksAreFiles = 'A watermark is a file or a picture, unchanged.';

export const overlayOptions: readonly ImgproxyOption[] = [
	background,
	single(['background_alpha', 'bga'], (text, pipeline, _draft, name) => {
		pipeline.backgroundOpacity = argument.number(name, text, 0, 1);
	}),
	stepOption(['colorize', 'col'], 3, ([opacityText = '', colourText = '', keep = ''], name) => {
		const opacity = argument.number(name, opacityText, 0, 1);
		const colour = colourText === '' ? '#000000' : colourArgument(name, colourText);
		const keepAlpha = keep !== '' && argument.boolean(name, keep);
		if (opacity === 0) return undefined;
		return (steps) => {
			const keepTransparency = keepAlpha && steps.alpha;
			steps.add('colorize', { colour, opacity, ...(keepTransparency && { keepTransparency }) });
		};
	}),
	stepOption(['gradient', 'gr'], 5, ([opacityText = '', colour = '', direction = '', from = '', to = ''], name) => {
		const where = readDirection(name, direction);
		const start = from === '' ? 0 : argument.number(name, from, 0, 1);
		const stop = to === '' ? 1 : argument.number(name, to, 0, 1);
		if (start > stop) throw invalidValue(name, 'a start that is not after the stop', `${from}:${to}`);
		const opacity = argument.number(name, opacityText, 0, 1);
		const shown = colour === '' ? '#000000' : colourArgument(name, colour);
		if (opacity === 0) return undefined;
		return (steps) => steps.add('gradient', { opacity, colour: shown, ...where, start, stop });
	}),
	stepOption(['watermark', 'wm'], 5, (args, name) => {
		const watermark = readWatermark(args, name);
		const { opacity, scale } = watermark;
		if (opacity === 0) return undefined;
		return (steps, { pipeline, sizes }) => {
			if (scale !== 0 && scale < 0.01) {
				throw invalidValue(name, 'a scale from 0.01 to 1, or 0 for its own size,', `${scale}`);
			}
			steps.add('watermark', {
				picture: pipeline.watermarkPicture,
				...placed(steps, watermark, sizes.dpr),
				scale: scale === 0 ? 'own' : scale,
				...(opacity !== 1 && { opacity }),
			});
		};
	}),
	watermarkPicture,
	missing(['watermark_text', 'wmt'], watermarksAreFiles, ['']),
	missing(['watermark_size', 'wms'], 'The size of a watermark is its scale.', ['', '0', '0:0']),
	missing(['watermark_rotate', 'wm_rot', 'wmr'], watermarksAreFiles, ['', '0']),
	missing(['watermark_shadow', 'wmsh'], watermarksAreFiles, ['', '0']),
	missing(['blur_detections', 'bd'], noObjects),
	missing(['draw_detections', 'dd'], noObjects, ['0', 'f', 'false']),
	missing(['objects_position', 'obj_pos', 'op'], noObjects),
	missing(['style', 'st'], 'An SVG is drawn unchanged.', ['']),
];
