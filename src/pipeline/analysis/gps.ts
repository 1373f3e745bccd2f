import { type Directory, readExifBlock } from '../metadata/exif-block.ts';
import type { Analyser } from './analysis.ts';

/** Tags of EXIF 2.32, 4.6.6. */
const tags = { latitudeRef: 1, latitude: 2, longitudeRef: 3, longitude: 4, altitudeRef: 5, altitude: 6 };

/** Metres; anything above is space, and anything below is deeper than the sea. */
const highest = 100_000;

export const gps: Analyser<'gps'> = {
	name: 'gps',
	doc: 'Location from EXIF: `latitude`, `longitude` and, if present, `altitude`. It may be a private home, so request it only if you need it.',
	scaleFor: () => undefined,
	run(subject) {
		const block = subject.exif && readExifBlock(subject.exif);
		if (!block) return undefined;
		const latitude = degrees(block.gps, tags.latitude, block.gps.text(tags.latitudeRef), ['N', 'S'], 90);
		const longitude = degrees(block.gps, tags.longitude, block.gps.text(tags.longitudeRef), ['E', 'W'], 180);
		if (latitude === undefined || longitude === undefined) return undefined;
		const altitude = metres(block.gps);
		return { latitude, longitude, ...(altitude !== undefined && { altitude }) };
	},
};

/** Degrees, minutes and seconds, and the hemisphere. */
function degrees(
	directory: Directory,
	tag: number,
	reference: string | undefined,
	[positive, negative]: readonly [string, string],
	largest: number,
): number | undefined {
	const whole = directory.number(tag, 0);
	if (whole === undefined || (reference !== positive && reference !== negative)) return undefined;
	const value = whole + (directory.number(tag, 1) ?? 0) / 60 + (directory.number(tag, 2) ?? 0) / 3_600;
	if (value < 0 || value > largest) return undefined;
	// A ten-millionth of a degree is a centimetre.
	const rounded = Math.round(value * 1e7) / 1e7;
	return reference === negative && rounded !== 0 ? -rounded : rounded;
}

function metres(directory: Directory): number | undefined {
	const value = directory.number(tags.altitude);
	if (value === undefined || Math.abs(value) > highest) return undefined;
	const isBelow = directory.number(tags.altitudeRef) === 1;
	return Math.round((isBelow ? -value : value) * 100) / 100;
}
