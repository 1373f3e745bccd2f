import type { RenderFormat, RenderPlan, SourceFacts } from '../image-request.ts';
import type { Asked } from './asked.ts';
import { greyOf } from './colours.ts';
import { cutSteps, scaleSteps } from './geometry.ts';
import { areColoursFirst, firstColours, lookSteps } from './look.ts';
import type { Settings } from './settings.ts';
import { Steps } from './steps.ts';

/** @throws PicpipeError where something can't be done to such a picture */
export function planRender({ changes, format, animated }: Asked, source: SourceFacts): RenderPlan {
	const settings: Settings = {};
	for (const change of changes)
		Object.assign(settings, typeof change === 'function' ? change(settings, source) : change);
	const steps = new Steps(source);
	cutSteps(settings, steps);
	const isFirst = areColoursFirst(settings);
	if (isFirst) firstColours(settings, steps);
	// By then sharp has greys, and what it adds is one.
	const { background, grayscale } = settings;
	scaleSteps(grayscale && background ? { ...settings, background: greyOf(background) } : settings, steps);
	if (!isFirst) firstColours(settings, steps);
	lookSteps(settings, steps);

	const { quality } = settings;
	const isStill = !animated && source.frames > 1 && source.format !== 'tiff';
	const byFormat: Readonly<Record<RenderFormat, Readonly<Record<string, unknown>>>> = {
		avif: { ...(quality && { quality }) },
		webp: { ...(quality && { quality }), ...(isStill && { animated: false }) },
		// As ipx has sharp write them: a coarse picture first, and black where something would show through.
		jpeg: { ...(quality && { quality }), progressive: true, ...(steps.alpha && { background: '#000000' }) },
		// So is this: with a quality, it is one of 256 colours.
		png: { ...(quality && { palette: true, quality }) },
		gif: {},
		tiff: {},
	};
	return { steps: steps.list, format, encode: (format) => byFormat[format] };
}
