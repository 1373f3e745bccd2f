import { maximumSide } from '../../../operations/options.ts';
import { invalidValue, unsupportedOption } from '../shared/refusals.ts';
import { type ImgproxyGravity, maximumOffset, placeNames, places } from './gravity.ts';
import { argument, colourArgument, type ImgproxyOption, ifPresent, single, stepOption, toggle } from './option.ts';
import { algorithms, type Extension, type Pipeline, resizingTypes } from './pipeline.ts';

/** Options for the size of the picture and for the visible part. */

/** No screen has a higher density. Larger factors would only be another way to request a size. */
const maximumFactor = 100;

const side = (name: string, text: string) => argument.integer(name, text, 0, maximumSide);

/** @param args type, x, y */
function readGravity(option: string, args: readonly string[], isSmartAllowed = true): ImgproxyGravity {
	const [type = '', x = '', y = ''] = args;
	if (type === 'obj' || type === 'objw') throw unsupportedOption(`${option}:${type}`, 'Objects are not detected.');
	const names = [...placeNames, 'fp', ...(isSmartAllowed ? (['sm'] as const) : [])] as const;
	const name = argument.choice(option, type, names);
	if (args.length > (name === 'sm' ? 1 : 3)) throw invalidValue(option, 'fewer arguments', args.join(':'));
	if (name === 'sm') return { type: 'smart' };
	if (name === 'fp') {
		return { type: 'point', x: argument.number(option, x, 0, 1), y: argument.number(option, y, 0, 1) };
	}
	const offset = (text: string) => (text === '' ? 0 : argument.number(option, text, -maximumOffset, maximumOffset));
	return { type: 'place', place: places[name], x: offset(x), y: offset(y) };
}

function readExtension(args: readonly string[], extension: Extension, name: string): Extension {
	const [isOn = ''] = args;
	const gravity = (args[1] ?? '') === '' ? extension.gravity : readGravity(name, args.slice(1), false);
	return { isOn: argument.boolean(name, isOn), gravity };
}

/** Width, height, enlarge, extend. */
function readSize(args: readonly string[], pipeline: Pipeline, name: string): void {
	ifPresent(args, 0, (text) => {
		pipeline.width = side(name, text);
	});
	ifPresent(args, 1, (text) => {
		pipeline.height = side(name, text);
	});
	ifPresent(args, 2, (text) => {
		pipeline.enlarge = argument.boolean(name, text);
	});
	ifPresent(args, 3, () => {
		pipeline.extend = readExtension(args.slice(3), pipeline.extend, name);
	});
}

/** Pixels from 1 upwards, a share of the side below 1. */
function cropLength(name: string, text: string): number {
	const length = text === '' ? 0 : argument.number(name, text, 0, maximumSide);
	return length >= 1 ? Math.floor(length) : length;
}

const resize: ImgproxyOption = {
	names: ['resize', 'rs'],
	most: 8,
	read(args, pipeline, _draft, name) {
		ifPresent(args, 0, (text) => {
			pipeline.resizingType = argument.choice(name, text, resizingTypes);
		});
		readSize(args.slice(1), pipeline, name);
	},
};

const size: ImgproxyOption = {
	names: ['size', 's'],
	most: 7,
	read: (args, pipeline, _draft, name) => readSize(args, pipeline, name),
};

const zoom: ImgproxyOption = {
	names: ['zoom', 'z'],
	most: 2,
	read([x = '', y = x], pipeline, _draft, name) {
		pipeline.zoomX = argument.positive(name, x, maximumFactor);
		pipeline.zoomY = argument.positive(name, y, maximumFactor);
	},
};

const extend: ImgproxyOption = {
	names: ['extend', 'ex'],
	most: 4,
	read(args, pipeline, _draft, name) {
		pipeline.extend = readExtension(args, pipeline.extend, name);
	},
};

const extendRatio: ImgproxyOption = {
	names: ['extend_aspect_ratio', 'extend_ar', 'exar'],
	most: 4,
	read(args, pipeline, _draft, name) {
		pipeline.extendRatio = readExtension(args, pipeline.extendRatio, name);
	},
};

const gravity: ImgproxyOption = {
	names: ['gravity', 'g'],
	read(args, pipeline, _draft, name) {
		pipeline.gravity = readGravity(name, args);
	},
};

