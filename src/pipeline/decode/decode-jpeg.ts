import sharp from 'sharp';
import { PicpipeError } from '../../errors.ts';
import { storedSize } from '../../operations/geometry.ts';
import { classifyError } from '../inspect/classify-error.ts';
import type { Inspected } from '../inspect/inspect.ts';
import { mendJpeg } from '../inspect/mend-jpeg.ts';
import { inputOptions } from '../inspect/sharp-input.ts';
import type { Pixels } from '../pixels/pixels.ts';

/** Most attempts to decode a JPEG: the file, a copy without odd segments, and a copy for each scan that is followed by padding. */
const maximumLooks = 8;

/**
 * A script of scans that repeats or skips something. The picture is intact, but the cause cannot be removed, so damage behind it is not
 * detected.
 */
const oddScript = /Inconsistent progression sequence/;

/** Decodes bytes once. @param onWarning called with every warning that did not make it fail */
type DecodeOnce = (
	bytes: Buffer,
	failOn: 'error' | 'warning',
	onWarning?: (warning: string) => void,
) => Promise<Pixels>;

/**
 * Decodes a JPEG so that damage counts, and oddities outside the picture data do not. A picture without a warning is decoded once.
 *
 * @throws the first warning or error, unless its cause can be removed
 */
export async function decodeJpeg(file: Buffer, picture: Inspected, once: DecodeOnce): Promise<Pixels> {
	let first: unknown;
	let bytes = file;
	for (let look = 1; look <= maximumLooks; look++) {
		try {
			const suspicion = noteWarnings();
			const pixels = await once(bytes, 'warning', suspicion.note);
			if (suspicion.isRaised()) await readToTheEnd(bytes, picture);
			return pixels;
		} catch (error) {
			first ??= error;
			const cause = error instanceof PicpipeError ? error.cause : undefined;
			const [warning = ''] = cause instanceof Error ? cause.message.split('\n') : [];
			if (oddScript.test(warning)) return once(bytes, 'error');
			const mended = warning ? mendJpeg(bytes, warning) : undefined;
			if (!mended) break;
			bytes = mended;
		}
	}
	throw first;
}

/**
 * libvips checks for warnings before it reads each strip of eight lines, so it misses those in the last strip, which may be a whole row of
 * blocks. It only logs them when it closes the file.
 */
export function noteWarnings() {
	let isRaised = false;
	let text = '';
	return {
		note(warning: string) {
			isRaised ||= /read gave \d+ warnings/.test(warning);
			if (warning.startsWith('VipsJpeg: ')) text ||= warning;
		},
		isRaised: () => isRaised,
		/** The text of the first warning. */
		text: () => text,
	};
}

/**
 * Reads a JPEG once more, at full size and to its end, because all pictures of a process share one list of log messages.
 *
 * @throws PicpipeError of class `corrupt` if there are warnings again
 */
async function readToTheEnd(file: Buffer, { facts }: Inspected): Promise<void> {
	const { width, height } = storedSize(facts, facts.orientation);
	const options = { ...inputOptions('warning', width * height), autoOrient: false };
	const { note, isRaised, text } = noteWarnings();
	const last = sharp(file, options).extract({ left: 0, top: height - 1, width: 1, height: 1 });
	try {
		await last.on('warning', note).raw().toBuffer();
		if (isRaised()) throw new Error(text());
	} catch (error) {
		throw classifyError(error, 'decode', 'decode');
	}
}
