import sharp from 'sharp';
import type { Analysis, AnalysisKind } from '../../../src/domain/analysis.ts';
import { make } from '../make.ts';

/** What the engine finds out about a file; one small variant is made beside it, as in real life. */
export async function analyse(file: Buffer, ...analyse: AnalysisKind[]): Promise<Analysis> {
	const variants = { small: { steps: [{ resize: { width: 40 } }], encode: [{ webp: {} }] } };
	return (await make(file, { analyse, variants })).analysis;
}

interface Box {
	readonly left: number;
	readonly top: number;
	readonly width: number;
	readonly height: number;
	readonly colour: string;
}

/** A picture of one colour with boxes of others on it. */
export async function boxes(width: number, height: number, background: string, ...drawn: Box[]): Promise<Buffer> {
	return sharp({ create: { width, height, channels: 4, background } })
		.composite(
			drawn.map(({ left, top, width, height, colour }) => ({
				input: { create: { width, height, channels: 4, background: colour } },
				left,
				top,
			})),
		)
		.png()
		.toBuffer();
}

/** The same without an alpha channel. */
export async function solidBoxes(...given: Parameters<typeof boxes>): Promise<Buffer> {
	return sharp(await boxes(...given))
		.removeAlpha()
		.png()
		.toBuffer();
}
