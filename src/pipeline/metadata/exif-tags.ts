import type { Directory } from './exif-block.ts';

/**
 * The EXIF 2.32 tags that a variant may keep, by the names of sharp (libexif). All others are dropped: pointers and sizes that would be
 * wrong, the thumbnail (it would reveal cropped parts), maker notes (they may contain locations and faces) and comments of unknown
 * encoding.
 */

type Kind = 'text' | 'integers' | 'ratios';
type Tags = Readonly<Record<string, readonly [tag: number, kind: Kind]>>;

/** EXIF 2.32, 4.6.4. */
export const imageTags: Tags = {
	ImageDescription: [0x010e, 'text'],
	Make: [0x010f, 'text'],
	Model: [0x0110, 'text'],
	Software: [0x0131, 'text'],
	DateTime: [0x0132, 'text'],
	Artist: [0x013b, 'text'],
	Copyright: [0x8298, 'text'],
};

/** EXIF 2.32, 4.6.5. */
export const photoTags: Tags = {
	ExposureTime: [0x829a, 'ratios'],
	FNumber: [0x829d, 'ratios'],
	ExposureProgram: [0x8822, 'integers'],
	ISOSpeedRatings: [0x8827, 'integers'],
	DateTimeOriginal: [0x9003, 'text'],
	DateTimeDigitized: [0x9004, 'text'],
	OffsetTime: [0x9010, 'text'],
	OffsetTimeOriginal: [0x9011, 'text'],
	OffsetTimeDigitized: [0x9012, 'text'],
	ShutterSpeedValue: [0x9201, 'ratios'],
	ApertureValue: [0x9202, 'ratios'],
	BrightnessValue: [0x9203, 'ratios'],
	ExposureBiasValue: [0x9204, 'ratios'],
	MaxApertureValue: [0x9205, 'ratios'],
	SubjectDistance: [0x9206, 'ratios'],
	MeteringMode: [0x9207, 'integers'],
	LightSource: [0x9208, 'integers'],
	Flash: [0x9209, 'integers'],
	FocalLength: [0x920a, 'ratios'],
	SubSecTime: [0x9290, 'text'],
	SubSecTimeOriginal: [0x9291, 'text'],
	SubSecTimeDigitized: [0x9292, 'text'],
	ExposureMode: [0xa402, 'integers'],
	WhiteBalance: [0xa403, 'integers'],
	DigitalZoomRatio: [0xa404, 'ratios'],
	FocalLengthIn35mmFilm: [0xa405, 'integers'],
	SceneCaptureType: [0xa406, 'integers'],
	GainControl: [0xa407, 'integers'],
	Contrast: [0xa408, 'integers'],
	Saturation: [0xa409, 'integers'],
	Sharpness: [0xa40a, 'integers'],
	SubjectDistanceRange: [0xa40c, 'integers'],
	LensSpecification: [0xa432, 'ratios'],
	LensMake: [0xa433, 'text'],
	LensModel: [0xa434, 'text'],
};

/** EXIF 2.32, 4.6.6. */
export const gpsTags: Tags = {
	GPSLatitudeRef: [1, 'text'],
	GPSLatitude: [2, 'ratios'],
	GPSLongitudeRef: [3, 'text'],
	GPSLongitude: [4, 'ratios'],
	GPSAltitudeRef: [5, 'integers'],
	GPSAltitude: [6, 'ratios'],
	GPSTimeStamp: [7, 'ratios'],
	GPSSpeedRef: [12, 'text'],
	GPSSpeed: [13, 'ratios'],
	GPSImgDirectionRef: [16, 'text'],
	GPSImgDirection: [17, 'ratios'],
	GPSDateStamp: [29, 'text'],
};

const [xResolution, yResolution, resolutionUnit] = [0x011a, 0x011b, 0x0128];
/** A density in centimetres times this is one in inches. */
export const centimetresPerInch = 2.54;

/** Pixels per inch (EXIF 2.32, 4.6.4.A), as libvips reads them: undefined if there is only a ratio of the sides. */
export function densityIn(image: Directory): number | undefined {
	const [across, down, unit = 2] = [xResolution, yResolution, resolutionUnit].map((tag) => image.number(tag));
	if (across === undefined || down === undefined || (unit !== 2 && unit !== 3)) return undefined;
	return knownDensity(unit === 3 ? across * centimetresPerInch : across);
}

/** A density in whole pixels per inch. Up to one pixel per millimetre it is the default of libvips, and unknown. */
export function knownDensity(pixelsPerInch: number): number | undefined {
	return pixelsPerInch > 25.4 ? Math.round(pixelsPerInch) : undefined;
}

/** Most numbers of one tag: a lens has four. */
const maximumNumbers = 4;
/** Longest text to keep, in characters. */
export const maximumText = 2_000;

/** The tags that are present, in the form that sharp expects. */
export function readTags(directory: Directory, tags: Tags): Record<string, string> {
	const found = Object.entries(tags).flatMap(([name, [tag, kind]]) => {
		const value = kind === 'text' ? directory.text(tag, maximumText) : numbers(directory, tag, kind);
		return value === undefined ? [] : [[name, value] as const];
	});
	return Object.fromEntries(found);
}

function numbers(directory: Directory, tag: number, kind: Kind): string | undefined {
	const values: string[] = [];
	for (let index = 0; index < maximumNumbers; index++) {
		const value = directory.number(tag, index);
		if (value === undefined) break;
		values.push(kind === 'ratios' ? ratio(value) : String(Math.round(value)));
	}
	return values.length > 0 ? values.join(' ') : undefined;
}

/** A ratio of two 32-bit integers: 1/125 for exposures, four decimals for the rest. */
function ratio(value: number): string {
	const inverse = 1 / value;
	if (value > 0 && value < 1 && Math.abs(inverse - Math.round(inverse)) < 1e-4 * inverse)
		return `1/${Math.round(inverse)}`;
	const scale = Math.abs(value) < 200_000 ? 10_000 : 1;
	return `${Math.round(value * scale)}/${scale}`;
}
