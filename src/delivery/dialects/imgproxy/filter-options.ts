import { rounded } from '../shared/arguments.ts';
import { invalidValue, unsupportedOption } from '../shared/refusals.ts';
import { type AddSteps, step } from '../shared/step-list.ts';
import { argument, colourArgument, type ImgproxyOption, ifPresent, single, stepOption } from './option.ts';
import type { Pipeline, PipelineState } from './pipeline.ts';

/** Options that change colours and details, in the order in which imgproxy applies them. */

/** 0 for no change, or a number in the operation's range. */
function zeroOr(name: string, text: string, minimum: number, maximum: number): number {
	const value = argument.number(name, text, 0, maximum);
	if (value !== 0 && value < minimum) {
		throw invalidValue(name, `a number from ${minimum} to ${maximum}, or 0 for none,`, text);
	}
	return value;
}

const brightness = (name: string, text: string) => argument.integer(name, text, -255, 255);
/** The operations' range. */
const factor = (name: string, text: string) => argument.number(name, text, 0, 10);

/** Brightness, contrast and saturation, whichever options set them. */
const adjustments: AddSteps<PipelineState> = (steps, { pipeline }) => {
	const { brightness, contrast, saturation } = pipeline;
	if (brightness !== 0 || contrast !== 1) {
		steps.add('contrast', { factor: contrast, ...(brightness !== 0 && { brightness }) });
	}
	if (saturation !== 1) steps.add('modulate', { saturation });
};

/** Several options set adjustments; the row `adjust` has their steps. */
const adjustmentsKey = 'adjust';

function adjustment(names: ImgproxyOption['names'], set: (text: string, pipeline: Pipeline, name: string) => void) {
	return single(names, (text, pipeline, _draft, name) => {
		set(text, pipeline, name);
		pipeline.made.set(adjustmentsKey, adjustments);
	});
}

const adjust: ImgproxyOption = {
	names: [adjustmentsKey, 'a'],
	most: 3,
	read(args, pipeline, _draft, name) {
		ifPresent(args, 0, (text) => {
			pipeline.brightness = brightness(name, text);
		});
		ifPresent(args, 1, (text) => {
			pipeline.contrast = factor(name, text);
		});
		ifPresent(args, 2, (text) => {
			pipeline.saturation = factor(name, text);
		});
		pipeline.made.set(adjustmentsKey, adjustments);
	},
};

function duotoneStep(dark: string, light: string, intensity: number): AddSteps<unknown> {
	return step('duotone', { dark, light, ...(intensity < 1 && { intensity }) });
}

/** @param colour of six digits */
function isGrey(colour: string): boolean {
	const [red, green, blue] = [colour.slice(1, 3), colour.slice(3, 5), colour.slice(5, 7)];
	return red === green && green === blue;
}

/** libvips's sharpening when only sigma is set, as imgproxy calls it. */
const sharpening = { m1: 0, m2: 3 };

/** imgproxy's defaults: each neighbour counts as the weight divided by the divider. */
const [usualWeight, usualDivider] = [1, 24];
/** The operation's range. */
const [leastUnsharp, mostUnsharp] = [0.001, 10];

function readUnsharp([mode = '', weight = '', divider = '']: readonly string[], name: string) {
	const chosen = mode === '' ? 'auto' : argument.choice(name, mode, ['auto', 'none', 'always']);
	const by = (text: string, usual: number) => (text === '' ? usual : argument.positive(name, text, 1_000));
	const amount = by(weight, usualWeight) / by(divider, usualDivider);
	if (amount < leastUnsharp || amount > mostUnsharp) {
		const expected = `a weight of ${leastUnsharp} to ${mostUnsharp} times the divider`;
		throw invalidValue(name, expected, [mode, weight, divider].join(':'));
	}
	// More digits would not change the picture visibly, but would make a different render.
	return { mode: chosen, amount: rounded(amount) };
}

export const filterOptions: readonly ImgproxyOption[] = [
	adjust,
	adjustment(['brightness', 'br'], (text, pipeline, name) => {
		pipeline.brightness = brightness(name, text);
	}),
	adjustment(['contrast', 'co'], (text, pipeline, name) => {
		pipeline.contrast = factor(name, text);
	}),
	adjustment(['saturation', 'sa'], (text, pipeline, name) => {
		pipeline.saturation = factor(name, text);
	}),
	stepOption(['monochrome', 'mc'], 2, ([text = '', shade = ''], name) => {
		const colour = shade === '' ? '#b3b3b3' : colourArgument(name, shade);
		const intensity = argument.number(name, text, 0, 1);
		if (intensity === 0) return undefined;
		if (!isGrey(colour)) return step('tint', { colour, ...(intensity < 1 && { intensity }) });
		return intensity < 1 ? duotoneStep('#000000', '#ffffff', intensity) : step('grayscale');
	}),
	stepOption(['duotone', 'dt'], 3, ([text = '', first = '', second = ''], name) => {
		const dark = first === '' ? '#000000' : colourArgument(name, first);
		const light = second === '' ? '#ffffff' : colourArgument(name, second);
		const intensity = argument.number(name, text, 0, 1);
		return intensity === 0 ? undefined : duotoneStep(dark, light, intensity);
	}),
	stepOption(['blur', 'bl'], 1, ([text = ''], name) => {
		const sigma = zeroOr(name, text, 0.3, 250);
		return sigma === 0 ? undefined : step('blur', { sigma });
	}),
	stepOption(['sharpen', 'sh'], 1, ([text = ''], name) => {
		const sigma = zeroOr(name, text, 0.1, 10);
		return sigma === 0 ? undefined : step('sharpen', { sigma, ...sharpening });
	}),
	stepOption(['unsharp_masking', 'ush', 'unsharpening', 'unsharpen', 'unsharp'], 3, (args, name) => {
		const { mode, amount } = readUnsharp(args, name);
		if (mode === 'none') return undefined;
		return (steps, { pipeline, sizes }) => {
			// `auto` sharpens a picture that is scaled down and has no other sharpening.
			if (mode === 'auto' && pipeline.made.has('sharpen')) return;
			if (mode === 'auto' && sizes.isDown === undefined) {
				throw unsupportedOption('unsharp_masking:auto', 'Whether the picture is scaled down is not known before.');
			}
			if (mode === 'always' || sizes.isDown) steps.add('unsharp', { amount });
		};
	}),
	stepOption(['pixelate', 'pix'], 1, ([text = ''], name) => {
		const size = argument.integer(name, text, 0, 1_024);
		return size <= 1 ? undefined : step('pixelate', { size });
	}),
];
