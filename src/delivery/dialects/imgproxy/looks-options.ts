import { isPictureId } from '../../../domain/picture.ts';
import { base64Text, boolean, hexColour, integer, number, oneOf, positive } from './arguments.ts';
import { maximumOffset, placeNames } from './gravity.ts';
import { given, missing, type Option, single } from './option.ts';
import { unexpected, unsupported } from './refusals.ts';

/** Options that change colours, details, what is behind the picture and what is laid over it. */

const background: Option = {
	names: ['background', 'bg'],
	most: 3,
	read(args, pipeline, _draft, name) {
		if (args.length === 1 && args[0] === '') {
			delete pipeline.background;
		} else if (args.length === 3) {
			const channels = args.map((text) => integer(name, text, 0, 255).toString(16).padStart(2, '0'));
			pipeline.background = `#${channels.join('')}`;
		} else {
			if (args.length !== 1) throw unexpected('red, green and blue, or a colour', name, args.join(':'));
			pipeline.background = hexColour(name, args[0] ?? '');
		}
	},
};

const brightness = (name: string, text: string) => integer(name, text, -255, 255);
/** As far as our operations go. */
const factor = (name: string, text: string) => number(name, text, 0, 10);

const adjust: Option = {
	names: ['adjust', 'a'],
	most: 3,
	read(args, pipeline, _draft, name) {
		given(args, 0, (text) => {
			pipeline.brightness = brightness(name, text);
		});
		given(args, 1, (text) => {
			pipeline.contrast = factor(name, text);
		});
		given(args, 2, (text) => {
			pipeline.saturation = factor(name, text);
		});
	},
};

const monochrome: Option = {
	names: ['monochrome', 'mc'],
	most: 2,
	read([text = '', shade = ''], pipeline, _draft, name) {
		const colour = shade === '' ? '#b3b3b3' : hexColour(name, shade);
		const intensity = number(name, text, 0, 1);
		if (intensity === 0) delete pipeline.monochrome;
		else pipeline.monochrome = { colour, intensity };
	},
};

const duotone: Option = {
	names: ['duotone', 'dt'],
	most: 3,
	read([text = '', first = '', second = ''], pipeline, _draft, name) {
		const dark = first === '' ? '#000000' : hexColour(name, first);
		const light = second === '' ? '#ffffff' : hexColour(name, second);
		const intensity = number(name, text, 0, 1);
		if (intensity === 0) delete pipeline.duotone;
		else pipeline.duotone = { dark, light, intensity };
	},
};

/** A number that is 0, for nothing, or in the range of the operation. */
function zeroOr(name: string, text: string, minimum: number, maximum: number): number {
	const value = number(name, text, 0, maximum);
	if (value !== 0 && value < minimum) {
		throw unexpected(`a number from ${minimum} to ${maximum}, or 0 for none,`, name, text);
	}
	return value;
}

const watermark: Option = {
	names: ['watermark', 'wm'],
	most: 5,
	read([opacity = '', position = '', x = '', y = '', scale = ''], pipeline, _draft, name) {
		if (position === 'ch') throw unsupported(`${name}:…:ch`, 'Watermarks can be repeated in rows only: re.');
		const offset = (text: string) => (text === '' ? 0 : number(name, text, -maximumOffset, maximumOffset));
		pipeline.watermark = {
			opacity: number(name, opacity, 0, 1),
			position: position === '' ? 'ce' : oneOf(name, position, [...placeNames, 're']),
			x: offset(x),
			y: offset(y),
			scale: scale === '' ? 0 : number(name, scale, 0, 1),
		};
	},
};

/** Names that the operation takes; it has the last word. */
const assetName = /^[\p{L}\p{N}_](?:[\p{L}\p{N}_. -]{0,98}[\p{L}\p{N}_-])?$/u;

const watermarkPicture = single(['watermark_url', 'wmu'], (text, pipeline, _draft, name) => {
	const picture = base64Text(name, text).replace(/^(?:picpipe:\/\/|local:\/\/\/)/, '');
	if (!isPictureId(picture) && !assetName.test(picture)) {
		throw unexpected('a picture’s id or the plain name of a file in PICPIPE_ASSETS', name, picture);
	}
	pipeline.watermarkPicture = picture;
});

/** Divided by the other one, they are how much each neighbour counts. */
const [usualWeight, usualDivider] = [1, 24];
/** As far as our operation goes. */
const [leastUnsharp, mostUnsharp] = [0.001, 10];

