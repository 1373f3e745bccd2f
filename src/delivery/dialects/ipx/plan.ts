import type { RenderFormat, RenderPlan, SourceFacts } from '../image-request.ts';
import { greyOf, isOpaque, opaqueColour } from '../shared/colours.ts';
import { StepList } from '../shared/step-list.ts';
import { filterModifiers } from './filter-modifiers.ts';
import { cutSteps, scaleSteps } from './geometry.ts';
import type { ModifierRequest } from './modifiers.ts';
import type { Settings } from './settings.ts';

/** The smallest value that the operation `gamma` takes. */
const leastGamma = 0.35;

/** @throws PicpipeError if something cannot be done to such a picture */
export function planRender({ changes, format, animated }: ModifierRequest, source: SourceFacts): RenderPlan {
	const settings: Settings = {};
	for (const change of changes) {
		Object.assign(settings, typeof change === 'function' ? change(settings, source) : change);
	}
	const { width, height, alpha } = source;
	const steps = new StepList({ size: { width, height }, alpha, limitsSides: true, keepsAlphaWithoutSize: true });
	cutSteps(settings, steps);
	const isFirst = areColoursFirst(settings);
	if (isFirst) firstColours(settings, steps);
	// sharp has a grey picture by then, and adds a grey.
	const { background, grayscale } = settings;
	scaleSteps(grayscale && background ? { ...settings, background: greyOf(background) } : settings, steps);
	if (!isFirst) firstColours(settings, steps);
	for (const { names } of filterModifiers) settings.filters?.get(names[0] ?? '')?.(steps, settings);
	const encode = encoding(settings, { isStill: !animated && isAnimation(source), alpha: steps.alpha });
	return { steps: steps.steps, format, encode };
}

/**
 * Whether the colour changes that sharp makes before scaling have to be made there. If they mean the same after scaling, they are made then, on
 * fewer pixels.
 */
function areColoursFirst({ gammaBefore = 1, background = '#000000' }: Settings): boolean {
	return gammaBefore !== 1 || !isOpaque(background);
}

function firstColours({ flatten, background, gammaBefore = 1, grayscale }: Settings, steps: StepList): void {
	if (flatten && steps.alpha) steps.add('flatten', { background: opaqueColour(background ?? '#000000') });
	if (gammaBefore !== 1) {
		const value = 1 / gammaBefore;
		// By its root, twice.
		const times = value < leastGamma ? 2 : 1;
		for (let time = 0; time < times; time++) steps.add('gamma', { value: value ** (1 / times) });
	}
	if (grayscale) steps.add('grayscale');
}

function isAnimation({ frames, format }: SourceFacts): boolean {
	return frames > 1 && format !== 'tiff';
}

function encoding(
	{ quality }: Settings,
	{ isStill, alpha }: { readonly isStill: boolean; readonly alpha: boolean },
): NonNullable<RenderPlan['encode']> {
	const byFormat: Readonly<Record<RenderFormat, Readonly<Record<string, unknown>>>> = {
		avif: { ...(quality && { quality }) },
		webp: { ...(quality && { quality }), ...(isStill && { animated: false }) },
		// As ipx has sharp write it: progressive, and transparent areas in black.
		jpeg: { ...(quality && { quality }), progressive: true, ...(alpha && { background: '#000000' }) },
		// As ipx has sharp write it: a quality reduces a PNG to 256 colours.
		png: { ...(quality && { palette: true, quality }) },
		gif: {},
		tiff: {},
	};
	return (format) => byFormat[format];
}
