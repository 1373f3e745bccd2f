import { type RenderFormat, renderFormats } from '../image-request.ts';
import { boolean, integer, oneOf } from './arguments.ts';
import { autoquality, bytes } from './autoquality.ts';
import { missing, type Option, single } from './option.ts';
import type { Format } from './pipeline.ts';
import { unexpected, unsupported } from './refusals.ts';

/** Options that say how the result is written. */

/** Names that imgproxy gives formats, and those that we do. */
const formatNames: ReadonlyMap<string, string> = new Map([
	...renderFormats.map((format) => [format, format] as const),
	['jpg', 'jpeg'],
	['tif', 'tiff'],
]);
/** Formats that imgproxy reads or writes and renders are not written in. */
const otherFormats = ['jxl', 'heic', 'svg', 'ico', 'bmp', 'pdf', 'psd', 'mp4', 'best'];

/** The format of a name or an extension. @throws PicpipeError `option-unsupported`, `invalid-delivery-url` */
export function readFormat(name: string, text: string): Format {
	if (text === 'auto') return 'auto';
	const format = formatNames.get(text);
	if (format) return format as RenderFormat;
	if (otherFormats.includes(text)) {
		throw unsupported(`${name}:${text}`, `Renders are written as ${renderFormats.join(', ')} or auto.`);
	}
	throw unexpected(`one of ${[...formatNames.keys(), 'auto'].join(', ')}`, name, text);
}

const formatQuality: Option = {
	names: ['format_quality', 'fq'],
	most: 32,
	read(args, _pipeline, { output }, name) {
		if (args.length % 2 !== 0) throw unexpected('pairs of a format and a quality', name, args.join(':'));
		for (let index = 0; index < args.length; index += 2) {
			const [format = '', quality = ''] = args.slice(index);
			const value = integer(name, quality, 1, 100);
			const known = formatNames.get(format);
			// Nothing is written in the other ones, so there is nothing to say about them.
			if (known) output.formatQuality.set(known, value);
			else oneOf(name, format, [...formatNames.keys(), ...otherFormats]);
		}
	},
};

const jpegOptions: Option = {
	names: ['jpeg_options', 'jpgo'],
	most: 6,
	read(args, _pipeline, { output }, name) {
		const [progressive, noSubsample, ...extras] = args.slice(0, 5).map((text) => text !== '' && boolean(name, text));
		const table = (args[5] ?? '') === '' ? undefined : integer(name, args[5] ?? '', 0, 8);
		const isMozjpeg = extras.length === 3 && extras.every(Boolean);
		if (extras.some(Boolean) && !(isMozjpeg && progressive)) {
			throw unsupported(
				name,
				'Trellis quantisation, overshoot deringing and optimised scans come together and progressive, as 1::1:1:1.',
			);
		}
		if (table !== undefined && table !== 0 && !(isMozjpeg && table === 3)) {
			throw unsupported(name, 'Quantisation tables can’t be chosen.');
		}
		output.jpeg = {
			...(isMozjpeg ? { mozjpeg: true } : progressive && { progressive: true }),
			...(noSubsample && { chromaSubsampling: '4:4:4' }),
		};
	},
};

const pngOptions: Option = {
	names: ['png_options', 'pngo'],
	most: 3,
	read([interlaced = '', quantize = '', colours = ''], _pipeline, { output }, name) {
		const isReduced = quantize !== '' && boolean(name, quantize);
		const most = colours === '' ? 256 : integer(name, colours, 2, 256);
		if (isReduced && ![2, 4, 16, 256].includes(most)) {
			throw unsupported(name, `Palettes have 2, 4, 16 or 256 colours and not ${most}.`);
		}
		output.png = {
			...(interlaced !== '' && boolean(name, interlaced) && { progressive: true }),
			...(isReduced && { palette: true, ...(most !== 256 && { colours: most }) }),
		};
	},
};

