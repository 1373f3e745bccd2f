import sharp from 'sharp';
import { rgbaToThumbHash } from 'thumbhash';

/**
 * The jobs for measuring the engine. Each is a recipe, and the same outputs written by hand for sharp, as fast as we could make it: one
 * decode with shrink-on-load, raw pixels from size to size, each encoding from the pixels of its size.
 *
 * @typedef {{ name: string, recipe: object | 'web', direct(file: Buffer): Promise<Buffer[]> }} Job
 */

/** @param {number} width @param {object} encoding */
const wide = (width, encoding) => ({ steps: [{ resize: { width, withoutEnlargement: true } }], encode: [encoding] });

/** @type {readonly Job[]} */
export const jobs = [
	{
		name: 'one thumb, WebP',
		recipe: { variants: { thumb: { steps: [{ resize: { width: 300, height: 300 } }], encode: [{ webp: {} }] } } },
		direct: async (file) => [
			await upright(file).resize({ width: 300, height: 300 }).webp({ quality: 80, effort: 4 }).toBuffer(),
		],
	},
	{
		name: 'three sizes, WebP',
		recipe: { variants: sizes({ webp: {} }) },
		direct: (file) => chain(file, (image) => image.webp({ quality: 80, effort: 4 })),
	},
	{
		name: 'three sizes, AVIF',
		recipe: { variants: sizes({ avif: {} }) },
		direct: (file) => chain(file, (image) => image.avif({ quality: 50, effort: 3, chromaSubsampling: '4:2:0' })),
	},
	{
		name: 'one size, JPEG',
		recipe: { variants: { large: wide(1600, { jpeg: {} }) } },
		direct: async (file) => [
			await upright(file).resize({ width: 1600, withoutEnlargement: true }).jpeg({ quality: 80 }).toBuffer(),
		],
	},
	{ name: 'the recipe web', recipe: 'web', direct: directWeb },
];

function sizes(encoding) {
	return { large: wide(1600, encoding), medium: wide(800, encoding), small: wide(400, encoding) };
}

async function chain(file, encode) {
	const large = await raw(upright(file).resize({ width: 1600, withoutEnlargement: true }));
	const medium = await raw(open(large).resize({ width: 800, withoutEnlargement: true }));
	const small = await raw(open(medium).resize({ width: 400, withoutEnlargement: true }));
	const made = [];
	for (const pixels of [large, medium, small]) made.push(await encode(open(pixels)).toBuffer());
	return made;
}

/** The results of the recipe `web`: four variants, a thumbhash, and the small grey copy for a perceptual hash. */
export async function directWeb(file) {
	const webp = (pixels) => open(pixels).webp({ quality: 80, effort: 4 }).toBuffer();
	const large = await raw(upright(file).resize({ width: 1600, withoutEnlargement: true }));
	const medium = await raw(open(large).resize({ width: 800, withoutEnlargement: true }));
	const small = await raw(open(medium).resize({ width: 400, withoutEnlargement: true }));
	const thumb = await raw(open(small).resize({ width: 300, height: 300, position: 'attention' }));
	const tiny = await raw(open(small).resize({ width: 100, height: 100, fit: 'inside' }));
	const { data, info } = await raw(open(tiny).ensureAlpha());
	const grey = open(tiny).resize({ width: 32, height: 32, fit: 'fill' }).toColourspace('b-w').raw().toBuffer();
	return [
		await webp(large),
		await webp(medium),
		await webp(small),
		await webp(thumb),
		Buffer.from(rgbaToThumbHash(info.width, info.height, data)),
		await grey,
	];
}

function upright(file) {
	return sharp(file, { autoOrient: true });
}

function open({ data, info }) {
	return sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } });
}

function raw(image) {
	return image.raw().toBuffer({ resolveWithObject: true });
}
