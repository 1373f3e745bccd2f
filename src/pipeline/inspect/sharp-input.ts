import sharp, { type Metadata, type SharpOptions } from 'sharp';
import { classifyError } from './classify-error.ts';

/** How sharp is told to open what strangers send: one place for every limit of its own, set on purpose. */

/** Loaders of libvips that may run; all from memory, so that no picture can open a file. */
const allowedLoaders = [
	'VipsForeignLoadJpegBuffer',
	'VipsForeignLoadPngBuffer',
	'VipsForeignLoadWebpBuffer',
	'VipsForeignLoadHeifBuffer',
	'VipsForeignLoadNsgifBuffer',
	'VipsForeignLoadTiffBuffer',
];
/** Counts as untrusted for libvips, as `VIPS_BLOCK_UNTRUSTED` means it; what is asked for by name runs all the same. */
const svgLoader = 'VipsForeignLoadSvgBuffer';

/**
 * Prepares sharp for a process that does nothing but imaging: one place for everything global.
 *
 * @param threads of libvips for each picture
 */
export function prepareSharp({ threads, takesSvg }: { readonly threads: number; readonly takesSvg: boolean }): void {
	sharp.concurrency(threads);
	// No picture comes twice, so the cache would only hold memory.
	sharp.cache(false);
	sharp.block({ operation: ['VipsForeignLoad'] });
	sharp.unblock({ operation: takesSvg ? [...allowedLoaders, svgLoader] : allowedLoaders });
}

/** Every limit of sharp, on purpose. Pixels are limited by us, from the header, in words that a person understands. */
export function inputOptions(failOn: 'error' | 'warning', limitInputPixels: number): SharpOptions {
	return {
		failOn,
		limitInputPixels,
		// Five: cyan, magenta, yellow, black and alpha.
		limitInputChannels: 5,
		// Keeps the libraries' own limits: scans of a progressive JPEG, chunks of a PNG, tiles of an AVIF.
		unlimited: false,
		pages: 1,
		sequentialRead: true,
		autoOrient: true,
		ignoreIcc: false,
	};
}

/**
 * What a file says about itself; nothing is decoded.
 *
 * @param more where it is not the first page, or a drawing
 * @throws PicpipeError of class `unsupported`, `corrupt` or `limit`
 */
export async function readHeader(file: Buffer, more: SharpOptions = {}): Promise<Metadata> {
	try {
		// No limit on pixels: our own limits say it better.
		return await sharp(file, { ...inputOptions('error', 0), ...more }).metadata();
	} catch (error) {
		throw classifyError(error, 'inspect', 'inspect');
	}
}
