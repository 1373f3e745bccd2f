import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import sharp from 'sharp';
import { withProfile } from './profile.ts';

/** Profiles whose answer is remembered: cameras and programs write the same few again and again. */
const maximumKnown = 256;
const known = new LRUCache<string, Promise<boolean>>({ max: maximumKnown });

/** Most that a number may change for a conversion to count as none: that is how lcms rounds. */
const mostChange = 1;

/** Between the numbers that are tried on each axis of the cube of colours; a divisor of 255. */
const cubeStep = 15;

/**
 * Would converting to sRGB from this profile leave every number as it is? Most files with a profile have one of sRGB, and
 * converting them takes more than half of all time that decoding takes (docs/decisions/0055-profiles-of-srgb.md).
 *
 * It is found out by converting a few thousand colours, in some milliseconds, once for each profile.
 *
 * @param profile of RGB numbers; a broken one counts as sRGB, because sharp passes over it
 */
export function meansSrgb(profile: Buffer): Promise<boolean> {
	const key = createHash('sha256').update(profile).digest('base64');
	let answer = known.get(key);
	if (!answer) {
		answer = staysAsItIs(profile).catch(() => false);
		known.set(key, answer);
	}
	return answer;
}

async function staysAsItIs(profile: Buffer): Promise<boolean> {
	const data = colours();
	const [width, height] = [data.length / 3, 1];
	const file = withProfile({ data, width, height, channels: 3 }, profile);
	const converted = await sharp(file, { limitInputPixels: width * height })
		.toColourspace('srgb')
		.raw()
		.toBuffer();
	return (
		converted.length === data.length && data.every((was, at) => Math.abs(was - (converted[at] ?? 0)) <= mostChange)
	);
}

/** A grid through all colours, and every number of grey, because curves differ first in the dark. */
function colours(): Buffer {
	const side = 255 / cubeStep + 1;
	const cube = side ** 3;
	const numbers = Buffer.alloc((cube + 256) * 3);
	for (let colour = 0; colour < cube; colour++) {
		numbers[colour * 3] = Math.floor(colour / side ** 2) * cubeStep;
		numbers[colour * 3 + 1] = (Math.floor(colour / side) % side) * cubeStep;
		numbers[colour * 3 + 2] = (colour % side) * cubeStep;
	}
	for (let grey = 0; grey < 256; grey++) numbers.fill(grey, (cube + grey) * 3, (cube + grey + 1) * 3);
	return numbers;
}
