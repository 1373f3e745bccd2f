import { storedSize } from '../../../operations/geometry.ts';
import type { RenderPlan, SourceFacts } from '../image-request.ts';
import { unsupportedOption } from '../shared/refusals.ts';
import { type AddSteps, StepList } from '../shared/step-list.ts';
import { encodeOptions } from './encode.ts';
import { extend } from './extend.ts';
import { filterOptions } from './filter-options.ts';
import { trim } from './geometry-options.ts';
import type { ImgproxyOption } from './option.ts';
import { flattenOntoBackground, overlayOptions } from './overlay-options.ts';
import type { Draft, OutputOptions, Pipeline, PipelineSizes, PipelineState, RequestedFormat } from './pipeline.ts';
import { cropSized, resizeSized } from './resize.ts';
import { cropUnsized, resizeUnsized } from './resize-relative.ts';

/** The processing order of each pipeline, which is imgproxy's. Rows of options add the steps that they made. */
export const processingOrder: readonly AddSteps<PipelineState>[] = [
	rowSteps(trim),
	rotateAndFlip,
	resize,
	...filterOptions.map(rowSteps),
	extend,
	flattenOntoBackground,
	...overlayOptions.map(rowSteps),
];

/** Formats that are always still images in picpipe. */
const stillFormats: ReadonlySet<RequestedFormat> = new Set(['jpeg', 'png', 'avif', 'tiff']);

const noSize = { width: 0, height: 0 };
const noSizes: PipelineSizes = { scaled: noSize, target: noSize, kept: noSize, framed: noSize, dpr: 1 };

/** The plan of a render. @throws PicpipeError `invalid-delivery-url`, `option-unsupported` */
export function planRender({ pipelines, output }: Draft, source: SourceFacts): RenderPlan {
	if (isSkipped(output, source)) return { steps: [], format: 'source', isUnneeded: true };
	const page = pageOf(output, source);
	// Further pages of a TIFF may have other sizes and orientations.
	const isFurther = page > 1 && source.format === 'tiff';
	const { orientation = 1 } = source;
	const isAsStored = !output.isUpright && (isFurther || orientation !== 1);
	const { width, height } = isAsStored ? storedSize(source, orientation) : source;
	const steps = new StepList({ size: isFurther ? undefined : { width, height }, alpha: source.alpha });
	for (const [index, pipeline] of pipelines.entries()) {
		// The first pipeline draws a vector image; afterwards it has pixels.
		const isVector = index === 0 && source.format === 'svg';
		const state: PipelineState = { pipeline, isVector, sizes: noSizes, wasTransparent: false };
		for (const addSteps of processingOrder) addSteps(steps, state);
	}
	return {
		...(page > 1 && { page }),
		...(isAsStored && { orient: false }),
		steps: steps.steps,
		format: output.format,
		encode: (format) => encodeOptions(output, format),
		...metadataOf(output),
		...(!output.stripProfile && { colour: 'keep' }),
	};
}

/** The steps that an option made. */
function rowSteps({ names: [key] }: ImgproxyOption): AddSteps<PipelineState> {
	return (steps, state) => state.pipeline.made.get(key)?.(steps, state);
}

/** Uses as few steps as possible. */
function rotateAndFlip(steps: StepList, { pipeline: { rotate, flipX, flipY } }: PipelineState): void {
	// Flipping both ways equals a rotation by 180 degrees, so there are eight results.
	const angle = (rotate + (flipY ? 180 : 0)) % 360;
	const isMirrored = flipX !== flipY;
	if (angle === 180 && isMirrored) {
		steps.add('flip');
		return;
	}
	if (angle !== 0) steps.add('rotate', { angle });
	if (isMirrored) steps.add('flop');
}

/** Crops, scales, and crops what exceeds the size. */
function resize(steps: StepList, state: PipelineState): void {
	state.sizes = sizesAfterResize(steps, state.pipeline, state.isVector);
	state.wasTransparent = steps.alpha;
}

function sizesAfterResize(steps: StepList, pipeline: Pipeline, isVector: boolean): PipelineSizes {
	if (steps.size) return resizeSized(steps, cropSized(steps, steps.size, pipeline), pipeline, isVector);
	cropUnsized(steps, pipeline);
	return resizeUnsized(steps, pipeline, isVector);
}

function isSkipped({ skipped, format }: OutputOptions, source: SourceFacts): boolean {
	return skipped.has(source.format) && (format === 'source' || format === source.format);
}

/** Starts at 1. An animation keeps all of its frames. A number beyond the last page means the last page. */
function pageOf(output: OutputOptions, source: SourceFacts): number {
	const page = Math.min(output.page, source.frames - 1) + 1;
	if (page === 1) return 1;
	const isAnimation = source.format === 'gif' || source.format === 'webp';
	if (!isAnimation && source.format !== 'tiff') {
		throw unsupportedOption('page', 'Only pages of a TIFF and frames of an animation can be chosen.');
	}
	return isAnimation && !output.isStill && !stillFormats.has(output.format) ? 1 : page;
}

function metadataOf({ stripMetadata, keepCopyright }: OutputOptions): Pick<RenderPlan, 'metadata'> {
	if (!stripMetadata) return { metadata: 'keep' };
	return keepCopyright ? { metadata: 'copyright' } : {};
}
