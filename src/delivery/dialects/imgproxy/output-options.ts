import { type RenderFormat, renderFormats } from '../image-request.ts';
import { rounded } from '../shared/arguments.ts';
import { invalidValue, unsupportedOption } from '../shared/refusals.ts';
import { argument, type ImgproxyOption, missing, single, toggle } from './option.ts';
import type { RequestedFormat } from './pipeline.ts';

/** Options for how the result is written. */

/** Formats by imgproxy's names and by encoder names. */
const formatNames: ReadonlyMap<string, string> = new Map([
	...renderFormats.map((format) => [format, format] as const),
	['jpg', 'jpeg'],
	['tif', 'tiff'],
]);
/** Formats of imgproxy that picpipe does not write. */
const otherFormats = ['jxl', 'heic', 'svg', 'ico', 'bmp', 'pdf', 'psd', 'mp4', 'best'];

/** The format of a name or an extension. @throws PicpipeError `option-unsupported`, `invalid-delivery-url` */
export function readFormat(name: string, text: string): RequestedFormat {
	if (text === 'auto') return 'auto';
	const format = formatNames.get(text);
	if (format) return format as RenderFormat;
	if (otherFormats.includes(text)) {
		throw unsupportedOption(`${name}:${text}`, `Renders are written as ${renderFormats.join(', ')} or auto.`);
	}
	throw invalidValue(name, `one of ${[...formatNames.keys(), 'auto'].join(', ')}`, text);
}

const formatQuality: ImgproxyOption = {
	names: ['format_quality', 'fq'],
	most: 32,
	read(args, _pipeline, { output }, name) {
		if (args.length % 2 !== 0) throw invalidValue(name, 'pairs of a format and a quality', args.join(':'));
		for (let index = 0; index < args.length; index += 2) {
			const [format = '', quality = ''] = args.slice(index);
			const value = argument.integer(name, quality, 1, 100);
			const known = formatNames.get(format);
			// Renders are never written in the other formats.
			if (known) output.formatQuality.set(known, value);
			else argument.choice(name, format, [...formatNames.keys(), ...otherFormats]);
		}
	},
};

/** The range of target sizes for a search, bytes. */
const bytes = (name: string, text: string) => argument.integer(name, text, 100, 1e9);

/** imgproxy's default (`IMGPROXY_AUTOQUALITY_TARGET`). */
const usualDssim = 0.02;

/** The range of targets of a search by similarity (`ssimTarget`). */
const [leastSsim, mostSsim] = [0.5, 0.9999];

const autoquality: ImgproxyOption = {
	names: ['autoquality', 'aq'],
	most: 5,
	read([method = '', target = '', lowest = '', highest = '', allowed = ''], _pipeline, { output }, name) {
		const known = method === '' ? 'none' : argument.choice(name, method, ['none', 'size', 'dssim', 'ml']);
		if (known === 'ml') throw unsupportedOption(`${name}:ml`, 'A quality is found by size or by dssim.');
		if (known === 'none') {
			delete output.autoquality;
			return;
		}
		const min = lowest === '' ? undefined : argument.integer(name, lowest, 1, 100);
		const max = highest === '' ? undefined : argument.integer(name, highest, 1, 100);
		if ((min ?? 1) > (max ?? 100)) throw invalidValue(name, `a highest quality of at least ${min}`, highest);
		// The search is exact, and so within any allowed error.
		if (allowed !== '') argument.number(name, allowed, 0, 1);
		output.autoquality = {
			goal: known === 'size' ? { maxBytes: bytes(name, target) } : { ssim: ssimOf(name, target) },
			...(min !== undefined && { min }),
			...(max !== undefined && { max }),
		};
	},
};

/** The SSIM of a structural dissimilarity as imgproxy documents it, (1 - SSIM) / 2: 0 is identical, 1 the opposite. */
function ssimOf(name: string, text: string): number {
	const dssim = text === '' ? usualDssim : argument.number(name, text, 0, 1);
	return Math.max(leastSsim, Math.min(rounded(1 - 2 * dssim), mostSsim));
}

