import sharp, { type Metadata, type SharpOptions } from 'sharp';
import { classifyError } from './classify-error.ts';

/** How sharp opens untrusted files: the only place that sets its limits. */

/** Loaders of libvips that may run. All of them read from memory, so that no picture can open a file. */
const allowedLoaders = [
	'VipsForeignLoadJpegBuffer',
	'VipsForeignLoadPngBuffer',
	'VipsForeignLoadWebpBuffer',
	'VipsForeignLoadHeifBuffer',
	'VipsForeignLoadNsgifBuffer',
	'VipsForeignLoadTiffBuffer',
];
/** libvips counts it as untrusted (`VIPS_BLOCK_UNTRUSTED`), but runs loaders that are named explicitly. */
const svgLoader = 'VipsForeignLoadSvgBuffer';

/**
 * Prepares sharp for an imaging process: the only place for global settings.
 *
 * @param threads threads of libvips per picture
 */
export function prepareSharp({ threads, takesSvg }: { readonly threads: number; readonly takesSvg: boolean }): void {
	sharp.concurrency(threads);
	// No picture is processed twice, so the cache would only use memory.
	sharp.cache(false);
	sharp.block({ operation: ['VipsForeignLoad'] });
	sharp.unblock({ operation: takesSvg ? [...allowedLoaders, svgLoader] : allowedLoaders });
}

const gainMapLoader = 'VipsForeignLoadUhdrBuffer';

/** Room for everything that one pipeline holds: megabytes and operations. */
const roomyCache = { memory: 4_096, files: 0, items: 10_000 };

/**
 * Runs a task in which sharp reads gain maps. Otherwise it reads such files as every other JPEG: shrunk on load, and with warnings about damage. So
 * nothing else may be decoded at the same time.
 *
 * sharp 0.35 uses the bytes of a gain map after it has given up the picture that owns them. Only libvips' cache keeps that picture, and it keeps
 * none that is read sequentially. So the task must open its pictures with `sequentialRead: false`.
 */
export async function withGainMapLoader<Result>(task: () => Promise<Result>): Promise<Result> {
	sharp.unblock({ operation: [gainMapLoader] });
	sharp.cache(roomyCache);
	try {
		return await task();
	} finally {
		sharp.cache(false);
		sharp.block({ operation: [gainMapLoader] });
	}
}

/** All limits of sharp, set explicitly. The number of pixels is checked against the header, with a clear message. */
export function inputOptions(failOn: 'error' | 'warning', limitInputPixels: number): SharpOptions {
	return {
		failOn,
		limitInputPixels,
		// Cyan, magenta, yellow, black and alpha.
		limitInputChannels: 5,
		// Keeps the limits of the libraries: scans of a progressive JPEG, chunks of a PNG, tiles of an AVIF.
		unlimited: false,
		pages: 1,
		sequentialRead: true,
		autoOrient: true,
		ignoreIcc: false,
	};
}

/**
 * Reads the header of a file without decoding it.
 *
 * @param more options for another page or for a drawing
 * @throws PicpipeError of class `unsupported`, `corrupt` or `limit`
 */
export async function readHeader(file: Buffer, more: SharpOptions = {}): Promise<Metadata> {
	try {
		// No limit on pixels: `checkLimits` gives a better message.
		return await sharp(file, { ...inputOptions('error', 0), ...more }).metadata();
	} catch (error) {
		throw classifyError(error, 'inspect', 'inspect');
	}
}
