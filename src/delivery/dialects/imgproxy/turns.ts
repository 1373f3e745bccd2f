import type { Pipeline } from './pipeline.ts';
import type { Work } from './work.ts';

/** What undoes each EXIF orientation (EXIF 2.32, 4.6.4.A). */
const backwards: Readonly<Record<number, Pick<Pipeline, 'rotate' | 'flipX'>>> = {
	2: { rotate: 0, flipX: true },
	3: { rotate: 180, flipX: false },
	4: { rotate: 180, flipX: true },
	5: { rotate: 90, flipX: true },
	6: { rotate: 270, flipX: false },
	7: { rotate: 270, flipX: true },
	8: { rotate: 90, flipX: false },
};

/** Turns an upright picture back to how its pixels lie in the file. */
export function turnBack(work: Work, orientation: number): void {
	const turned = backwards[orientation];
	if (turned) turn(work, { ...turned, flipY: false });
}

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