const jpegOptions: ImgproxyOption = {
	names: ['jpeg_options', 'jpgo'],
	most: 6,
	read(args, _pipeline, { output }, name) {
		const [progressive, noSubsample, ...extras] = args
			.slice(0, 5)
			.map((text) => text !== '' && argument.boolean(name, text));
		const table = (args[5] ?? '') === '' ? undefined : argument.integer(name, args[5] ?? '', 0, 8);
		const isMozjpeg = extras.length === 3 && extras.every(Boolean);
		if (extras.some(Boolean) && !(isMozjpeg && progressive)) {
			throw unsupportedOption(
				name,
				'Trellis quantisation, overshoot deringing and optimised scans come together and progressive, as 1::1:1:1.',
			);
		}
		if (table !== undefined && table !== 0 && !(isMozjpeg && table === 3)) {
			throw unsupportedOption(name, 'Quantisation tables can’t be chosen.');
		}
		output.jpeg = {
			...(isMozjpeg ? { mozjpeg: true } : progressive && { progressive: true }),
			...(noSubsample && { chromaSubsampling: '4:4:4' }),
		};
	},
};

const pngOptions: ImgproxyOption = {
	names: ['png_options', 'pngo'],
	most: 3,
	read([interlaced = '', quantize = '', colours = ''], _pipeline, { output }, name) {
		const isReduced = quantize !== '' && argument.boolean(name, quantize);
		const most = colours === '' ? 256 : argument.integer(name, colours, 2, 256);
		if (isReduced && ![2, 4, 16, 256].includes(most)) {
			throw unsupportedOption(name, `Palettes have 2, 4, 16 or 256 colours and not ${most}.`);
		}
		output.png = {
			...(interlaced !== '' && argument.boolean(name, interlaced) && { progressive: true }),
			...(isReduced && { palette: true, ...(most !== 256 && { colours: most }) }),
		};
	},
};

const webpOptions: ImgproxyOption = {
	names: ['webp_options', 'webpo'],
	most: 3,
	read([compression = '', smart = '', preset = ''], _pipeline, { output }, name) {
		const known =
			compression === '' ? 'lossy' : argument.choice(name, compression, ['lossy', 'near_lossless', 'lossless']);
		if (
			preset !== '' &&
			argument.choice(name, preset, ['default', 'photo', 'picture', 'drawing', 'icon', 'text']) !== 'default'
		) {
			throw unsupportedOption(name, 'Presets of the encoder can’t be chosen.');
		}
		output.webp = {
			...(known === 'lossless' && { lossless: true }),
			...(known === 'near_lossless' && { nearLossless: true }),
			...(smart !== '' && argument.boolean(name, smart) && { smartSubsample: true }),
		};
	},
};

const avifOptions = single(['avif_options', 'avifo'], (text, _pipeline, { output }, name) => {
	output.avif = argument.choice(name, text, ['auto', 'on', 'off']) === 'off' ? { chromaSubsampling: '4:4:4' } : {};
});

/** More pages than a TIFF may have. */
const maximumPage = 99_999;

const page = single(['page', 'pg'], (text, _pipeline, { output }, name) => {
	output.page = argument.integer(name, text, 0, maximumPage);
});

const skipProcessing: ImgproxyOption = {
	names: ['skip_processing', 'skp'],
	most: 32,
	read(args, _pipeline, { output }, name) {
		for (const text of args.filter((one) => one !== '')) {
			output.skipped.add(
				formatNames.get(text) ?? argument.choice(name, text, [...formatNames.keys(), ...otherFormats]),
			);
		}
	},
};

const limitsAreFixed = 'Limits are settings of the installation.';
const noVideos = 'Videos are not read.';

export const outputOptions: readonly ImgproxyOption[] = [
	single(['quality', 'q'], (text, _pipeline, { output }, name) => {
		output.quality = argument.integer(name, text, 0, 100);
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
	toggle(['strip_metadata', 'sm'], (isOn, _pipeline, { output }) => {
		output.stripMetadata = isOn;
	}),
	toggle(['keep_copyright', 'kcr'], (isOn, _pipeline, { output }) => {
		output.keepCopyright = isOn;
	}),
	toggle(['strip_color_profile', 'scp'], (isOn, _pipeline, { output }) => {
		output.stripProfile = isOn;
	}),
	page,
	missing(['pages', 'pgs'], 'Pages are not put below each other.', ['1']),
	toggle(['disable_animation', 'da'], (isOn, _pipeline, { output }) => {
		output.isStill = isOn;
	}),
	skipProcessing,
	toggle(['raw'], (isOn, _pipeline, { response }) => {
		response.raw = isOn;
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