const unsharpMasking: Option = {
	names: ['unsharp_masking', 'ush', 'unsharpening', 'unsharpen', 'unsharp'],
	most: 3,
	read([asked = '', weight = '', divider = ''], pipeline, _draft, name) {
		const mode = asked === '' ? 'auto' : oneOf(name, asked, ['auto', 'none', 'always']);
		const by = (text: string, usual: number) => (text === '' ? usual : positive(name, text, 1_000));
		const amount = by(weight, usualWeight) / by(divider, usualDivider);
		if (amount < leastUnsharp || amount > mostUnsharp) {
			const expected = `a weight of ${leastUnsharp} to ${mostUnsharp} times the divider`;
			throw unexpected(expected, name, [asked, weight, divider].join(':'));
		}
		if (mode === 'none') delete pipeline.unsharp;
		// Digits that nobody sees would make the same picture another one.
		else pipeline.unsharp = { mode, amount: Math.round(amount * 1e4) / 1e4 };
	},
};

const colorize: Option = {
	names: ['colorize', 'col'],
	most: 3,
	read([opacity = '', colour = '', keepAlpha = ''], pipeline, _draft, name) {
		pipeline.colorize = {
			opacity: number(name, opacity, 0, 1),
			colour: colour === '' ? '#000000' : hexColour(name, colour),
			keepAlpha: keepAlpha !== '' && boolean(name, keepAlpha),
		};
	},
};

/** Where the colour is whole: a word, or degrees clockwise from the bottom. */
const directions = [
	{ word: 'down', angle: 0, towards: 'bottom' },
	{ word: 'left', angle: 90, towards: 'left' },
	{ word: 'up', angle: 180, towards: 'top' },
	{ word: 'right', angle: 270, towards: 'right' },
] as const;

function readDirection(name: string, text: string) {
	const named = directions.find(({ word }) => word === (text || 'down'));
	if (named) return { towards: named.towards };
	const angle = ((number(name, text, -36_000, 36_000) % 360) + 360) % 360;
	const turned = directions.find((one) => one.angle === angle);
	// Ours begins at the top.
	return turned ? { towards: turned.towards } : { angle: (angle + 180) % 360 };
}

const gradient: Option = {
	names: ['gradient', 'gr'],
	most: 5,
	read([opacity = '', colour = '', direction = '', start = '', stop = ''], pipeline, _draft, name) {
		const where = readDirection(name, direction);
		const [from, to] = [start === '' ? 0 : number(name, start, 0, 1), stop === '' ? 1 : number(name, stop, 0, 1)];
		if (from > to) throw unexpected('a start that is not after the stop', name, `${start}:${stop}`);
		pipeline.gradient = {
			opacity: number(name, opacity, 0, 1),
			colour: colour === '' ? '#000000' : hexColour(name, colour),
			...where,
			start: from,
			stop: to,
		};
	},
};

const noObjects = 'Objects are not looked for.';
const watermarksAreFiles = 'A watermark is a file or a picture, as it is.';

export const looksOptions: readonly Option[] = [
	background,
	single(['background_alpha', 'bga'], (text, pipeline, _draft, name) => {
		pipeline.backgroundOpacity = number(name, text, 0, 1);
	}),
	adjust,
	single(['brightness', 'br'], (text, pipeline, _draft, name) => {
		pipeline.brightness = brightness(name, text);
	}),
	single(['contrast', 'co'], (text, pipeline, _draft, name) => {
		pipeline.contrast = factor(name, text);
	}),
	single(['saturation', 'sa'], (text, pipeline, _draft, name) => {
		pipeline.saturation = factor(name, text);
	}),
	monochrome,
	duotone,
	single(['blur', 'bl'], (text, pipeline, _draft, name) => {
		pipeline.blur = zeroOr(name, text, 0.3, 250);
	}),
	single(['sharpen', 'sh'], (text, pipeline, _draft, name) => {
		pipeline.sharpen = zeroOr(name, text, 0.1, 10);
	}),
	single(['pixelate', 'pix'], (text, pipeline, _draft, name) => {
		pipeline.pixelate = integer(name, text, 0, 1_024);
	}),
	unsharpMasking,
	colorize,
	gradient,
	watermark,
	watermarkPicture,
	missing(['watermark_text', 'wmt'], watermarksAreFiles, ['']),
	missing(['watermark_size', 'wms'], 'A watermark’s size is its scale.', ['', '0', '0:0']),
	missing(['watermark_rotate', 'wm_rot', 'wmr'], watermarksAreFiles, ['', '0']),
	missing(['watermark_shadow', 'wmsh'], watermarksAreFiles, ['', '0']),
	missing(['blur_detections', 'bd'], noObjects),
	missing(['draw_detections', 'dd'], noObjects, ['0', 'f', 'false']),
	missing(['objects_position', 'obj_pos', 'op'], noObjects),
	missing(['style', 'st'], 'An SVG is drawn as it is.', ['']),
];