const webpOptions: Option = {
	names: ['webp_options', 'webpo'],
	most: 3,
	read([compression = '', smart = '', preset = ''], _pipeline, { output }, name) {
		const known = compression === '' ? 'lossy' : oneOf(name, compression, ['lossy', 'near_lossless', 'lossless']);
		if (
			preset !== '' &&
			oneOf(name, preset, ['default', 'photo', 'picture', 'drawing', 'icon', 'text']) !== 'default'
		) {
			throw unsupported(name, 'Presets of the encoder can’t be chosen.');
		}
		output.webp = {
			...(known === 'lossless' && { lossless: true }),
			...(known === 'near_lossless' && { nearLossless: true }),
			...(smart !== '' && boolean(name, smart) && { smartSubsample: true }),
		};
	},
};

const avifOptions = single(['avif_options', 'avifo'], (text, _pipeline, { output }, name) => {
	output.avif = oneOf(name, text, ['auto', 'on', 'off']) === 'off' ? { chromaSubsampling: '4:4:4' } : {};
});

/** More pages than a TIFF may have. */
const maximumPage = 99_999;

const page = single(['page', 'pg'], (text, _pipeline, { output }, name) => {
	output.page = integer(name, text, 0, maximumPage);
});

const skipProcessing: Option = {
	names: ['skip_processing', 'skp'],
	most: 32,
	read(args, _pipeline, { output }, name) {
		for (const text of args.filter((one) => one !== '')) {
			output.skipped.add(formatNames.get(text) ?? oneOf(name, text, [...formatNames.keys(), ...otherFormats]));
		}
	},
};

const limitsAreFixed = 'Limits are settings of the installation.';
const noVideos = 'Videos are not read.';

export const outputOptions: readonly Option[] = [
	single(['quality', 'q'], (text, _pipeline, { output }, name) => {
		output.quality = integer(name, text, 0, 100);
	}),
	formatQuality,
	autoquality,
	single(['max_bytes', 'mb'], (text, _pipeline, { output }, name) => {
		output.maxBytes = text === '0' ? 0 : bytes(name, text);
	}),
	jpegOptions,
	pngOptions,
	webpOptions,
	avifOptions,
	single(['format', 'f', 'ext'], (text, _pipeline, { output }, name) => {
		output.format = readFormat(name, text);
	}),
	single(['strip_metadata', 'sm'], (text, _pipeline, { output }, name) => {
		output.stripMetadata = boolean(name, text);
	}),
	single(['keep_copyright', 'kcr'], (text, _pipeline, { output }, name) => {
		output.keepCopyright = boolean(name, text);
	}),
	single(['strip_color_profile', 'scp'], (text, _pipeline, { output }, name) => {
		output.stripProfile = boolean(name, text);
	}),
	page,
	missing(['pages', 'pgs'], 'Pages are not put below each other.', ['1']),
	single(['disable_animation', 'da'], (text, _pipeline, { output }, name) => {
		output.isStill = boolean(name, text);
	}),
	skipProcessing,
	single(['raw'], (text, _pipeline, { handling }, name) => {
		handling.raw = boolean(name, text);
	}),
	missing(['dpi'], 'Files say nothing about dots per inch.', ['0']),
	missing(['color_profile', 'cp', 'icc'], 'Colours are converted to sRGB or kept: strip_color_profile.'),
	missing(['jxl_options', 'jxlo'], 'JPEG XL is not written.'),
	missing(['enforce_thumbnail', 'eth'], 'Thumbnails in files are not used.', ['0', 'f', 'false']),
	missing(['fallback_image_url', 'fiu'], 'There is no other picture for one that is missing.', ['']),
	missing(['hashsum', 'hs'], 'Sources are not compared with a digest.', ['', 'none']),
	missing(['max_src_resolution', 'msr'], limitsAreFixed),
	missing(['max_src_file_size', 'msfs'], limitsAreFixed),
	missing(['max_animation_frames', 'maf'], limitsAreFixed),
	missing(['max_animation_frame_resolution', 'mafr'], limitsAreFixed),
	missing(['max_result_dimension', 'mrd'], limitsAreFixed),
	missing(['video_thumbnail_second', 'vts'], noVideos),
	missing(['video_thumbnail_keyframes', 'vtk'], noVideos),
	missing(['video_thumbnail_tile', 'vtt'], noVideos),
	missing(['video_thumbnail_animation', 'vta'], noVideos),
];
