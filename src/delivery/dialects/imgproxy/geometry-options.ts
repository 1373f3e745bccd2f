import { maximumSide } from '../../../operations/options.ts';
import { boolean, hexColour, integer, number, oneOf, positive } from './arguments.ts';
import { readGravity } from './gravity.ts';
import { given, type Option, single } from './option.ts';
import { algorithms, type Growth, type Pipeline, resizingTypes } from './pipeline.ts';
import { unexpected } from './refusals.ts';

/** Options that say how large the picture becomes and which part of it is kept. */

/** More is no density of any screen, and would only be another way to ask for a size. */
const maximumFactor = 100;

const side = (name: string, text: string) => integer(name, text, 0, maximumSide);

function readGrowth(args: readonly string[], growth: Growth, name: string): Growth {
	const [isOn = ''] = args;
	const gravity = (args[1] ?? '') === '' ? growth.gravity : readGravity(name, args.slice(1), false);
	return { isOn: boolean(name, isOn), gravity };
}

/** Width, height, enlarge, extend. */
function readSize(args: readonly string[], pipeline: Pipeline, name: string): void {
	given(args, 0, (text) => {
		pipeline.width = side(name, text);
	});
	given(args, 1, (text) => {
		pipeline.height = side(name, text);
	});
	given(args, 2, (text) => {
		pipeline.enlarge = boolean(name, text);
	});
	given(args, 3, () => {
		pipeline.extend = readGrowth(args.slice(3), pipeline.extend, name);
	});
}

/** Pixels where 1 or more, then without what follows the point, else a share. */
function cropLength(name: string, text: string): number {
	const length = text === '' ? 0 : number(name, text, 0, maximumSide);
	return length >= 1 ? Math.floor(length) : length;
}

const resize: Option = {
	names: ['resize', 'rs'],
	most: 8,
	read(args, pipeline, _draft, name) {
		given(args, 0, (text) => {
			pipeline.resizingType = oneOf(name, text, resizingTypes);
		});
		readSize(args.slice(1), pipeline, name);
	},
};

const size: Option = {
	names: ['size', 's'],
	most: 7,
	read: (args, pipeline, _draft, name) => readSize(args, pipeline, name),
};

const zoom: Option = {
	names: ['zoom', 'z'],
	most: 2,
	read([x = '', y = x], pipeline, _draft, name) {
		pipeline.zoomX = positive(name, x, maximumFactor);
		pipeline.zoomY = positive(name, y, maximumFactor);
	},
};

const extend: Option = {
	names: ['extend', 'ex'],
	most: 4,
	read(args, pipeline, _draft, name) {
		pipeline.extend = readGrowth(args, pipeline.extend, name);
	},
};

const extendRatio: Option = {
	names: ['extend_aspect_ratio', 'extend_ar', 'exar'],
	most: 4,
	read(args, pipeline, _draft, name) {
		pipeline.extendRatio = readGrowth(args, pipeline.extendRatio, name);
	},
};

const gravity: Option = {
	names: ['gravity', 'g'],
	read(args, pipeline, _draft, name) {
		pipeline.gravity = readGravity(name, args);
	},
};

const crop: Option = {
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

const cropRatio: Option = {
	names: ['crop_aspect_ratio', 'crop_ar', 'car'],
	most: 2,
	read([ratio = '', enlarge = ''], pipeline, _draft, name) {
		const value = number(name, ratio, 0, maximumFactor);
		if (value !== 0 && value < 1 / maximumFactor) {
			throw unexpected(`a ratio of width to height from ${1 / maximumFactor} to ${maximumFactor}, or 0,`, name, ratio);
		}
		pipeline.cropRatio = { ratio: value, enlarge: enlarge !== '' && boolean(name, enlarge) };
	},
};

const trim: Option = {
	names: ['trim', 't'],
	most: 4,
	read([threshold = '', colour = '', horizontal = '', vertical = ''], pipeline, _draft, name) {
		const [across, down] = [horizontal, vertical].map((equal) => equal !== '' && boolean(name, equal));
		if (threshold === '') {
			delete pipeline.trim;
			return;
		}
		pipeline.trim = {
			threshold: number(name, threshold, 0, 255),
			...(colour !== '' && { colour: hexColour(name, colour) }),
			...((across || down) && { equal: across && down ? 'both' : across ? 'horizontal' : 'vertical' }),
		};
	},
};

const padding: Option = {
	names: ['padding', 'pd'],
	most: 4,
	read(args, pipeline, _draft, name) {
		const at = (index: number, fallback: number) => {
			const text = args[index] ?? '';
			return text === '' ? fallback : side(name, text);
		};
		if (args.every((text) => text === '')) throw unexpected('pixels of one side at least', name, args.join(':'));
		const top = at(0, 0);
		const right = at(1, top);
		pipeline.padding = { top, right, bottom: at(2, top), left: at(3, right) };
	},
};

const flip: Option = {
	names: ['flip', 'fl'],
	most: 2,
	read(args, pipeline, _draft, name) {
		given(args, 0, (text) => {
			pipeline.flipX = boolean(name, text);
		});
		given(args, 1, (text) => {
			pipeline.flipY = boolean(name, text);
		});
	},
};

export const geometryOptions: readonly Option[] = [
	resize,
	size,
	single(['resizing_type', 'rt'], (text, pipeline, _draft, name) => {
		pipeline.resizingType = oneOf(name, text, resizingTypes);
	}),
	single(['resizing_algorithm', 'ra'], (text, pipeline, _draft, name) => {
		pipeline.algorithm = oneOf(name, text, algorithms);
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
		pipeline.dpr = positive(name, text, maximumFactor);
	}),
	single(['enlarge', 'el'], (text, pipeline, _draft, name) => {
		pipeline.enlarge = boolean(name, text);
	}),
	extend,
	extendRatio,
	gravity,
	crop,
	cropRatio,
	trim,
	padding,
	single(['auto_rotate', 'ar'], (text, _pipeline, { output }, name) => {
		output.isUpright = boolean(name, text);
	}),
	single(['rotate', 'rot'], (text, pipeline, _draft, name) => {
		const angle = integer(name, text, -36_000, 36_000);
		if (angle % 90 !== 0) throw unexpected('a multiple of 90', name, text);
		pipeline.rotate = ((angle % 360) + 360) % 360;
	}),
	flip,
];
