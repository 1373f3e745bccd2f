import type { Analysis } from '../../domain/analysis.ts';
import { type Directory, readExifBlock } from '../metadata/exif-block.ts';
import type { Analyser } from './analysis.ts';

/** Tags of EXIF 2.32: 4.6.4 for the camera, 4.6.5 for the exposure. */
const tags = {
	make: 0x010f,
	model: 0x0110,
	exposureTime: 0x829a,
	aperture: 0x829d,
	iso: 0x8827,
	takenAt: 0x9003,
	takenAtOffset: 0x9011,
	focalLength: 0x920a,
	focalLength35: 0xa405,
	lens: 0xa434,
};

/** No exposure, lens or film has a larger value. */
const largest = 1e7;

export const exif: Analyser<'exif'> = {
	name: 'exif',
	doc: 'Camera data from EXIF: `make`, `model`, `lens`, `exposureTime` (s), `aperture`, `iso`, `focalLength`, `focalLength35` (mm), `takenAt`. No location or names.',
	scaleFor: () => undefined,
	run(subject) {
		const block = subject.exif && readExifBlock(subject.exif);
		if (!block) return undefined;
		const { image, photo } = block;
		const found: Analysis['exif'] = {
			...has('make', image.text(tags.make)),
			...has('model', image.text(tags.model)),
			...has('lens', photo.text(tags.lens)),
			...has('exposureTime', positive(photo, tags.exposureTime)),
			...has('aperture', positive(photo, tags.aperture)),
			...has('iso', positive(photo, tags.iso)),
			...has('focalLength', positive(photo, tags.focalLength)),
			...has('focalLength35', positive(photo, tags.focalLength35)),
			...has('takenAt', time(photo)),
		};
		return Object.keys(found).length > 0 ? found : undefined;
	},
};

function has<Name extends string, Value>(name: Name, value: Value | undefined): Partial<Record<Name, Value>> {
	return value === undefined ? {} : ({ [name]: value } as Record<Name, Value>);
}

/** 0 means unknown. */
function positive(directory: Directory, tag: number): number | undefined {
	const value = directory.number(tag);
	if (value === undefined || value <= 0 || value > largest) return undefined;
	return Number(value.toPrecision(6));
}

/** `2026:05:01 18:30:00`, the camera's local time, and since EXIF 2.31 perhaps its offset from UTC. */
function time(photo: Directory): string | undefined {
	const written = photo.text(tags.takenAt) ?? '';
	if (!/^\d{4}:\d\d:\d\d \d\d:\d\d:\d\d$/.test(written)) return undefined;
	const local = written.replace(':', '-').replace(':', '-').replace(' ', 'T');
	// A camera whose clock was never set writes zeros, and some dates do not exist.
	const parsed = new Date(`${local}Z`);
	if (Number.isNaN(parsed.getTime()) || !parsed.toISOString().startsWith(local)) return undefined;
	const offset = photo.text(tags.takenAtOffset) ?? '';
	return local + (/^[+-](0\d|1[0-4]):[0-5]\d$/.test(offset) ? offset : '');
}
