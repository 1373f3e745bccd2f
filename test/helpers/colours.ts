/** Colours computed by the formulas of the specifications, apart from the product's code. */

type Triple = readonly [number, number, number];

/** From a value to linear light, both 0 to 1. */
export const curves = {
	/** IEC 61966-2-1. */
	srgb: (value: number) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4),
	/** BT.709 as a display shows it (ITU-R BT.1886). */
	display: (value: number) => value ** 2.4,
	gamma22: (value: number) => value ** 2.2,
	gamma28: (value: number) => value ** 2.8,
	linear: (value: number) => value,
	/** SMPTE ST 240. */
	smpte240: (value: number) => (value < 0.0913 ? value / 4 : ((value + 0.1115) / 1.1115) ** (1 / 0.45)),
	/** SMPTE ST 428-1. */
	smpte428: (value: number) => Math.min(1, (value ** 2.6 * 52.37) / 48),
} as const;

/** From linear light to linear sRGB (CSS Color 4, 17; the first is the identity). */
export const toLinearSrgb = {
	bt709: [
		[1, 0, 0],
		[0, 1, 0],
		[0, 0, 1],
	],
	displayP3: [
		[1.2249401, -0.2249402, 0],
		[-0.0420569, 1.0420571, 0],
		[-0.0196376, -0.0786361, 1.0982735],
	],
	bt2020: [
		[1.660491, -0.5876411, -0.0728499],
		[-0.1245505, 1.1328999, -0.0083494],
		[-0.0181508, -0.1005789, 1.1187297],
	],
} as const satisfies Record<string, readonly [Triple, Triple, Triple]>;

/** The value, 0 to 255, of linear light in sRGB; what is outside of sRGB is clipped. */
function encoded(light: number): number {
	const inside = Math.min(1, Math.max(0, light));
	return 255 * (inside <= 0.0031308 ? inside * 12.92 : 1.055 * inside ** (1 / 2.4) - 0.055);
}

/** What a colour is in sRGB, 0 to 255. @param values 0 to 1 */
export function inSrgb(
	values: Triple,
	curve: (value: number) => number,
	primaries: keyof typeof toLinearSrgb = 'bt709',
): number[] {
	const [r, g, b] = [curve(values[0]), curve(values[1]), curve(values[2])];
	return toLinearSrgb[primaries].map(([red, green, blue]) => encoded(red * r + green * g + blue * b));
}