const crop: ImgproxyOption = {
	names: ['crop', 'c'],
	most: 5,
	read([width = '', height = '', ...place], pipeline, _draft, name) {
		pipeline.crop = {
			width: cropLength(name, width),
			height: cropLength(name, height),
			...((place[0] ?? '') !== '' && { gravity: readGravity(name, place) }),
		};
	},
};

const cropRatio: ImgproxyOption = {
	names: ['crop_aspect_ratio', 'crop_ar', 'car'],
	most: 2,
	read([ratio = '', enlarge = ''], pipeline, _draft, name) {
		const value = argument.number(name, ratio, 0, maximumFactor);
		if (value !== 0 && value < 1 / maximumFactor) {
			throw invalidValue(
				name,
				`a ratio of width to height from ${1 / maximumFactor} to ${maximumFactor}, or 0,`,
				ratio,
			);
		}
		pipeline.cropRatio = { ratio: value, enlarge: enlarge !== '' && argument.boolean(name, enlarge) };
	},
};

export const trim = stepOption(['trim', 't'], 4, ([text = '', colour = '', across = '', down = ''], name) => {
	const [isAcross, isDown] = [across, down].map((equal) => equal !== '' && argument.boolean(name, equal));
	if (text === '') return undefined;
	const threshold = argument.number(name, text, 0, 255);
	const background = colour === '' ? undefined : colourArgument(name, colour);
	const equal = isAcross && isDown ? 'both' : isAcross ? 'horizontal' : isDown ? 'vertical' : undefined;
	return (steps) => {
		// imgproxy looks for the border in a picture on magenta (`vips_trim` in its vips.c), so that this colour trims what is transparent.
		const matte = steps.alpha && { matte: '#ff00ff' };
		steps.add('trim', { threshold, ...(background && { background }), ...matte, ...(equal && { equal }) });
	};
});

const padding: ImgproxyOption = {
	names: ['padding', 'pd'],
	most: 4,
	read(args, pipeline, _draft, name) {
		const at = (index: number, fallback: number) => {
			const text = args[index] ?? '';
			return text === '' ? fallback : side(name, text);
		};
		if (args.every((text) => text === '')) throw invalidValue(name, 'pixels of one side at least', args.join(':'));
		const top = at(0, 0);
		const right = at(1, top);
		pipeline.padding = { top, right, bottom: at(2, top), left: at(3, right) };
	},
};

const flip: ImgproxyOption = {
	names: ['flip', 'fl'],
	most: 2,
	read(args, pipeline, _draft, name) {
		ifPresent(args, 0, (text) => {
			pipeline.flipX = argument.boolean(name, text);
		});
		ifPresent(args, 1, (text) => {
			pipeline.flipY = argument.boolean(name, text);
		});
	},
};

export const geometryOptions: readonly ImgproxyOption[] = [
	resize,
	size,
	single(['resizing_type', 'rt'], (text, pipeline, _draft, name) => {
		pipeline.resizingType = argument.choice(name, text, resizingTypes);
	}),
	single(['resizing_algorithm', 'ra'], (text, pipeline, _draft, name) => {
		pipeline.algorithm = argument.choice(name, text, algorithms);
	}),
	single(['width', 'w'], (text, pipeline, _draft, name) => {
		pipeline.width = side(name, text);
	}),
	single(['height', 'h'], (text, pipeline, _draft, name) => {
		pipeline.height = side(name, text);
	}),
	single(['min-width', 'mw'], (text, pipeline, _draft, name) => {
		pipeline.minWidth = side(name, text);
	}),
	single(['min-height', 'mh'], (text, pipeline, _draft, name) => {
		pipeline.minHeight = side(name, text);
	}),
	zoom,
	single(['dpr'], (text, pipeline, _draft, name) => {
		pipeline.dpr = argument.positive(name, text, maximumFactor);
	}),
	toggle(['enlarge', 'el'], (isOn, pipeline) => {
		pipeline.enlarge = isOn;
	}),
	extend,
	extendRatio,
	gravity,
	crop,
	cropRatio,
	trim,
	padding,
	toggle(['auto_rotate', 'ar'], (isOn, _pipeline, { output }) => {
		output.isUpright = isOn;
	}),
	single(['rotate', 'rot'], (text, pipeline, _draft, name) => {
		const angle = argument.integer(name, text, -36_000, 36_000);
		if (angle % 90 !== 0) throw invalidValue(name, 'a multiple of 90', text);
		pipeline.rotate = ((angle % 360) + 360) % 360;
	}),
	flip,
];
