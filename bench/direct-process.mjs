import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { rgbaToThumbHash } from 'thumbhash';

/**
 * What picpipe is measured against: the recipe `web` written by hand for sharp, as fast as we know how. One thread, one
 * decode that shrinks while it loads, raw pixels from size to size, files written as they are made.
 */
sharp.concurrency(1);
sharp.cache(false);

process.on('message', async ({ file, folder }) => {
	const original = await readFile(file);
	const large = await raw(sharp(original, { autoOrient: true }).resize({ width: 1600, withoutEnlargement: true }));
	await save(large, join(folder, 'large.webp'));
	const medium = await raw(open(large).resize({ width: 800, withoutEnlargement: true }));
	await save(medium, join(folder, 'medium.webp'));
	const small = await raw(open(medium).resize({ width: 400, withoutEnlargement: true }));
	await save(small, join(folder, 'small.webp'));
	const thumb = await raw(open(small).resize({ width: 300, height: 300, position: 'attention' }));
	await save(thumb, join(folder, 'thumb.webp'));
	const { data, info } = await raw(open(small).resize({ width: 100, height: 100, fit: 'inside' }).ensureAlpha());
	await writeFile(join(folder, 'thumbhash'), rgbaToThumbHash(info.width, info.height, data));
	process.send('done');
});

function open({ data, info }) {
	return sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } });
}

function raw(image) {
	return image.raw().toBuffer({ resolveWithObject: true });
}

async function save(pixels, path) {
	await writeFile(path, await open(pixels).webp({ quality: 80, effort: 4 }).toBuffer());
}
