import type { Pipeline } from './pipeline.ts';
import type { Work } from './work.ts';

/** Turns the picture and mirrors it, in as few steps as there can be. */
export function turn(work: Work, { rotate, flipX, flipY }: Pick<Pipeline, 'rotate' | 'flipX' | 'flipY'>): void {
	// Mirrored both ways is turned upside down, so that eight results remain.
	const angle = (rotate + (flipY ? 180 : 0)) % 360;
	const isMirrored = flipX !== flipY;
	if (angle === 180 && isMirrored) {
		work.steps.push({ flip: {} });
		return;
	}
	if (angle !== 0) work.steps.push({ rotate: { angle } });
	if (isMirrored) work.steps.push({ flop: {} });
	if (work.size && angle % 180 !== 0) work.size = { width: work.size.height, height: work.size.width };
}
