import { storedSize } from '../../../pipeline/pixels/orientation.ts';
import type { RenderPlan, SourceFacts } from '../image-request.ts';
import { encodeOptions } from './encode.ts';
import { grow } from './growth.ts';
import { cover, filter, flatten, mark } from './looks.ts';
import type { Draft, Format, Output, Pipeline } from './pipeline.ts';
import { invalid, unsupported } from './refusals.ts';
import { cropSized, resizeSized } from './sized.ts';
import { turn } from './turns.ts';
import { cropUnsized, resizeUnsized } from './unsized.ts';
import type { Work } from './work.ts';

/** More steps than pipelines that anybody needs have. */
const maximumSteps = 20;

/** Formats that are never animated here. */
const stillFormats: ReadonlySet<Format> = new Set(['jpeg', 'png', 'avif', 'tiff']);

/** What is to be done to a picture. @throws PicpipeError `invalid-delivery-url`, `option-unsupported` */
export function planRender({ pipelines, output }: Draft, source: SourceFacts): RenderPlan {
	if (isSkipped(output, source)) return { steps: [], format: 'source', isUnneeded: true };
	const page = pageOf(output, source);
	// Pages of a TIFF may have sizes of their own, and lie in ways of their own.
	const isFurther = page > 1 && source.format === 'tiff';
	const { orientation = 1 } = source;
	const isAsStored = !output.isUpright && (isFurther || orientation !== 1);
	const { width, height } = isAsStored ? storedSize(source, orientation) : source;
	const work: Work = {
		steps: [],
		size: isFurther ? undefined : { width, height },
		isTranslucent: source.alpha,
		isDrawn: source.format === 'svg',
	};
	for (const pipeline of pipelines) run(pipeline, work);
	if (work.steps.length > maximumSteps) {
		throw invalid(`Expected options that lead to at most ${maximumSteps} steps but they lead to ${work.steps.length}.`);
	}
	return {
		...(page > 1 && { page }),
		...(isAsStored && { orient: false }),
		steps: work.steps,
		format: output.format,
		encode: (format) => encodeOptions(output, format),
		...metadataOf(output),
		...(!output.stripProfile && { colour: 'keep' }),
	};
}

/** The order of imgproxy's own steps. */
function run(pipeline: Pipeline, work: Work): void {
	trim(work, pipeline);
	turn(work, pipeline);
	const sizes = resize(work, pipeline);
	// What was drawn has pixels from here on.
	work.isDrawn = false;
	filter(work, pipeline, sizes);
	const { isTranslucent } = work;
	grow(work, pipeline, sizes);
	if (isTranslucent) flatten(work, pipeline);
	cover(work, pipeline);
	mark(work, pipeline, sizes.dpr);
}

function trim(work: Work, { trim }: Pipeline): void {
	if (!trim) return;
	const { threshold, colour, equal } = trim;
	// Magenta stands for what is transparent, which is cut off without being named.
	const isNamed = colour !== undefined && !(colour === '#ff00ff' && work.isTranslucent);
	work.steps.push({ trim: { threshold, ...(isNamed && { background: colour }), ...(equal && { equal }) } });
	work.size = undefined;
}

function resize(work: Work, pipeline: Pipeline) {
	if (work.size) return resizeSized(work, cropSized(work, work.size, pipeline), pipeline);
	cropUnsized(work, pipeline);
	return resizeUnsized(work, pipeline);
}

function isSkipped({ skipped, format }: Output, source: SourceFacts): boolean {
	return skipped.has(source.format) && (format === 'source' || format === source.format);
}

/** Counted from 1. What stays an animation has all of its frames, and after the last page there is the last one again. */
function pageOf(output: Output, source: SourceFacts): number {
	const page = Math.min(output.page, source.frames - 1) + 1;
	if (page === 1) return 1;
	const isAnimation = source.format === 'gif' || source.format === 'webp';
	if (!isAnimation && source.format !== 'tiff') {
		throw unsupported('page', 'Only pages of a TIFF and frames of an animation can be chosen.');
	}
	return isAnimation && !output.isStill && !stillFormats.has(output.format) ? 1 : page;
}

function metadataOf({ stripMetadata, keepCopyright }: Output): Pick<RenderPlan, 'metadata'> {
	if (!stripMetadata) return { metadata: 'keep' };
	return keepCopyright ? { metadata: 'copyright' } : {};
}
