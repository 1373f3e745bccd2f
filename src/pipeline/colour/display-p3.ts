import { linearLight } from '../pixels/linear-light.ts';

/**
 * Display P3, in which phones take pictures: the curve of sRGB and wider primaries. So a 3 × 3 matrix between linear numbers is all that
 * a conversion takes (IEC 61966-2-1; SMPTE EG 432-1 for the primaries; the matrix as in CSS Color 4, 17).
 */
const matrix = [
	[1.224940176, -0.224940176, 0],
	[-0.042056955, 1.042056955, 0],
	[-0.019637555, -0.078636046, 1.0982736],
] as const;

/** Linear light of each of the 256 numbers. */
const linear = Float32Array.from({ length: 256 }, (_, number) => linearLight(number));

/** Steps of linear light for which a number is looked up: the steepest part of the curve has five to a number. */
const steps = 2 ** 14;
const numbers = Uint8Array.from({ length: steps + 1 }, (_, step) => {
	const value = step / steps;
	return Math.round(255 * (value <= 0.0031308 ? value * 12.92 : 1.055 * value ** (1 / 2.4) - 0.055));
});

/** The number of this much linear light; colours that sRGB does not have end at its edge. */
function numberOf(light: number): number {
	if (light <= 0) return 0;
	return light >= 1 ? 255 : (numbers[(light * steps + 0.5) | 0] as number);
}

/** Converts pixels from Display P3 to sRGB, in place; alpha stays. @param data 8 bits a channel */
export function displayP3ToSrgb(data: Buffer, channels: 3 | 4): void {
	const [[rr, rg], [gr, gg], [br, bg, bb]] = matrix;
	for (let at = 0; at + 2 < data.length; at += channels) {
		const red = linear[data[at] as number] as number;
		const green = linear[data[at + 1] as number] as number;
		const blue = linear[data[at + 2] as number] as number;
		data[at] = numberOf(rr * red + rg * green);
		data[at + 1] = numberOf(gr * red + gg * green);
		data[at + 2] = numberOf(br * red + bg * green + bb * blue);
	}
}
