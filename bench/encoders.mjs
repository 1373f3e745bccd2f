import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { tsImport } from 'tsx/esm/api';
import { findEncoder } from '../dist/pipeline/encoders/index.js';
import { prepareSharp } from '../dist/pipeline/inspect/sharp-input.js';
import { open, toPixels } from '../dist/pipeline/pixels/pixels.js';
import { similarityTo } from '../dist/pipeline/pixels/similarity.js';
import { table } from './figures.mjs';

/**
 * The cost and effect of each encoder's efforts and qualities: CPU time, bytes and similarity, over photographs 1600 pixels wide. The
 * encoders' defaults are based on it (docs/benchmarks.md).
 *
 *   npm run bench:encoders                 the photographs of ../shared/pictures/photos (else a generated one)
 *   npm run bench:encoders -- --quick      2 of them
 *   npm run bench:encoders -- gif tiff     these encoders alone
 */
const { values: flags, positionals: wanted } = parseArgs({
	options: { quick: { type: 'boolean', default: false } },
	allowPositionals: true,
});
const width = 1600;

/** Options of each encoder that are compared. */
const candidates = {
	webp: [
		...[0, 2, 3, 4, 5, 6].map((effort) => ({ quality: 80, effort })),
		...[70, 75, 85, 90].map((quality) => ({ quality, effort: 4 })),
		{ quality: 80, effort: 4, smartSubsample: true },
	],
	avif: [
		...[0, 1, 2, 3, 4, 5].map((effort) => ({ quality: 50, effort })),
		...[40, 45, 55, 60, 65].map((quality) => ({ quality, effort: 2 })),
		{ quality: 50, effort: 2, chromaSubsampling: '4:4:4' },
	],
	jpeg: [
		...[70, 75, 80, 85, 90].map((quality) => ({ quality })),
		{ quality: 80, progressive: true },
		...[70, 75, 80, 85].map((quality) => ({ quality, mozjpeg: true })),
	],
	png: [1, 3, 6, 9].map((compressionLevel) => ({ compressionLevel })).concat([{ palette: true }]),
	gif: [
		...[1, 4, 7, 10].map((effort) => ({ effort })),
		...[0, 0.5].map((dither) => ({ dither })),
		...[16, 4].map((colours) => ({ colours })),
	],
	tiff: ['lzw', 'deflate', 'none'].map((compression) => ({ compression })),
};

prepareSharp({ threads: 1, takesSvg: false });
const pictures = await photographs();
process.stdout.write(
	[
		`${pictures.length} photographs, ${width} pixels wide, one thread\n`,
		`${cpus()[0]?.model.trim()}, sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}\n`,
	].join(''),
);
for (const [name, list] of Object.entries(candidates)) {
	if (wanted.length > 0 && !wanted.includes(name)) continue;
	const results = [];
	for (const options of list) results.push(await measure(findEncoder(name), options));
	const standard = findEncoder(name).schema.parse({});
	process.stdout.write(`\n${table(results.map((result) => rowOf(result, standard)))}`);
}

async function photographs() {
	const helper = await tsImport('../test/helpers/pictures.ts', import.meta.url);
	const shared = await Promise.all(helper.sharedPictures('photos').map(({ path }) => readFile(path)));
	const files = shared.length > 0 ? shared.slice(0, flags.quick ? 2 : undefined) : [await helper.twelveMegapixels()];
	return Promise.all(
		files.map((file) => toPixels(sharp(file, { autoOrient: true }).resize({ width }).toColourspace('srgb'))),
	);
}

/** @returns sums over all pictures: CPU milliseconds, bytes; the mean of the similarities and the least of them */
async function measure(encoder, options) {
	const all = encoder.schema.parse(options);
	let cpu = 0;
	let bytes = 0;
	const scores = [];
	for (const pixels of pictures) {
		const prepared = encoder.prepare?.(open(pixels), all) ?? open(pixels);
		const before = process.cpuUsage();
		const data = await encoder.apply(prepared, all).toBuffer();
		const { user, system } = process.cpuUsage(before);
		cpu += (user + system) / 1_000;
		bytes += data.length;
		const seen = await toPixels(sharp(data).toColourspace('srgb').removeAlpha());
		scores.push(similarityTo(pixels)(seen));
	}
	const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
	return {
		encoder,
		options,
		all,
		cpu: cpu / pictures.length,
		bytes: bytes / pictures.length,
		mean,
		least: Math.min(...scores),
	};
}

function rowOf({ encoder, options, all, cpu, bytes, mean, least }, standard) {
	const isStandard = JSON.stringify(all) === JSON.stringify(standard);
	const words = Object.entries(options).map(([name, value]) => `${name} ${value}`);
	return {
		[encoder.name]: `${words.join(', ')}${isStandard ? ' (default)' : ''}`,
		'CPU ms': cpu.toFixed(0),
		kB: (bytes / 1_000).toFixed(0),
		SSIM: mean.toFixed(4),
		'least SSIM': least.toFixed(4),
	};
}
